interface Waiting {
  readonly position: bigint;
  readonly arrived: () => void;
}

/** Who waits for which position, lowest first. Positions come nearly in order, so both ends are cheap for thousands. */
export function waitingLine() {
  const line: Waiting[] = [];
  return {
    get length(): number {
      return line.length;
    },
    /** Gives the way out of the line. */
    join(position: bigint, arrived: () => void): () => void {
      const waiting = { position, arrived };
      const before = line.findLastIndex((other) => other.position <= position);
      line.splice(before + 1, 0, waiting);
      return () => {
        const index = line.indexOf(waiting);
        if (index >= 0) line.splice(index, 1);
      };
    },
    /** Lets everybody go who waits for `position` or less. */
    advance(position: bigint): void {
      const first = line.findIndex((waiting) => waiting.position > position);
      const free = line.splice(0, first < 0 ? line.length : first);
      for (const { arrived } of free) arrived();
    },
  };
}
