import type { Lease } from "@berth/pool-manager/internal/domain/lease";
import type { Ask } from "./messages.js";
import type { Ready } from "./registry.js";

/** How the nodes reach each other; whatever they send may be lost, doubled or late. */
export interface Post {
  /** Asks the pool-manager: whichever of its processes the message happens to reach. */
  ask(from: string, ask: Ask): void;
  /** Asks the registry what is ready. */
  pull(from: string, take: (version: number, tasks: readonly Ready[]) => void): void;
  /** Hands a granted lease to its runner. */
  work(from: string, lease: Lease): void;
}
