/** Rules and facts of one kind of stream, as three pure values. */
export interface Decider<State, Command, Event> {
  readonly initial: State;
  /** The events that follow from a command; none when it changes nothing. Throws `Refused` when a rule says no. */
  decide(command: Command, state: State): readonly Event[];
  /** Records a fact. Never throws: what happened, happened. */
  evolve(state: State, event: Event): State;
}
