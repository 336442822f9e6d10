import type { Component } from "./lifecycle.js";

/** Something that begins and ends, in any of the ways that this may be written; what isn't there isn't needed. */
export interface Part {
  /** As {@link Component.start}; may be done at once. */
  start?(): unknown;
  /** As {@link Component.announceStop}. */
  announceStop?(): void;
  /** As {@link Component.drain}. */
  drain?(): unknown;
  /** As {@link Component.stop}. */
  stop?(): unknown;
}

/** A part as a component. */
export function componentOf(part: Part): Component {
  return {
    start: async () => void (await part.start?.()),
    announceStop: () => part.announceStop?.(),
    drain: async () => void (await part.drain?.()),
    stop: async () => void (await part.stop?.()),
  };
}

/** A component that is made only when its turn to start comes, because it needs what started before it. */
export function inTurn(make: () => Part | Promise<Part>): Component {
  let made: Part | undefined;
  return {
    async start() {
      made = await make();
      await made.start?.();
    },
    announceStop: () => made?.announceStop?.(),
    drain: async () => void (await made?.drain?.()),
    stop: async () => void (await made?.stop?.()),
  };
}
