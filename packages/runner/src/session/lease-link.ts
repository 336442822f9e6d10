import type { runner } from "@berth/contracts";

/** The runner's end of the lease stream. */
export interface LeaseLink {
  /** Opens a stream; it ends or throws when it breaks, and when `signal` aborts. */
  open(
    requests: AsyncIterable<runner.StreamLeasesRequest>,
    signal: AbortSignal,
  ): AsyncIterable<runner.StreamLeasesResponse>;
  /** True if the error says that the incarnation isn't known or is an older one: the session is over. */
  isRefused(error: unknown): boolean;
}
