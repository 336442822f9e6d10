import type { ChildProcess } from "node:child_process";
import type { Clock } from "@berth/chassis/clock";
import type { runner } from "@berth/contracts";
import { type RunnerIdentity, runEnvironment } from "../domain/environment.js";
import type { Ending } from "../domain/outcome.js";
import { addTraceContext } from "../domain/trace-context.js";
import { GroupFile } from "../guard/group-file.js";
import type { GuardKeeper } from "../guard/keeper.js";
import { killLeftovers } from "../guard/leftovers.js";
import { send } from "../guard/processes.mjs";
import { type Launch, launch, takeSecrets } from "../process/launch.js";
import { ProcessRun } from "../process/process-run.js";
import { ReadingShare } from "../process/reading-share.js";
import { ResultFiles } from "../process/result-files.js";
import { Sweeper } from "../process/sweeper.js";
import type { Execution, Executor, Hooks } from "./executor.js";

/** What it needs. */
export interface ProcessExecutorOptions {
  readonly clock: Clock;
  readonly keeper: GuardKeeper;
  /** The runner's data folder. */
  readonly dataFolder: string;
  /** The runner's own environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly envAllow: readonly string[];
  /** Directory that a run's relative one is taken from. */
  readonly folder: string;
  readonly secretsFolder: string | undefined;
  identity(): RunnerIdentity;
}

/** Runs commands, each in a process group of its own. They would outlive the runner: the guard and a file know every group. */
export class ProcessExecutor implements Executor {
  private readonly options: ProcessExecutorOptions;
  private readonly groups: GroupFile;
  private readonly results: ResultFiles;
  private readonly share: ReadingShare;
  private readonly sweeper: Sweeper;
  /** Leases whose leader hasn't ended. */
  private readonly alive = new Set<string>();

  constructor(options: ProcessExecutorOptions) {
    this.options = options;
    this.groups = new GroupFile(options.dataFolder);
    this.results = new ResultFiles(options.dataFolder);
    this.share = new ReadingShare(options.clock);
    this.sweeper = new Sweeper({
      clock: options.clock,
      incarnation: () => options.identity().incarnation,
      isAlive: (lease) => this.alive.has(lease),
    });
  }

  start(work: runner.Work, hooks: Hooks): Execution {
    this.alive.add(work.lease);
    const leaderEnded = (): void => {
      this.alive.delete(work.lease);
      hooks.leaderEnded();
    };
    return new CommandExecution((own) => this.run(work, hooks, leaderEnded, own).finally(leaderEnded));
  }

  survivors(): ReadonlyMap<number, string> {
    return this.groups.alive;
  }

  async endLeftovers(onWait: (left: number) => void): Promise<number> {
    const killed = await killLeftovers(this.groups.leftovers(), this.options.clock, onWait);
    this.results.clear();
    return killed;
  }

  beginSession(incarnation: string): void {
    this.groups.begin(incarnation);
  }

  sweep(): Promise<void> {
    return this.sweeper.sweep();
  }

  close(): void {
    this.groups.close();
  }

  private async run(work: runner.Work, hooks: Hooks, leaderEnded: () => void, own: CommandExecution): Promise<Ending> {
    const { keeper, environment, envAllow, folder, secretsFolder, identity } = this.options;
    if (!keeper.ready) await keeper.whenReady();
    const secrets = takeSecrets(work.run?.secrets ?? [], environment, secretsFolder);
    const env = runEnvironment(work, identity(), environment, envAllow, secrets);
    const file = this.results.make();
    env.BERTH_RESULT = file.path;
    try {
      hooks.begin();
      addTraceContext(env, hooks.trace);
      const process = await this.launch({ work, environment: env, folder, inherit: hooks.inherit }, hooks, leaderEnded);
      own.isRunning(process);
      const ending = await process.ended;
      return { ...ending, left: await file.read() };
    } finally {
      await file.remove();
    }
  }

  private async launch(how: Launch, hooks: Hooks, leaderEnded: () => void): Promise<ProcessRun> {
    let child: ChildProcess;
    try {
      child = await launch(how);
    } catch (error) {
      hooks.neverBegan();
      throw error;
    }
    return this.supervise(child, hooks, leaderEnded);
  }

  /** Takes over a process that has begun. Where that fails, it is killed: nobody would ever look after it. */
  private supervise(child: ChildProcess, hooks: Hooks, onLeaderEnded: () => void): ProcessRun {
    const { clock, keeper } = this.options;
    try {
      return new ProcessRun(child, {
        clock,
        sweeper: this.sweeper,
        share: this.share,
        onBegin: (group, start) => {
          this.groups.add(group, start);
          keeper.add(group, start);
        },
        onGone: (group) => {
          this.groups.gone(group);
          keeper.gone(group);
        },
        onOutput: (data, stderr) => hooks.output(data, stderr),
        onLeaderEnded,
      });
    } catch (error) {
      if (child.pid !== undefined) send(-child.pid, "SIGKILL");
      throw error;
    }
  }
}

/** One command. Until its process is there, a stop is only remembered: the process is killed as soon as it has come to be. */
class CommandExecution implements Execution {
  readonly ended: Promise<Ending>;
  private process: ProcessRun | undefined;
  private stopped = false;

  constructor(run: (own: CommandExecution) => Promise<Ending>) {
    this.ended = run(this);
  }

  get outlivesRunner(): boolean {
    return this.process !== undefined;
  }

  isRunning(process: ProcessRun): void {
    this.process = process;
    if (this.stopped) process.kill();
  }

  stop(graceMs: number): void {
    this.stopped = true;
    this.process?.stop(graceMs);
  }

  kill(): void {
    this.stopped = true;
    this.process?.kill();
  }
}
