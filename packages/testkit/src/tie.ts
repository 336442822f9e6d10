import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { findSetpriv } from "./find.js";

/** How a child ends when we do. */
export type LastSignal = "SIGKILL" | "SIGQUIT";

const living = new Map<ChildProcess, LastSignal>();
let watching = false;

/**
 * Starts a program that doesn't outlive this process, however this one ends: on Linux the kernel sends it `lastSignal`, also after SIGKILL;
 * elsewhere it is sent as we exit. Start it from the main thread: it is tied to the thread that started it.
 */
export function spawnTied(
  file: string,
  args: readonly string[],
  options: SpawnOptions,
  lastSignal: LastSignal = "SIGKILL",
): ChildProcess {
  const setpriv = findSetpriv();
  const tie = setpriv === undefined ? [] : [setpriv, "--pdeathsig", lastSignal.replace("SIG", ""), "--"];
  const [program = file, ...rest] = [...tie, file, ...args];
  const child = spawn(program, rest, options);
  killAllAtExit();
  living.set(child, lastSignal);
  const forget = (): void => void living.delete(child);
  child.once("exit", forget).once("error", forget);
  return child;
}

/** One listener for all, however many there are. */
function killAllAtExit(): void {
  if (watching) return;
  watching = true;
  process.once("exit", () => {
    for (const [child, signal] of living) child.kill(signal);
  });
}
