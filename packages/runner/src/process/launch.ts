import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { runner } from "@berth/contracts";
import { NotStarted } from "../executors/executor.js";

/** What a process is started with. */
export interface Launch {
  readonly work: runner.Work;
  readonly environment: Record<string, string>;
  /** Directory that a relative one is taken from. */
  readonly folder: string;
  /** True gives the run the runner's own standard streams instead of pipes. */
  readonly inherit: boolean;
}

/** What stands for the name of the run's slot in its working directory. */
const slotMark = /\$\{slot\}/g;

/**
 * Starts a run's process in a group of its own, without a shell unless the task asks for one. Settles when it is running.
 *
 * @throws NotStarted naming what is missing.
 */
export async function launch({ work, environment, folder, inherit }: Launch): Promise<ChildProcess> {
  const command = work.run?.kind?.$case === "command" ? work.run.kind.value : undefined;
  const argv = command?.shell ? ["/bin/sh", "-c", command.shell] : (command?.argv ?? []);
  const [program, ...args] = argv;
  if (!program) throw new NotStarted("the run names no program", true);
  const cwd = workingFolder(work, folder);
  const stdin = work.run?.stdin ?? Buffer.alloc(0);
  let child: ChildProcess;
  try {
    child = spawn(program, args, {
      cwd,
      env: environment,
      detached: true,
      stdio: inherit ? "inherit" : [stdin.length > 0 ? "pipe" : "ignore", "pipe", "pipe"],
    });
  } catch (error) {
    throw notStarted(error, program);
  }
  // A process that ends without reading its input breaks the pipe; that is its own affair.
  child.stdin?.on("error", () => {});
  child.stdin?.end(stdin);
  if (child.pid === undefined)
    throw notStarted(await new Promise((resolveError) => child.once("error", resolveError)), program);
  child.on("error", () => {});
  return child;
}

function notStarted(error: unknown, program: string): NotStarted {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (code === "ENOENT")
    return new NotStarted(`program ${program} isn't there (looked for on the PATH of the run)`, true);
  if (code === "EACCES") return new NotStarted(`program ${program} may not be executed`, true);
  if (code === "E2BIG")
    return new NotStarted(`the arguments and environment of ${program} are larger than the system takes`, true);
  if (code === "ERR_INVALID_ARG_VALUE")
    return new NotStarted(`the arguments or environment of ${program} hold a NUL byte`, true);
  return new NotStarted(`program ${program} couldn't be started (${code})`, false);
}

/** The run's working directory, with the name of its slot for `${slot}`. @throws NotStarted naming it if it isn't there. */
function workingFolder({ run, slot, pool }: runner.Work, folder: string): string {
  const asked = run?.cwd ?? "";
  const cwd = resolve(
    folder,
    asked.replace(slotMark, () => slot),
  );
  if (isFolder(cwd)) return cwd;
  const why = asked.search(slotMark) < 0 ? "" : ` (\${slot} is ${JSON.stringify(slot)} in pool ${pool})`;
  throw new NotStarted(`working directory ${cwd} isn't there${why}`, true);
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

const secretName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Takes secrets from the runner's environment, or else from the file of their name in `folder` (without its last line feed). The values go
 * into the run's environment and nowhere else.
 *
 * @throws NotStarted naming the first that is missing, never a value.
 */
export function takeSecrets(
  names: readonly string[],
  own: Readonly<Record<string, string | undefined>>,
  folder: string | undefined,
): Map<string, string> {
  const secrets = new Map<string, string>();
  for (const name of names) {
    const value = secretName.test(name) ? (own[name] ?? secretFile(name, folder)) : undefined;
    if (value === undefined) {
      const where =
        folder === undefined ? "the runner's environment" : "the runner's environment nor its secrets folder";
      throw new NotStarted(`secret ${JSON.stringify(name)} is not in ${where}`, true);
    }
    secrets.set(name, value);
  }
  return secrets;
}

function secretFile(name: string, folder: string | undefined): string | undefined {
  if (folder === undefined) return undefined;
  try {
    return readFileSync(join(folder, name), "utf8").replace(/\r?\n$/, "");
  } catch {
    return undefined;
  }
}
