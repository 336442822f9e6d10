import type { Bus, Subscription } from "./port.js";

/** No bus: what is published is heard by nobody. Everything is right without one; it is only told by streams and cursors then. */
export class SilentBus implements Bus {
  async publish(): Promise<void> {}

  async subscribe(): Promise<Subscription> {
    return { stop: async () => {} };
  }

  async close(): Promise<void> {}
}
