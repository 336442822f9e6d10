import { ManualClock } from "@berth/chassis/clock";
import { silentLogger } from "@berth/chassis/log";
import { noTelemetry, type Telemetry } from "@berth/chassis/telemetry";
import { runner } from "@berth/contracts";
import { describe, expect, it } from "vitest";
import { ready } from "../domain/fixtures.js";
import type { Assignment } from "../domain/task.js";
import { Handout } from "./handout.js";
import { Runs } from "./runs.js";
import { AssignTracer } from "./tracing.js";

const grant = (n: number) => ({
  lease: `l${n}`,
  token: BigInt(n),
  pool: "build",
  runner: "r1",
  incarnation: "i1",
  slot: "r1/1",
  active: true,
  traceParent: "",
  secret: Buffer.from("s"),
});
const assignments = (count: number): Assignment[] =>
  Array.from({ length: count }, (_, index) => ({
    task: ready(index, { traceParent: "00-parent" }),
    grant: grant(index),
  }));

function world(stdinBytes: number, tracer = new AssignTracer(noTelemetry)) {
  const clock = new ManualClock();
  const run = runner.Run.fromPartial({ stdin: Buffer.alloc(stdinBytes) });
  const source = { listRuns: async (tasks: readonly string[]) => tasks.map((task) => ({ task, run })) };
  const runs = new Runs({ source, clock, logger: silentLogger, cacheBytes: 1_000_000_000 });
  const noted: number[] = [];
  let wanted = 0;
  const handout = new Handout({
    runs,
    tracer,
    noteMessage: (items) => noted.push(items),
    flushSoon: () => void wanted++,
  });
  const messages: runner.Work[][] = [];
  let ended = 0;
  const stream = { push: ({ work }: { work: runner.Work[] }) => messages.push(work) < 100, end: () => void ended++ };
  return { clock, handout, stream, messages, noted, wanted: () => wanted, ended: () => ended };
}

describe("handing out", () => {
  it("puts all of a turn in as few messages as fit, at most 500 items each", async () => {
    const { clock, handout, stream, messages, noted, wanted } = world(0);
    handout.attach("r1", "i1", stream);
    handout.give(assignments(1_200));
    await clock.advance(0);
    handout.flush();
    expect(messages.map((work) => work.length)).toEqual([500, 500, 200]);
    expect(noted).toEqual([500, 500, 200]);
    expect(wanted()).toBeGreaterThan(0);
  });

  it("keeps every message within 2 MiB", async () => {
    const { clock, handout, stream, messages } = world(200_000);
    handout.attach("r1", "i1", stream);
    handout.give(assignments(25));
    await clock.advance(0);
    handout.flush();
    for (const work of messages)
      expect(runner.StreamWorkResponse.encode({ work }).finish().length).toBeLessThanOrEqual(2 * 1024 * 1024);
    expect(messages.flat()).toHaveLength(25);
  });

  it("keeps nothing for a runner without a stream, or of another incarnation", async () => {
    const { clock, handout, stream, messages } = world(0);
    handout.give(assignments(1));
    handout.attach("r1", "i2", stream);
    handout.give(assignments(1));
    await clock.advance(0);
    handout.flush();
    expect(messages).toEqual([]);
  });

  it("ends the stream that a runner had before, and lets go only of the one it has", () => {
    const { handout, stream, ended } = world(0);
    handout.attach("r1", "i1", stream);
    const newer = { push: () => true, end: () => undefined };
    handout.attach("r1", "i1", newer);
    expect(ended()).toBe(1);
    handout.detach("r1", stream);
    expect(handout.streams).toBe(1);
    handout.detach("r1", newer);
    expect(handout.streams).toBe(0);
  });

  it("passes on the trace of the grant, or that of the submission where there is none, and ends the span of the bid", () => {
    const run = runner.Run.fromPartial({});
    const [assignment] = assignments(1) as [Assignment];
    expect(world(0).handout.workOf(assignment, run).traceParent).toBe("00-parent");
    const spans: unknown[] = [];
    const telemetry: Telemetry = {
      ...noTelemetry,
      enabled: true,
      startSpan: (name, options) => {
        spans.push([name, options?.parent]);
        return { ...noTelemetry.startSpan(name), traceParent: "00-assign", end: () => void spans.push("end") };
      },
    };
    const tracer = new AssignTracer(telemetry);
    expect([tracer.bidding(assignment.task), tracer.bidding(assignment.task)]).toEqual(["00-assign", "00-assign"]);
    const granted = { ...assignment, grant: { ...assignment.grant, traceParent: "00-grant" } };
    expect(world(0, tracer).handout.workOf(granted, run).traceParent).toBe("00-grant");
    expect(spans).toEqual([["assign", "00-parent"], "end"]);
  });
});
