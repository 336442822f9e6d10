import type { ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";
import { type Clock, delay, type Timer } from "@berth/chassis/clock";
import type { ProcessEnding } from "../domain/outcome.js";
import { groupAlive, send, startOf } from "../guard/processes.mjs";
import type { ReadingShare } from "./reading-share.js";
import type { Sweeper } from "./sweeper.js";

/** What a process run needs. */
export interface ProcessRunOptions {
  readonly clock: Clock;
  readonly sweeper: Sweeper;
  /** What its pipes share with those of the other runs. */
  readonly share: ReadingShare;
  /** Called before anything else, with the group and the start time of its leader. */
  onBegin(group: number, start: string): void;
  /** Called when the group is empty. */
  onGone(group: number): void;
  /** Called with every piece of output. */
  onOutput(data: Buffer, stderr: boolean): void;
  /** Called when the leader has ended, before what it left behind is killed. */
  onLeaderEnded(): void;
}

const emptyGroupMs = 2;
const emptyGroupMaxMs = 200;
const lastOutput = { quietMs: 500, roundsMax: 10 };

/** One process and everything it starts: a run is over only when its last process is. */
export class ProcessRun {
  private readonly child: ChildProcess;
  private readonly options: ProcessRunOptions;
  private readonly group: number;
  private grace: Timer | undefined;
  private killAtMs = Number.POSITIVE_INFINITY;
  private over = false;
  private outputBytes = 0;
  /** How it ended; settles when every process of it is dead and its output read. */
  readonly ended: Promise<ProcessEnding>;

  /** Takes over a process that has just been launched. Synchronous, so that no event of it is missed. */
  constructor(child: ChildProcess, options: ProcessRunOptions) {
    this.child = child;
    this.options = options;
    this.group = child.pid as number;
    options.onBegin(this.group, startOf(this.group));
    const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
    this.read(child.stdout, false);
    this.read(child.stderr, true);
    this.ended = new Promise((resolve, reject) => {
      child.once("exit", (code, signal) => {
        const ending: ProcessEnding =
          code === null ? { kind: "signalled", signal: signal ?? "SIGKILL" } : { kind: "exited", code };
        this.finish(closed).then(() => resolve(ending), reject);
      });
    });
  }

  /** Asks the whole group to end, and kills it after `graceMs`. Later calls can only shorten the grace. */
  stop(graceMs: number): void {
    if (this.over) return;
    send(-this.group, "SIGTERM");
    // A stopped process (SIGSTOP) would otherwise not see it.
    send(-this.group, "SIGCONT");
    const killAtMs = this.options.clock.monoMs() + graceMs;
    if (killAtMs >= this.killAtMs) return;
    this.killAtMs = killAtMs;
    this.grace?.cancel();
    this.grace = this.options.clock.setTimer(graceMs, () => this.kill());
  }

  /** Kills the whole group. */
  kill(): void {
    if (!this.over) send(-this.group, "SIGKILL");
  }

  private read(pipe: Readable | null, stderr: boolean): void {
    pipe?.on("data", (data: Buffer) => {
      this.outputBytes += data.length;
      this.options.onOutput(data, stderr);
      this.options.share.took(pipe, data.length);
    });
  }

  /** Every writer is dead; what is in the pipes is read. Only if somebody unmarked still holds them is the quiet, not the close, the end. */
  private async readLastOutput(closed: Promise<void>): Promise<void> {
    for (let round = 0; round < lastOutput.roundsMax; round++) {
      const before = this.outputBytes;
      const patience = new AbortController();
      const quiet = delay(this.options.clock, lastOutput.quietMs, patience.signal).then(
        // After a blocked event loop timers come before what the pipes hold: let those be read before it counts as quiet.
        () => new Promise<void>((resolve) => setImmediate(resolve)),
      );
      const isClosed = await Promise.race([closed.then(() => true), quiet.then(() => false)]);
      patience.abort();
      if (isClosed || this.outputBytes === before) return;
    }
  }

  private async finish(closed: Promise<void>): Promise<void> {
    const { clock, sweeper } = this.options;
    this.options.onLeaderEnded();
    this.grace?.cancel();
    for (
      let waitMs = emptyGroupMs;
      send(-this.group, "SIGKILL") && groupAlive(this.group);
      waitMs = Math.min(waitMs * 2, emptyGroupMaxMs)
    ) {
      await delay(clock, waitMs);
    }
    this.over = true;
    await sweeper.sweep();
    this.options.onGone(this.group);
    await this.readLastOutput(closed);
    this.child.stdout?.destroy();
    this.child.stderr?.destroy();
  }
}
