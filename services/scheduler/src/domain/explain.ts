import type { Phase } from "./entry.js";

/** One thing that refuses a task's bid, as the pool-manager names it. */
export interface RefusalFacts {
  /** Such as `LIMIT_FULL`. */
  readonly reason: string;
  readonly limit: string;
  readonly pool: string;
  readonly wanted: number;
  readonly used: number;
  readonly capacity: number;
  /** Tasks that hold it, oldest first. */
  readonly holders: readonly string[];
  /** Handler that is missing; empty where none is. */
  readonly handler: string;
  /** Runners that fit but for the handler, and the first handlers of each. */
  readonly attached: readonly {
    readonly runner: string;
    readonly handlers: readonly string[];
    readonly handlerCount: number;
  }[];
}

/** What the line is made of. */
export interface ExplainFacts {
  readonly phase: Phase;
  /** Tasks of its class that go before it. */
  readonly ahead: number;
  readonly refusals: readonly RefusalFacts[];
  /** Runner that holds its lease, where granted. */
  readonly runner: string;
  /** What the pool-manager said, where aside. */
  readonly message: string;
}

const holdersShown = 3;
const runnersShown = 3;
const handlersShown = 5;

/** Why a task isn't running, in one line for people. */
export function explain({ phase, ahead, refusals, runner, message }: ExplainFacts): string {
  if (phase === "granted") return `has a lease on runner \`${runner}\`, which is to start it`;
  if (phase === "recovering") return "has a lease; the scheduler is asking the pool-manager for it";
  if (phase === "aside")
    return `the pool-manager refused its bid for good (${message || "without a reason"}); it will be tried again in a while`;
  const causes = refusals.map(cause);
  const why =
    causes.length > 0
      ? `waits for ${causes.join(", and for ")}`
      : ahead > 0
        ? "waits for its turn"
        : "is about to be granted: nothing refuses it";
  if (ahead === 0) return why;
  return `${why}; ${ahead} ${ahead === 1 ? "task" : "tasks"} of its kind ${ahead === 1 ? "is" : "are"} ahead`;
}

function cause(refusal: RefusalFacts): string {
  const { reason, limit, pool, wanted, used, capacity } = refusal;
  const what = thing(limit, pool);
  switch (reason) {
    case "LIMIT_FULL":
      return `${what} (${used} of ${capacity} in use${heldBy(refusal)}${wanted > 1 ? `; it needs ${wanted}` : ""})`;
    case "LIMIT_TOO_SMALL":
      return `${what} to be raised: it needs ${wanted}, and there are only ${capacity}`;
    case "KEPT_FOR_ANOTHER":
      return `${what}: what is free is kept for a task that was overtaken too often`;
    case "RESERVED":
      return `${what}: what is free is reserved for higher priorities`;
    case "RATE_SPENT":
      return `${what}: its starts for this period are spent`;
    case "NO_RUNNER":
      return `a runner${pool ? ` of pool \`${pool}\`` : ""} with its labels: none is attached`;
    case "NO_HANDLER":
      return `a runner${pool ? ` of pool \`${pool}\`` : ""}: no attached runner has handler \`${refusal.handler}\`; attached: ${attachedHandlers(refusal)}`;
    case "RUNNERS_FULL":
      return `a runner${pool ? ` of pool \`${pool}\`` : ""}: all that fit are full${heldBy(refusal)}`;
    case "POOL_PAUSED":
      return `pool \`${pool}\` to be resumed: it is paused`;
    case "NO_SLOT":
      return `a slot of pool \`${pool}\`: all are taken${heldBy(refusal)}`;
    case "GRANTING_STOPPED":
      return "the pool-manager to grant again: granting has stopped for all (GetStatus says why)";
    default:
      return `${what} (${reason})`;
  }
}

function thing(limit: string, pool: string): string {
  if (limit === "") return pool === "" ? "the pool-manager" : `pool \`${pool}\``;
  if (limit === "global") return "the global limit";
  const [kind, name, part] = limit.split(":");
  if (kind === "pool" && name) return part ? `${part} of pool \`${name}\`` : `pool \`${name}\``;
  if ((kind === "tenant" || kind === "runner") && name) return `${kind} \`${name}\``;
  return `limit \`${limit}\``;
}

/** Such as: `a`, `b` (on runner `r1`), none (on runner `r2`). */
function attachedHandlers({ attached }: RefusalFacts): string {
  if (attached.length === 0) return "none";
  const shown = attached.slice(0, runnersShown).map(({ runner, handlers, handlerCount }) => {
    const names = handlers.slice(0, handlersShown).map((name) => `\`${name}\``);
    const more = handlerCount > names.length ? [`${handlerCount - names.length} more`] : [];
    return `${[...names, ...more].join(", ") || "none"} (on runner \`${runner}\`)`;
  });
  return [...shown, ...(attached.length > runnersShown ? ["…"] : [])].join(", ");
}

function heldBy({ holders }: RefusalFacts): string {
  if (holders.length === 0) return "";
  const shown = holders.slice(0, holdersShown).join(", ");
  return ` by ${shown}${holders.length > holdersShown ? ", …" : ""}`;
}
