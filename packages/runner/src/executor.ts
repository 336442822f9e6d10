import type { ChildProcess } from "node:child_process";
import type { Clock, Timer } from "@berth/chassis/clock";
import { describe, isA } from "@berth/chassis/errors";
import type { Telemetry, TraceSpan } from "@berth/chassis/telemetry";
import type { runner } from "@berth/contracts";
import { completionOf } from "./domain/completion.js";
import { type RunnerIdentity, runEnvironment } from "./domain/environment.js";
import { type Ending, outcomeOf, type Stop } from "./domain/outcome.js";
import { addTraceContext, traceContextOf } from "./domain/trace-context.js";
import type { GuardKeeper } from "./guard/keeper.js";
import { send } from "./guard/processes.mjs";
import { type Handler, HandlerRun } from "./handlers.js";
import type { LogSender, RunOutput } from "./output/sender.js";
import { launch, NotStarted, takeSecrets } from "./process/launch.js";
import { ProcessRun } from "./process/process-run.js";
import { ReadingShare } from "./process/reading-share.js";
import { Sweeper } from "./process/sweeper.js";

/** What an executor needs. */
export interface ExecutorOptions {
  readonly clock: Clock;
  readonly keeper: GuardKeeper;
  readonly sender: LogSender;
  readonly telemetry: Telemetry;
  readonly handlers: ReadonlyMap<string, Handler>;
  /** The runner's own environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly envAllow: readonly string[];
  /** Directory that a run's relative one is taken from. */
  readonly folder: string;
  readonly secretsFolder: string | undefined;
  identity(): RunnerIdentity;
  /** True if the session's deadline has passed: nothing may start, and what the guard killed has been stopped. */
  deadlinePassed(): boolean;
  onBegin(lease: string): void;
  onEnd(completion: runner.Completion): void;
}

/** How one run is to be started. */
export interface RunOptions {
  /** True gives a process the runner's own standard streams; its output isn't kept then. */
  readonly inherit?: boolean;
}

interface Run {
  readonly work: runner.Work;
  readonly inherit: boolean;
  output: RunOutput | undefined;
  process: ProcessRun | undefined;
  handler: HandlerRun | undefined;
  stop: Stop | undefined;
  /** True once the leader process is dead or the handler has returned. */
  leaderEnded: boolean;
  startWallMs: number | undefined;
  span: TraceSpan | undefined;
  beatMonoMs: number;
  readonly timers: Set<Timer>;
}

const graceMsDefault = 5_000;
const graceMsMax = 60_000;

/** Runs work, one process group or handler call for each, and states how it ended. */
export class Executor {
  private readonly options: ExecutorOptions;
  private readonly runs = new Map<string, Run>();
  private readonly sweeper: Sweeper;
  private readonly share: ReadingShare;
  private idleWaiters: (() => void)[] = [];

  constructor(options: ExecutorOptions) {
    this.options = options;
    this.share = new ReadingShare(options.clock);
    this.sweeper = new Sweeper({
      clock: options.clock,
      incarnation: () => options.identity().incarnation,
      isAlive: (lease) => this.runs.get(lease)?.leaderEnded === false,
    });
  }

  /** Runs that haven't ended. */
  get count(): number {
    return this.runs.size;
  }

  /** Longest grace that any run wants, milliseconds. */
  get graceMs(): number {
    let longest = 0;
    for (const { work } of this.runs.values()) longest = Math.max(longest, graceOf(work));
    return longest;
  }

  /** Starts a run; its end comes by `onEnd`, whatever happens. */
  start(work: runner.Work, { inherit = false }: RunOptions = {}): void {
    const run: Run = {
      work,
      inherit,
      output: undefined,
      process: undefined,
      handler: undefined,
      stop: undefined,
      leaderEnded: false,
      startWallMs: undefined,
      span: undefined,
      beatMonoMs: 0,
      timers: new Set(),
    };
    this.runs.set(work.lease, run);
    void this.run(run);
  }

  /** Stops one run: SIGTERM or abort, then SIGKILL after its grace. False if there is no such run. */
  stop(lease: string, stop: Stop): boolean {
    const run = this.runs.get(lease);
    if (!run) return false;
    this.stopRun(run, stop, graceOf(run.work));
    return true;
  }

  /** Stops all runs, with at most `graceMs` of grace; 0 kills at once. */
  stopAll(stop: Stop, graceMs: number): void {
    for (const run of this.runs.values()) this.stopRun(run, stop, Math.min(graceMs, graceOf(run.work)));
  }

  /** Stops processes at once and leaves handlers alone: the guard has died. */
  killProcesses(stop: Stop): void {
    for (const run of this.runs.values()) if (run.process) this.stopRun(run, stop, 0);
  }

  /** Waits until no run is alive. */
  idle(): Promise<void> {
    if (this.runs.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.idleWaiters.push(resolve));
  }

  /** Kills what carries the session's marker and belongs to no living run. */
  sweep(): Promise<void> {
    return this.sweeper.sweep();
  }

  private stopRun(run: Run, stop: Stop, graceMs: number): void {
    if (!run.leaderEnded) run.stop ??= stop;
    if (run.process) {
      if (graceMs > 0) run.process.stop(graceMs);
      else run.process.kill();
    }
    run.handler?.stop(stop.message);
  }

  private async run(run: Run): Promise<void> {
    const { clock, telemetry, deadlinePassed, onEnd } = this.options;
    let ending: Ending;
    try {
      ending =
        run.work.run?.kind?.$case === "handler"
          ? await this.runHandler(run, run.work.run.kind.value.name)
          : await this.runCommand(run);
    } catch (error) {
      ending = failedToRun(run, error);
    }
    const endWallMs = clock.wallMs();
    for (const timer of run.timers) timer.cancel();
    // Killed by the guard while this process stood still: nobody here has stopped it, and yet it didn't fail.
    if (ending.kind === "signalled" && !run.stop && deadlinePassed()) run.stop = stopForDeadline;
    // Output that can't be had to its end is no reason to keep the end of the run from being told.
    if (run.output && run.output.totalBytes > 0) await run.output.finish().catch(() => undefined);
    const outcome = outcomeOf(ending, run.stop, {
      startWallMs: run.startWallMs,
      endWallMs,
      outputBytes: run.output?.totalBytes ?? 0,
    });
    if (run.span) {
      run.span.setAttribute("berth.result", outcome.result);
      if (outcome.message !== "") run.span.fail(outcome.message);
      run.span.end(endWallMs);
    }
    this.runs.delete(run.work.lease);
    const traceParent = telemetry.enabled ? (run.span?.traceParent ?? run.work.traceParent) : "";
    onEnd(completionOf(run.work, outcome, traceParent));
    if (this.runs.size > 0) return;
    for (const resolve of this.idleWaiters.splice(0)) resolve();
  }

  private async runHandler(run: Run, name: string): Promise<Ending> {
    const { handlers, keeper, sender } = this.options;
    const handler = handlers.get(name);
    if (!handler) {
      const known = handlers.size === 0 ? "it has none" : `it has ${[...handlers.keys()].sort().join(", ")}`;
      // It was taken away while the work was on its way. Others may have it, so it isn't for good.
      throw new NotStarted(`this runner has no handler ${JSON.stringify(name)}; ${known}`, false);
    }
    if (!keeper.ready) await keeper.whenReady();
    this.begin(run);
    const { task, attempt } = run.work;
    const call = () =>
      new HandlerRun(run.work, traceContextOf(run.work, run.span?.traceParent), handler, {
        heartbeat: () => this.beat(run),
        progress: (fraction, message) => {
          const bounded = fraction > 0 ? Math.min(fraction, 1) : 0;
          sender.report({ task, attempt, fraction: bounded, message: message.slice(0, 256) });
        },
        log: (text) => this.outputOf(run).write(Buffer.from(text.endsWith("\n") ? text : `${text}\n`), false),
      });
    try {
      keeper.handlerBegan();
      run.handler = run.span ? run.span.run(call) : call();
      return await run.handler.ended;
    } finally {
      run.leaderEnded = true;
      keeper.handlerEnded();
    }
  }

  private async runCommand(run: Run): Promise<Ending> {
    const { keeper, environment, envAllow, folder, secretsFolder, identity } = this.options;
    if (!keeper.ready) await keeper.whenReady();
    const secrets = takeSecrets(run.work.run?.secrets ?? [], environment, secretsFolder);
    const env = runEnvironment(run.work, identity(), environment, envAllow, secrets);
    this.begin(run);
    addTraceContext(env, traceContextOf(run.work, run.span?.traceParent));
    let child: ChildProcess;
    try {
      child = await launch({ work: run.work, environment: env, folder, inherit: run.inherit });
    } catch (error) {
      // No process has come to be: this run never began.
      run.startWallMs = undefined;
      run.leaderEnded = true;
      throw error;
    }
    const process = this.supervise(run, child);
    run.process = process;
    if (run.stop) process.kill();
    return await process.ended;
  }

  /** Takes over a process that has begun. Where that fails, it is killed: nobody would ever look after it. */
  private supervise(run: Run, child: ChildProcess): ProcessRun {
    const { clock, keeper } = this.options;
    try {
      return new ProcessRun(child, {
        clock,
        keeper,
        sweeper: this.sweeper,
        share: this.share,
        onOutput: (data, stderr) => {
          this.beat(run);
          this.outputOf(run).write(data, stderr);
        },
        onLeaderEnded: () => {
          run.leaderEnded = true;
        },
      });
    } catch (error) {
      run.leaderEnded = true;
      if (child.pid !== undefined) send(-child.pid, "SIGKILL");
      throw error;
    }
  }

  /** The last look before anything starts. Throws if it mustn't. */
  private begin(run: Run): void {
    const { clock, deadlinePassed, onBegin, telemetry, identity } = this.options;
    if (run.stop) throw new NotStarted(run.stop.message, false);
    if (deadlinePassed()) throw new NotStarted("the runner's deadline had passed before the run could start", false);
    run.startWallMs = clock.wallMs();
    run.beatMonoMs = clock.monoMs();
    if (telemetry.enabled) {
      const { task, attempt, lease, pool, slot, traceParent } = run.work;
      run.span = telemetry.startSpan("run", {
        parent: traceParent,
        kind: "consumer",
        attributes: {
          "berth.task": task,
          "berth.attempt": attempt,
          "berth.lease": lease,
          "berth.pool": pool,
          "berth.slot": slot,
          "berth.runner": identity().runner,
        },
      });
    }
    const closeMs = milliseconds(run.work.run?.startToCloseTimeout);
    if (closeMs !== undefined) {
      this.setTimer(run, closeMs, () => this.timeOut(run, `the run took longer than its time-out of ${closeMs} ms`));
    }
    const silenceMs = milliseconds(run.work.run?.heartbeatTimeout);
    if (silenceMs !== undefined) this.watchSilence(run, silenceMs);
    onBegin(run.work.lease);
  }

  private watchSilence(run: Run, silenceMs: number): void {
    const leftMs = run.beatMonoMs + silenceMs - this.options.clock.monoMs();
    if (leftMs <= 0) this.timeOut(run, `the run was silent for longer than its heartbeat time-out of ${silenceMs} ms`);
    else this.setTimer(run, leftMs, () => this.watchSilence(run, silenceMs));
  }

  private setTimer(run: Run, ms: number, callback: () => void): void {
    const timer = this.options.clock.setTimer(ms, () => {
      run.timers.delete(timer);
      callback();
    });
    run.timers.add(timer);
  }

  private timeOut(run: Run, message: string): void {
    if (!run.leaderEnded) this.stopRun(run, { result: "RESULT_TIMED_OUT", message }, graceOf(run.work));
  }

  private beat(run: Run): void {
    run.beatMonoMs = this.options.clock.monoMs();
  }

  private outputOf(run: Run): RunOutput {
    const { task, attempt, token } = run.work;
    run.output ??= this.options.sender.open({ task, attempt, token }, Number(run.work.run?.logLimitBytes ?? 0n));
    return run.output;
  }
}

/** Why runs are stopped at the deadline. */
export const stopForDeadline: Stop = {
  result: "RESULT_STOPPED",
  message: "the runner couldn't renew its leases before its deadline",
};

/**
 * How a run ended whose way to its end failed. Only one that never began was not started: that spends no retry, so one that has begun and
 * went wrong here would begin again and again.
 */
function failedToRun({ startWallMs }: Run, error: unknown): Ending {
  const message = describe(error);
  if (startWallMs !== undefined)
    return { kind: "threw", message: `the run can't be followed: ${message}`, permanent: false };
  return { kind: "notStarted", message, permanent: isA(error, NotStarted) && error.permanent };
}

function graceOf(work: runner.Work): number {
  return Math.min(milliseconds(work.run?.killGrace) ?? graceMsDefault, graceMsMax);
}

/** Milliseconds of a duration; undefined if it isn't set. */
export function milliseconds(duration: { seconds: bigint; nanos: number } | undefined): number | undefined {
  return duration === undefined ? undefined : Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}
