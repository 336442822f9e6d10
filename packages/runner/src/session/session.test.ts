import { setImmediate } from "node:timers/promises";
import { ManualClock } from "@berth/chassis/clock";
import { PushStream } from "@berth/chassis/grpc";
import { silentLogger } from "@berth/chassis/log";
import { runner } from "@berth/contracts";
import { expect, test } from "vitest";
import { Leases } from "../domain/leases.js";
import { duration } from "../testing/stand-in.js";
import { Session } from "./session.js";

test("each answered attachment moves the deadline from when that one was sent, however many are on their way", async () => {
  const clock = new ManualClock();
  const answers = new PushStream<runner.StreamLeasesResponse>();
  const deadlines: number[] = [];
  let sent = 0;
  const session = new Session({
    runner: "r",
    clock,
    logger: silentLogger,
    leases: new Leases(),
    link: {
      open: (requests, signal) => {
        signal.addEventListener("abort", () => answers.end(), { once: true });
        void (async () => {
          for await (const { kind } of requests) if (kind?.$case === "attach") sent++;
        })();
        return answers;
      },
      isRefused: () => false,
    },
    offer: () => ({ pools: [], capacity: 1, labels: {}, handlers: [] }),
    now: () => ({ monoMs: clock.monoMs(), bootMs: undefined }),
    newIncarnation: () => ({ id: "i", startNumber: 1 }),
    isDraining: () => false,
    graceMs: () => 0,
    onBegin: async () => undefined,
    onAttached: () => undefined,
    onDeadline: (leftMs) => deadlines.push(clock.monoMs() + leftMs),
    onNearDeadline: () => undefined,
    onEnd: async () => undefined,
    onRevoked: () => undefined,
    onConfirmed: () => undefined,
  });
  const sees = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await setImmediate();
  };
  const answer = (): void => {
    const value = runner.AttachRunnerResponse.fromPartial({
      runnerTtl: duration(60_000),
      renewInterval: duration(50_000),
    });
    answers.push({ kind: { $case: "attach", value } });
  };
  const beganMs = clock.monoMs();
  session.start();
  await sees(() => sent === 1);
  await clock.advance(1_000);
  session.announce();
  await sees(() => sent === 2);
  await clock.advance(1_000);
  answer();
  await sees(() => deadlines.length === 1);
  answer();
  await sees(() => deadlines.length === 2);
  expect(deadlines.map((deadline) => deadline - beganMs)).toEqual([60_000, 61_000]);
  await session.stop();
});
