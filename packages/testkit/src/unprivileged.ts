import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, realpathSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, sep } from "node:path";

/** A user without privileges. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Whom a server that refuses root runs as: nobody else if we aren't root, otherwise `postgres` or `nobody`. */
export function unprivileged(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ["postgres", "nobody"]) {
    const uid = idOf("-u", name);
    const gid = idOf("-g", name);
    if (uid !== undefined && gid !== undefined) return { uid, gid };
  }
  throw new Error(
    "PostgreSQL refuses to run as root, and there is no user postgres or nobody here; run as another user",
  );
}

/** Gives a file or folder to an account and lets it pass through the folders above. */
export function giveFolder(path: string, account: Account): void {
  chownSync(path, account.uid, account.gid);
  const temporary = realpathSync(tmpdir()) + sep;
  for (let folder = dirname(realpathSync(path)); folder !== dirname(folder); folder = dirname(folder)) {
    const { mode } = statSync(folder);
    if ((mode & 0o001) !== 0) continue;
    // We open only what is meant to be thrown away: opening somebody's home by a test would be rude.
    if (!folder.startsWith(temporary))
      throw new Error(
        `${folder} is closed to other users, so PostgreSQL can't run below it; take a folder in ${temporary}`,
      );
    chmodSync(folder, (mode & 0o7777) | 0o001);
  }
}

/** Runs a program to its end as an account. @throws Error with its output if it fails. */
export function runAs(account: Account | undefined, file: string, args: readonly string[], input = ""): void {
  // It is somebody else now: our working folder may be closed to it.
  execFileSync(file, args, { input, cwd: "/", stdio: ["pipe", "pipe", "pipe"], ...account });
}

function idOf(flag: "-u" | "-g", name: string): number | undefined {
  try {
    return Number(execFileSync("id", [flag, name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
  } catch {
    return undefined;
  }
}
