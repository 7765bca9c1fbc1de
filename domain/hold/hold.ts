import type { Decider } from '../decider.ts';
import { Refused } from '../refused.ts';

/**
 * A legal hold keeps an image from being deleted, whoever asks, until it is lifted. One image's is in the image's own
 * stream; a project's is in a stream of its own (`hold-{project}`) and is for every image that the project owns or will own.
 */
export type ProjectHoldEvent =
  /** `from` is the reason before, where there was a hold already. */
  | {
      readonly type: 'ProjectHoldPlaced';
      readonly data: { readonly reason: string; readonly from: string | null };
    }
  /** `reason` is that of the hold that is over. */
  | { readonly type: 'ProjectHoldLifted'; readonly data: { readonly reason: string } };

export type HoldCommand =
  | { readonly type: 'PlaceHold'; readonly reason: string }
  | { readonly type: 'LiftHold' };

export interface ProjectHold {
  /** Null where there is no hold. */
  readonly reason: string | null;
}

export const holdStream = (projectId: string): string => `hold-${projectId}`;

/** Characters. */
export const longestReason = 1_000;

/** A repeat changes nothing. */
export const projectHold: Decider<ProjectHold, HoldCommand, ProjectHoldEvent> = {
  initial: { reason: null },
  decide(command, { reason: from }) {
    if (command.type === 'LiftHold')
      return from === null ? [] : [{ type: 'ProjectHoldLifted', data: { reason: from } }];
    const { reason } = command;
    return reason === from ? [] : [{ type: 'ProjectHoldPlaced', data: { reason, from } }];
  },
  evolve(state, event) {
    switch (event.type) {
      case 'ProjectHoldPlaced':
        return { reason: event.data.reason };
      case 'ProjectHoldLifted':
        return { reason: null };
      default:
        return state;
    }
  },
};

/** What is known of the hold on one project. */
export interface KnownHold extends ProjectHold {
  readonly projectId: string;
}

/** The decision needs to know whether this project is under a hold: ask, and decide again. */
export class HoldUnknown extends Error {
  readonly projectId: string;

  constructor(projectId: string) {
    super(`whether the project ${projectId} is under a legal hold is not known`);
    this.name = 'HoldUnknown';
    this.projectId = projectId;
  }
}

export const held = (what: string, reason: string): Refused =>
  new Refused('image-held', `${what} is under legal hold: ${reason}`);
