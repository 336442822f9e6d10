import type { Bus } from "@berth/chassis/bus";
import { describe } from "@berth/chassis/errors";
import type { Logger } from "@berth/chassis/log";
import { type runner, subjects } from "@berth/contracts";

const batchMax = 1_000;

/** Broadcasts completions in parallel with the lease stream; whichever arrives first decides. Nothing rests on it. */
export function broadcast(
  bus: Bus,
  from: { readonly runner: string; readonly incarnation: string },
  all: readonly runner.Completion[],
  logger: Logger,
): void {
  // Nobody believes a broadcast without a proof.
  const completions = all.filter(({ proof }) => proof.length > 0);
  for (let at = 0; at < completions.length; at += batchMax) {
    const batch = { ...from, completions: completions.slice(at, at + batchMax) };
    const traceParents = () => batch.completions.map(({ traceParent }) => traceParent);
    bus
      .publish(subjects.completion, batch, { traceParents })
      .catch((error) => logger.debug({ error: describe(error, { named: true }) }, "completions couldn't be broadcast"));
  }
}
