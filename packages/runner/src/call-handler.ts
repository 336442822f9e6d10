// `@berth/runner/testing`: for programs that test their handlers. What the tests of this package need is in `testing/`.
import { describe } from "@berth/chassis/errors";
import { runner } from "@berth/contracts";
import { outcomeOf, type Stop } from "./domain/outcome.js";
import { traceContextOf } from "./domain/trace-context.js";
import { HandlerCall } from "./executors/handler-call.js";
import { resultBytesMax } from "./executors/result.js";
import type { Handler, HandlerTask } from "./handlers.js";

/** What a handler is called with; everything has a default. */
export interface CallOptions<Payload = unknown> extends Partial<Omit<HandlerTask, "payload">> {
  /** The task's payload: it goes through JSON, as it does on its way to a runner. At most 256 KiB of it. Default none: the handler sees null. */
  readonly payload?: Payload;
  /** Aborts the handler's own signal, as a cancelled task or a time-out does. Its reason is the error then. */
  readonly signal?: AbortSignal;
}

/** What came of a call. */
export interface CalledHandler {
  /** The result, through JSON, as a client would get it; undefined if it returned nothing or failed. */
  readonly result: unknown;
  /** Why the attempt has failed or was stopped, in the words that `berth task` would show; undefined if it succeeded. */
  readonly error: string | undefined;
  /** True if the attempts left wouldn't be spent: it threw a {@link PermanentError}, or its result can't be kept. */
  readonly permanent: boolean;
  /** What it said of its progress, as it would be shown: fractions from 0 to 1, and at most 256 characters. */
  readonly progress: readonly { readonly fraction: number; readonly message: string }[];
  /** What it logged. */
  readonly output: string;
}

/**
 * Calls a handler as Berth would, without a Berth: the payload and the result go through JSON and their bounds, and whatever is thrown is an error
 * in words. Settles when the handler has ended; an aborted one too, whose result counts no more.
 *
 * @throws RangeError if the payload is larger than a task's may be, TypeError if it can't be written as JSON.
 */
export async function callHandler<Payload = unknown>(
  handler: Handler<Payload>,
  { payload, signal, ...task }: CallOptions<Payload> = {},
): Promise<CalledHandler> {
  const progress: { fraction: number; message: string }[] = [];
  const output: Buffer[] = [];
  const called: Handler = (its, context) => {
    // The handler begins while the call is being made: there is no other moment to abort before it.
    if (signal?.aborted) (context as HandlerCall).stop(reasonOf(signal));
    return handler(its as HandlerTask<Payload>, context);
  };
  const work = workOf(task, payload);
  const call = new HandlerCall(work, traceContextOf(work), called, {
    heartbeat: () => {},
    progress: (fraction, message) => void progress.push({ fraction, message }),
    output: (data) => void output.push(data),
  });
  const stop = (): void => call.stop(reasonOf(signal));
  if (signal?.aborted) stop();
  signal?.addEventListener("abort", stop, { once: true });
  const ending = await call.ended;
  signal?.removeEventListener("abort", stop);
  const stopped: Stop | undefined = signal?.aborted
    ? { result: "RESULT_STOPPED", message: reasonOf(signal) }
    : undefined;
  const outcome = outcomeOf(ending, stopped, { startWallMs: undefined, endWallMs: 0, outputBytes: 0 });
  return {
    result: outcome.resultJson.length === 0 ? undefined : JSON.parse(outcome.resultJson.toString()),
    error: outcome.result === runner.Outcome_Result.SUCCEEDED ? undefined : outcome.message,
    permanent: outcome.permanent,
    progress,
    output: Buffer.concat(output).toString(),
  };
}

const payloadBytesMax = resultBytesMax;

function workOf(task: Partial<Omit<HandlerTask, "payload">>, payload: unknown): runner.Work {
  const payloadJson = Buffer.from(JSON.stringify(payload) ?? "");
  if (payloadJson.length > payloadBytesMax)
    throw new RangeError(`the payload has ${payloadJson.length} bytes of JSON; at most ${payloadBytesMax} are taken`);
  return runner.Work.fromPartial({
    task: "set/task",
    attempt: 1,
    pool: "default",
    slot: "runner/0",
    lease: "lease",
    token: 1n,
    ...task,
    run: { kind: { $case: "handler", value: { name: "handler", payloadJson } } },
  });
}

function reasonOf(signal: AbortSignal | undefined): string {
  return describe(signal?.reason);
}
