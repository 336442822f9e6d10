import type { ChildProcess } from "node:child_process";
import { appendFileSync } from "node:fs";
import { spawnTied } from "../tie.js";

/** A part of a cluster: a process that can be stopped, killed, frozen, and started again. */
export class Part {
  readonly name: string;
  /** Called when it ends without having been asked to. */
  onDied: (code: number | null, signal: string | null) => void = () => undefined;
  private readonly args: readonly string[];
  private readonly environment: NodeJS.ProcessEnv;
  private readonly log: string;
  private child: ChildProcess | undefined;
  private ended: Promise<void> = Promise.resolve();

  constructor(name: string, args: readonly string[], environment: NodeJS.ProcessEnv, log: string) {
    this.name = name;
    this.args = args;
    this.environment = environment;
    this.log = log;
  }

  /** Process id while it runs. */
  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Starts it; does nothing while it runs. */
  start(): void {
    if (this.child) return;
    // A group of its own: Ctrl-C in a terminal reaches whoever started us, who stops things in order.
    const child = spawnTied(process.execPath, this.args, {
      env: this.environment,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    this.child = child;
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk: Buffer) => appendFileSync(this.log, chunk));
    this.ended = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        const asked = this.child !== child;
        if (!asked) this.child = undefined;
        resolve();
        if (!asked) this.onDied(code, signal);
      });
    });
  }

  /** Sends a signal; the process counts as dying by itself if it dies of it. */
  signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  /** Ends it in good order, within 10 s; then by SIGKILL. Safe to call twice. */
  async stop(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    child?.kill("SIGTERM");
    const force = setTimeout(() => child?.kill("SIGKILL"), 10_000);
    await this.ended;
    clearTimeout(force);
  }
}
