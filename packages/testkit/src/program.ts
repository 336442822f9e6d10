import type { ChildProcess } from "node:child_process";
import { createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { type LastSignal, spawnTied } from "./tie.js";

/** A server's program and how to tell that it is ready. */
export interface ProgramOptions {
  readonly file: string;
  readonly args: readonly string[];
  /** A line of its standard error that holds this text says that it is ready. */
  readonly readyLine: string;
  /** Where its standard error is appended. */
  readonly log: string;
  /** Runs it as somebody else; for root only. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Its variables. Default: ours. */
  readonly environment?: NodeJS.ProcessEnv;
  /** Sent when our process dies. */
  readonly signalAtOurDeath: LastSignal;
}

/** A running program. */
export interface Program {
  readonly pid: number;
  /** Resolves when it has ended, however it ended. */
  readonly ended: Promise<void>;
  signal(signal: NodeJS.Signals): void;
}

/** It didn't get ready; the message holds the last lines of its log. */
export class NotReady extends Error {}

const readyWithinMs = 60_000;
const linesKept = 12;

/** Starts a program and waits until it says that it is ready. @throws NotReady if it ends before, or takes more than a minute. */
export async function startProgram(options: ProgramOptions): Promise<Program> {
  // A process group of its own, so that Ctrl-C in a terminal reaches us alone and we stop things in order.
  const { file, args, user, environment = process.env, signalAtOurDeath } = options;
  const stdio: ["ignore", "ignore", "pipe"] = ["ignore", "ignore", "pipe"];
  const settings = { stdio, detached: true, env: environment, ...user };
  const child = spawnTied(file, args, settings, signalAtOurDeath);
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  try {
    await ready(child, ended, options);
  } catch (error) {
    child.kill("SIGKILL");
    await ended;
    throw error;
  }
  return { pid: child.pid ?? -1, ended, signal: (signal) => void child.kill(signal) };
}

async function ready(child: ChildProcess, ended: Promise<void>, options: ProgramOptions): Promise<void> {
  const last: string[] = [];
  let timer: NodeJS.Timeout | undefined;
  const tooSlow = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`isn't ready after ${readyWithinMs} ms`), readyWithinMs);
  });
  const spawned = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(`can't be started: ${error.message}`));
  });
  const problem = await Promise.race([readyOrEnded(child, last, ended, options), tooSlow, spawned]);
  clearTimeout(timer);
  if (problem) throw new NotReady([`${options.file} ${problem}; the end of its log:`, ...last].join("\n  "));
}

/** Resolves with nothing when the ready line came, and with the problem when the program ended first. */
function readyOrEnded(
  child: ChildProcess,
  last: string[],
  ended: Promise<void>,
  options: ProgramOptions,
): Promise<string> {
  return new Promise((resolve) => {
    if (!child.stderr) return;
    child.stderr.pipe(createWriteStream(options.log, { flags: "a" }));
    const lines = createInterface({ input: child.stderr });
    lines.on("line", (line) => {
      last.push(line);
      if (last.length > linesKept) last.shift();
      if (line.includes(options.readyLine)) resolve("");
    });
    // The log is complete only when the pipe closes, which may be after the exit.
    lines.once("close", () => void ended.then(() => resolve("ended before it was ready")));
  });
}
