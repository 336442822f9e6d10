import type { Clock, Timer } from "@berth/chassis/clock";
import { describe, isA } from "@berth/chassis/errors";
import type { Telemetry, TraceSpan } from "@berth/chassis/telemetry";
import type { runner } from "@berth/contracts";
import { completionOf } from "./domain/completion.js";
import { milliseconds } from "./domain/milliseconds.js";
import { type Ending, outcomeOf, type Stop } from "./domain/outcome.js";
import { type RunTrace, traceContextOf } from "./domain/trace-context.js";
import type { Executors } from "./executors/all.js";
import { type Execution, type Hooks, NotStarted } from "./executors/executor.js";
import type { LogSender, RunOutput } from "./output/sender.js";

/** What supervision needs. */
export interface SupervisorOptions {
  readonly clock: Clock;
  readonly sender: LogSender;
  readonly telemetry: Telemetry;
  readonly executors: Executors;
  /** Runner id. */
  readonly runner: string;
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
  execution: Execution | undefined;
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

/** Watches over runs, whoever executes them: begins and stops them, minds their time-outs, and states how they ended. */
export class Supervisor {
  private readonly options: SupervisorOptions;
  private readonly runs = new Map<string, Run>();
  private idleWaiters: (() => void)[] = [];

  constructor(options: SupervisorOptions) {
    this.options = options;
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
      execution: undefined,
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

  /** Stops at once what would outlive the runner, and leaves the rest alone: the guard has died. */
  guardDied(stop: Stop): void {
    for (const run of this.runs.values()) if (run.execution?.outlivesRunner) this.stopRun(run, stop, 0);
  }

  /** Waits until no run is alive. */
  idle(): Promise<void> {
    if (this.runs.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.idleWaiters.push(resolve));
  }

  private stopRun(run: Run, stop: Stop, graceMs: number): void {
    if (!run.leaderEnded) run.stop ??= stop;
    if (graceMs > 0) run.execution?.stop(graceMs, stop.message);
    else run.execution?.kill(stop.message);
  }

  private async run(run: Run): Promise<void> {
    const { clock, telemetry, deadlinePassed, onEnd } = this.options;
    let ending: Ending;
    try {
      const kind = run.work.run?.kind?.$case;
      if (kind === undefined) throw new NotStarted("the run names no program", true);
      run.execution = this.options.executors.of(kind).start(run.work, this.hooksOf(run));
      // A handler that stopped its own runner was begun before there was an execution to stop.
      if (run.stop) run.execution.kill((run.stop as Stop).message);
      ending = await run.execution.ended;
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

  private hooksOf(run: Run): Hooks {
    const { task, attempt } = run.work;
    return {
      inherit: run.inherit,
      get trace(): RunTrace {
        return traceContextOf(run.work, run.span?.traceParent);
      },
      begin: () => this.begin(run),
      neverBegan: () => {
        run.startWallMs = undefined;
      },
      within: (what) => (run.span ? run.span.run(what) : what()),
      output: (data, stderr) => {
        this.beat(run);
        this.outputOf(run).write(data, stderr);
      },
      progress: (fraction, message) => this.options.sender.report({ task, attempt, fraction, message }),
      heartbeat: () => this.beat(run),
      leaderEnded: () => {
        run.leaderEnded = true;
      },
    };
  }

  /** The last look before anything starts. Throws if it mustn't. */
  private begin(run: Run): void {
    const { clock, deadlinePassed, onBegin, telemetry } = this.options;
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
          "berth.runner": this.options.runner,
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
