import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { readProcess } from "../guard/processes.mjs";

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** A {@link file://./victim.ts} in a process of its own. */
export class Victim {
  readonly process: ChildProcess;
  readonly said: { attached?: string; guard?: number; lease?: string; result?: string; message?: string }[] = [];
  private wake: (() => void)[] = [];

  constructor(dataFolder: string, ttlMs: number, lines: readonly string[]) {
    const node = [
      "--conditions=@berth/source",
      "--no-warnings",
      "--import",
      file("source-loader.mjs"),
      file("victim.ts"),
    ];
    this.process = spawn(process.execPath, [...node, dataFolder, String(ttlMs), ...lines], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    if (!this.process.stdout) throw new Error("no standard output");
    createInterface({ input: this.process.stdout }).on("line", (line) => {
      this.said.push(JSON.parse(line));
      for (const resolve of this.wake.splice(0)) resolve();
    });
  }

  /** Waits until it has said something that fits. */
  async says(fits: (what: Victim["said"][number]) => boolean): Promise<Victim["said"][number]> {
    for (;;) {
      const found = this.said.find(fits);
      if (found) return found;
      await new Promise<void>((resolve) => this.wake.push(resolve));
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }
}

/** Waits until a workload has written its process id into a file, and returns it. */
export async function pidIn(path: string): Promise<number> {
  return until(() => (existsSync(path) ? Number.parseInt(readFileSync(path, "utf8"), 10) || undefined : undefined));
}

/** True while a process is there and not a zombie. */
export function isAlive(pid: number): boolean {
  const seen = readProcess(pid);
  return seen !== undefined && seen.state !== "Z" && seen.state !== "X";
}

/** Waits until a process is dead; returns how long that took, milliseconds. */
export async function death(pid: number): Promise<number> {
  const beganMs = performance.now();
  await until(() => (isAlive(pid) ? undefined : true));
  return performance.now() - beganMs;
}

/** Other processes' doings can't be waited for but by looking. */
async function until<Value>(look: () => Value | undefined): Promise<Value> {
  for (;;) {
    const value = look();
    if (value !== undefined) return value;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
