import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { intervalMs, startOf } from "./processes.mjs";

/** What the guard has to know to take over: told again to a new one. */
export interface GuardState {
  /** Marker of the processes of this session. */
  readonly incarnation: string;
  /** Process groups of the runs that are alive, with the start time of each leader. */
  readonly groups: ReadonlyMap<number, string>;
  /** True while a handler runs inside this process. */
  readonly handlersRunning: boolean;
  /** The session's deadline, undefined before the first. */
  readonly deadline: GuardDeadline | undefined;
}

/** A deadline on both clocks of the host. */
export interface GuardDeadline {
  /** On the interval clock of the host, milliseconds. */
  readonly interval: number;
  /** On the clock that counts suspend, milliseconds; undefined where there is none. */
  readonly uptime: number | undefined;
}

const guardFile = fileURLToPath(new URL("./main.mjs", import.meta.url));
const startTimeoutMs = 10_000;

/** The runner's end of one guard process. */
export class Guard {
  private readonly process: ChildProcess;
  private answered = 0;
  private asked = 0;
  private stopping = false;
  /** Settles when the guard process has ended. */
  readonly ended: Promise<void>;

  private constructor(process: ChildProcess, onDeath: () => void) {
    this.process = process;
    this.ended = new Promise((resolve) => {
      process.once("exit", () => {
        if (!this.stopping) onDeath();
        resolve();
      });
    });
    process.stdin?.on("error", () => {});
  }

  /**
   * Starts a guard and waits until it listens. `onDeath` is called once if it ends without having been stopped.
   *
   * @throws if it can't be started within 10 s.
   */
  static async start(state: GuardState, onDeath: () => void): Promise<Guard> {
    // A session of its own: signals to the runner's group, such as Ctrl-C, don't reach it. An empty environment: it carries no
    // marker, and NODE_OPTIONS of the runner (inspectors, loaders) don't apply. Small heap: it holds a map.
    const child = spawn(process.execPath, ["--max-old-space-size=16", "--v8-pool-size=0", guardFile], {
      detached: true,
      stdio: ["pipe", "pipe", "ignore"],
      env: {},
      cwd: "/",
    });
    const guard = new Guard(child, onDeath);
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => fail(new Error(`the guard didn't start within ${startTimeoutMs} ms`)),
        startTimeoutMs,
      );
      const fail = (error: Error): void => {
        clearTimeout(timer);
        guard.stopping = true;
        child.kill("SIGKILL");
        reject(error);
      };
      child.once("error", fail);
      child.once("exit", (code, signal) =>
        fail(new Error(`the guard ended at its start (${signal ?? `exit code ${code}`})`)),
      );
      if (!child.stdout) return fail(new Error("the guard has no standard output"));
      createInterface({ input: child.stdout }).on("line", (line) => {
        const message = JSON.parse(line) as { ready?: true; answer?: number };
        if (message.answer !== undefined) guard.answered = message.answer;
        if (message.ready) {
          clearTimeout(timer);
          resolve();
        }
      });
    });
    guard.unref();
    guard.tell({ runner: { pid: process.pid, start: startOf(process.pid) }, incarnation: state.incarnation });
    for (const [group, start] of state.groups) guard.add(group, start);
    guard.handlers(state.handlersRunning);
    if (state.deadline) guard.deadline(state.deadline);
    return guard;
  }

  /** Process id, for logs and tests. */
  get pid(): number {
    return this.process.pid ?? 0;
  }

  /** Questions without an answer: above 1 for long, the guard isn't running. */
  get unanswered(): number {
    return this.asked - this.answered;
  }

  /** A new session begins: everything of earlier ones is dead. */
  incarnation(incarnation: string): void {
    this.tell({ incarnation });
  }

  /** A run has begun in a process group. */
  add(group: number, start: string): void {
    this.tell({ add: group, start });
  }

  /** A group is empty. */
  gone(group: number): void {
    this.tell({ gone: group });
  }

  /** Handlers run inside this process, or no longer do. */
  handlers(running: boolean): void {
    this.tell({ handlers: running });
  }

  /** Sets the moment at which it kills everything, and asks for an answer. */
  deadline(deadline: GuardDeadline): void {
    this.asked += 1;
    this.tell({ deadline, ask: this.asked });
  }

  /** Ends it without waiting for anything, as if it had died by itself. */
  kill(): void {
    this.process.kill("SIGKILL");
  }

  /** Closes the pipe; the guard kills what is left and ends. Safe to call twice. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.process.ref();
    this.process.stdin?.end();
    await this.ended;
  }

  private tell(message: object): void {
    if (this.process.stdin?.writable) this.process.stdin.write(`${JSON.stringify(message)}\n`);
  }

  /** A waiting guard must not keep a finished program alive. */
  private unref(): void {
    this.process.unref();
    for (const stream of [this.process.stdin, this.process.stdout])
      (stream as unknown as { unref?(): void } | null)?.unref?.();
  }
}

/** A deadline `leftMs` from now, on the host's clocks. */
export function deadlineIn(leftMs: number, uptimeNowMs: number | undefined): GuardDeadline {
  return { interval: intervalMs() + leftMs, uptime: uptimeNowMs === undefined ? undefined : uptimeNowMs + leftMs };
}
