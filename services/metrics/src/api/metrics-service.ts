import type { Clock } from "@berth/chassis/clock";
import { FieldCheck, ReasonError } from "@berth/chassis/grpc";
import type { metrics } from "@berth/contracts";
import { type Point, rolledUp } from "../domain/roll-up.js";
import type { SampleStore } from "../engine/store.js";

const pageItems = { most: 5_000, usual: 500 };
/** Most points that one answer reads: a day of samples a second and a month of minutes. */
const readMost = 200_000;
const hourMs = 3_600_000;

/** Answers from the history. */
export function metricsService(store: SampleStore, clock: Clock): metrics.MetricsServiceImplementation {
  return {
    async getConcurrency() {
      const last = await store.latest();
      if (!last)
        throw new ReasonError(
          "NOT_READY",
          "no sample has been taken yet: the pool-manager hasn't answered since the data began; try again in a few seconds",
          { retryAfterMs: 1_000 },
        );
      const sampleTime = new Date(last.wallMs);
      const samples = last.limits.map(({ limit, used, capacity }) => ({
        limit,
        sampleTime,
        used,
        usedMax: BigInt(used),
        capacity: BigInt(capacity),
      }));
      return { revision: BigInt(last.revision), sampleTime, samples, queueSize: BigInt(last.queueSize) };
    },

    async listSamples({ limit, fromTime, toTime, step, pageSize, pageToken }) {
      const stepMs = step === undefined ? 0 : Number(step.seconds) * 1_000 + step.nanos / 1e6;
      const toMs = toTime?.getTime() ?? clock.wallMs() + 1;
      const check = new FieldCheck()
        .length("limit", limit, 1, 127)
        .range("page_size", pageSize, 0, 2 ** 31 - 1)
        .that(
          step === undefined || stepMs >= 1,
          "step",
          `${stepMs} ms is too short: 1 ms or more, or leave it out for the samples as they are stored`,
        )
        .that(
          pageToken === "" || /^\d{1,16}$/.test(pageToken),
          "page_token",
          "isn't one of this method: pass on next_page_token unchanged",
        );
      check.throwIfAny();
      const fromMs = pageToken === "" ? (fromTime?.getTime() ?? clock.wallMs() - hourMs) : Number(pageToken);
      const most = Math.min(pageItems.most, pageSize || pageItems.usual);
      // As stored, no more than a page has to be read; the one behind it tells where the next begins.
      const points = await store.read(limit, fromMs, toMs, stepMs > 0 ? readMost : most + 1);
      const spans = stepMs > 0 ? rolledUp(points, stepMs) : points;
      const next = spans[most];
      return {
        samples: spans.slice(0, most).map((point) => sampleOf(limit, point)),
        nextPageToken: next ? String(Math.ceil(next.wallMs)) : "",
      };
    },
  };
}

function sampleOf(limit: string, { wallMs, usedSum, samples, usedMax, capacity }: Point): metrics.Sample {
  return {
    limit,
    sampleTime: new Date(wallMs),
    used: usedSum / samples,
    usedMax: BigInt(usedMax),
    capacity: BigInt(capacity),
  };
}
