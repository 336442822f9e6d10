import type { ChildProcess } from "node:child_process";
import { spawnTied } from "@berth/testkit";

/** How a command ended. */
export interface Ended {
  /** 128 + signal's number is not made up here: null if a signal ended it. */
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

/** A command that runs. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it has written to standard output so far. */
  out(): string;
  /** What it has written to standard error so far. */
  error(): string;
}

/** Starts a program; nothing is written to its standard input. */
export function start(
  program: string,
  args: readonly string[],
  options: { cwd: string; environment?: NodeJS.ProcessEnv },
): Running {
  const { cwd, environment = process.env } = options;
  const child = spawnTied(program, args, { cwd, env: environment, stdio: ["ignore", "pipe", "pipe"] });
  let [out, error] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    error += text;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, out, error }));
  });
  return { child, ended, out: () => out, error: () => error };
}

/** Runs a program to its end; throws with all it printed if it doesn't end with 0. */
export async function succeed(...args: Parameters<typeof start>): Promise<string> {
  const { code, out, error } = await start(...args).ended;
  if (code !== 0) throw new Error(`${args[0]} ${args[1].join(" ")} ended with ${code}:\n${out}${error}`);
  return out;
}
