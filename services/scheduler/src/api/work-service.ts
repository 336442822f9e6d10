import { FieldCheck, PushStream, ReasonError } from "@berth/chassis/grpc";
import type { runner } from "@berth/contracts";
import type { Dispatcher } from "../engine/dispatcher.js";

/** Messages that may wait for one slow runner; more and its stream is ended. */
const messagesMost = 1_000;
const pollItems = { most: 500, usual: 100 };
const pollWaitMostMs = 30_000;

/** The runners' side of the scheduler. */
export function workService(dispatcher: Dispatcher): runner.WorkServiceImplementation {
  return {
    async *streamWork(request, context) {
      checkRunner(request);
      const stream = new PushStream<{ work: runner.Work[] }>({ maxItems: messagesMost });
      const end = (): void => stream.end();
      context.signal.addEventListener("abort", end, { once: true });
      // Without it the runner's client wouldn't see that it is connected before the first work.
      context.sendHeader();
      const outlet = {
        push: (message: { work: runner.Work[] }): boolean => {
          const taken = stream.push(message);
          if (!taken && !stream.ended) stream.fail(tooSlow());
          return taken;
        },
        end,
      };
      dispatcher.attach(request.runner, request.incarnation, outlet);
      try {
        yield* stream;
      } finally {
        context.signal.removeEventListener("abort", end);
        dispatcher.detach(request.runner, outlet);
      }
    },

    async pollWork(request, context) {
      const { maxItems, wait } = request;
      checkRunner(request, (check) => check.range("max_items", maxItems, 0, pollItems.most));
      const waitMs = Math.min(pollWaitMostMs, Number(wait?.seconds ?? 0n) * 1_000 + (wait?.nanos ?? 0) / 1e6);
      const work = await dispatcher.poll(
        request.runner,
        request.incarnation,
        maxItems || pollItems.usual,
        Math.max(0, waitMs),
        context.signal,
      );
      return { work };
    },
  };
}

function tooSlow(): ReasonError {
  const message = `the reader of the work is too slow, ${messagesMost} messages wait: open the stream again; what wasn't received is sent anew`;
  return new ReasonError("READER_TOO_SLOW", message, { retryAfterMs: 1_000 });
}

function checkRunner(
  { runner: name, incarnation }: { runner: string; incarnation: string },
  more?: (check: FieldCheck) => void,
): void {
  const check = new FieldCheck().name("runner", name).length("incarnation", incarnation, 1, 128);
  more?.(check);
  check.throwIfAny();
}
