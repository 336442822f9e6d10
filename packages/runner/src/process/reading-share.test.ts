import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { ManualClock } from "@berth/chassis/clock";
import { afterEach, expect, it } from "vitest";
import { ReadingShare, turnBytesMax, turnMs } from "./reading-share.js";

const writers: ChildProcess[] = [];
afterEach(async () => {
  const ended = writers.map((writer) => once(writer, "exit"));
  for (const writer of writers.splice(0)) writer.kill("SIGKILL");
  await Promise.all(ended);
});

const pieceBytes = 64 * 1024;

it("endless writers together are read no further than one turn's share and a piece of each, and go on in the next turn", async () => {
  const clock = new ManualClock();
  const share = new ReadingShare(clock);
  let read = 0;
  const pipes = Array.from({ length: 5 }, () => {
    const writer = spawn("yes", { stdio: ["ignore", "pipe", "ignore"] });
    writers.push(writer);
    writer.stdout.on("data", (data: Buffer) => {
      read += data.length;
      share.took(writer.stdout, data.length);
    });
    return writer.stdout;
  });
  for (let turn = 1; turn <= 20; turn++) {
    // A pipe that is paused has no event that would end the wait but its own pause.
    await Promise.all(pipes.map((pipe) => (pipe.isPaused() ? undefined : once(pipe, "pause"))));
    expect(read).toBeGreaterThanOrEqual(turn * turnBytesMax);
    expect(read).toBeLessThanOrEqual(turn * (turnBytesMax + pipes.length * pieceBytes));
    await clock.advance(turnMs);
  }
});
