import { FieldCheck, limitPattern, ReasonError } from "@berth/chassis/grpc";
import type { pool, runner as wire } from "@berth/contracts";
import { limitBounds } from "../domain/bounds.js";

/** Most items in one message. */
export const itemsMax = 1_000;
const intMax = 2 ** 31 - 1;
const { unitsMax } = limitBounds;
/** Most handlers that a runner may have, and most characters of a handler's name. */
const handlersMax = 256;
const handlerNameMax = 128;

/** Throws what the domain refused. */
export function orThrow<Answer>(answer: Answer): Exclude<Answer, { readonly refused: unknown }> {
  if (typeof answer === "object" && answer !== null && "refused" in answer) {
    const { refused, message, field } = answer as unknown as {
      refused: ConstructorParameters<typeof ReasonError>[0];
      message: string;
      field?: string;
    };
    throw new ReasonError(
      refused,
      field ? `${field}: ${message}` : message,
      field ? { fields: [{ field, description: message }] } : {},
    );
  }
  return answer as Exclude<Answer, { readonly refused: unknown }>;
}

/** Checks one bid. `named` is false where task and attempt may be empty. */
export function checkBid(check: FieldCheck, at: string, bid: pool.Bid, named = true): FieldCheck {
  if (named) check.length(`${at}.task`, bid.task, 1, 256).range(`${at}.attempt`, bid.attempt, 1, intMax);
  check.length(`${at}.pools`, bid.pools, bid.runner === "" ? 1 : 0, 16);
  for (const [i, name] of bid.pools.entries()) check.name(`${at}.pools[${i}]`, name);
  check.that(new Set(bid.pools).size === bid.pools.length, `${at}.pools`, "a pool is named twice: name each once");
  check.length(`${at}.labels`, Object.keys(bid.labels), 0, 16);
  check.length(`${at}.weights`, bid.weights, 0, 16);
  bid.weights.forEach(({ limit, weight }, i) => {
    check
      .name(`${at}.weights[${i}].limit`, limit, limitPattern)
      .range(`${at}.weights[${i}].weight`, weight, 1, unitsMax);
    const byItself = limit === "global" || /^(pool|runner|tenant):/.test(limit);
    check.that(!byItself, `${at}.weights[${i}].limit`, `${limit} is added automatically: leave it out`);
  });
  if (bid.tenant !== "") check.name(`${at}.tenant`, bid.tenant);
  if (bid.runner !== "") check.name(`${at}.runner`, bid.runner);
  check.range(`${at}.rank`, bid.rank, -unitsMax, unitsMax).range(`${at}.overtaken`, bid.overtaken, 0, unitsMax);
  check.range(`${at}.cpu_millis`, bid.cpuMillis, 0, unitsMax).range(`${at}.memory_bytes`, bid.memoryBytes, 0, unitsMax);
  check.length(`${at}.handler`, bid.handler, 0, handlerNameMax);
  return check.length(`${at}.trace_parent`, bid.traceParent, 0, 128);
}

/** Checks the handlers that a runner says it has. */
export function checkHandlers(check: FieldCheck, handlers: readonly string[]): FieldCheck {
  check.length("handlers", handlers, 0, handlersMax);
  for (const [i, name] of handlers.slice(0, handlersMax).entries())
    check.length(`handlers[${i}]`, name, 1, handlerNameMax);
  return check.that(new Set(handlers).size === handlers.length, "handlers", "a handler is named twice: name each once");
}

/** Checks the names that every runner's call carries. */
export function checkRunner(check: FieldCheck, request: { runner: string; incarnation: string }): FieldCheck {
  return check.name("runner", request.runner).length("incarnation", request.incarnation, 1, 64);
}

/** Checks an outcome. */
export function checkOutcome(check: FieldCheck, at: string, outcome: wire.Outcome | undefined): FieldCheck {
  if (!outcome) return check.that(false, at, "is missing: an ended run needs its outcome");
  check.that(outcome.result !== "RESULT_UNSPECIFIED", `${at}.result`, "is missing: say how the run ended");
  check.length(`${at}.message`, outcome.message, 0, 4_096).length(`${at}.signal`, outcome.signal, 0, 32);
  check.length(`${at}.result_json`, outcome.resultJson, 0, 262_144);
  return check.range(`${at}.output_bytes`, outcome.outputBytes, 0, unitsMax);
}

/** A page size by the rules of all lists: default 100, more than 1,000 is taken as 1,000, negative is refused. */
export function pageSize(size: number, standard = 100): number {
  new FieldCheck().range("page_size", size, 0, intMax).throwIfAny();
  return size === 0 ? standard : Math.min(size, itemsMax);
}

/** Reads a page token that {@link pageToken} made. */
export function readPageToken(token: string): string {
  if (token === "") return "";
  const text = Buffer.from(token, "base64url").toString("utf8");
  if (!text.startsWith("p1 "))
    throw new ReasonError("INVALID_FIELD", "page_token: isn't one that this service gave: start without one", {
      fields: [{ field: "page_token", description: "isn't one that this service gave" }],
    });
  return text.slice(3);
}

/** Makes a page token of what comes next; empty at the end. */
export function pageToken(next: string | number | undefined): string {
  return next === undefined ? "" : Buffer.from(`p1 ${next}`).toString("base64url");
}
