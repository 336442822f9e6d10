import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";

// scripts/install-servers.mjs looks in the same places; it has to run before anything is compiled.

/** Which servers can be started on this machine. */
export interface ServersAvailable {
  readonly nats: boolean;
  readonly postgres: boolean;
}

/** Looks for the servers' programs; starts nothing. Cheap enough to be called while tests are collected. */
export function serversAvailable(): ServersAvailable {
  return { nats: findNatsServer() !== undefined, postgres: findPostgresFolder() !== undefined };
}

/** Path of nats-server, if it is there. */
export function findNatsServer(): string | undefined {
  return firstFolderWith(
    ["nats-server"],
    [...ownFolder(), ...pathFolders(), "/usr/sbin", "/usr/local/bin"],
    "nats-server",
  );
}

/** Folder that holds both `postgres` and `initdb`, if there is one. */
export function findPostgresFolder(): string | undefined {
  return firstFolderWith(["postgres", "initdb"], [...ownFolder(), ...debianFolders(), ...pathFolders()]);
}

/** Path of `setpriv`, which ties a server's life to ours; Linux only. */
export function findSetpriv(): string | undefined {
  return process.platform === "linux" ? firstFolderWith(["setpriv"], pathFolders(), "setpriv") : undefined;
}

function firstFolderWith(programs: readonly string[], folders: readonly string[], file = ""): string | undefined {
  const folder = folders.find((each) => programs.every((program) => isProgram(join(each, program))));
  return folder === undefined ? undefined : join(folder, file);
}

function ownFolder(): string[] {
  const folder = process.env["TESTKIT_SERVERS"];
  return folder ? [folder] : [];
}

function pathFolders(): string[] {
  return (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
}

/** Debian keeps the server's programs of every version out of PATH. Newest first. */
function debianFolders(): string[] {
  const root = "/usr/lib/postgresql";
  if (!existsSync(root)) return [];
  const versions = readdirSync(root).sort((one, other) => Number(other) - Number(one));
  return versions.map((version) => join(root, version, "bin"));
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
