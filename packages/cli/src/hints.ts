// Commands that are told to people: under the name this one was started by, and with the flags that say where Berth is.
import { basename, delimiter, dirname, join, relative, resolve } from "node:path";
import type { Io } from "./io.js";
import { findPlaces, type Places } from "./places.js";

/**
 * How the shell behind this process calls the CLI: `berth` where its PATH has it, `npx berth` where npm started this (npm puts
 * node_modules/.bin into the PATH of what it starts; the shell's own hasn't got it), otherwise the path that was given.
 */
export function calledAs(
  environment: NodeJS.ProcessEnv = process.env,
  script: string = process.argv[1] ?? "",
  cwd: string = process.cwd(),
): string {
  if (environment.npm_command !== undefined) return "npx berth";
  const folder = dirname(script);
  if (basename(script) === "berth") {
    if ((environment.PATH ?? "").split(delimiter).includes(folder)) return "berth";
    // What npx finds from here.
    if (cwd === root(folder) || cwd.startsWith(join(root(folder), "/"))) return "npx berth";
    return quoted(shorter(script, cwd));
  }
  return `node ${quoted(shorter(script, cwd))}`;
}

/** The folder that has this node_modules/.bin; of any other folder, itself. */
function root(folder: string): string {
  return folder.endsWith(join("node_modules", ".bin")) ? resolve(folder, "../..") : folder;
}

function shorter(path: string, cwd: string): string {
  const near = relative(cwd, path);
  return near.startsWith("..") ? path : join(".", near).replace(/^(?!\.?\/)/, "./");
}

/** A command to tell, given as `status` or `run -- echo hello`. `places` are those of this call by default. */
export function hint(io: Io, command: string, places: Places = io.places): string {
  const [own = "", ...behind] = command.split(" -- ");
  const told = [io.call, own, ...placeFlags(own.split(" ")[0] ?? "", places)].filter((part) => part !== "");
  return [told.join(" "), ...behind].join(" -- ");
}

const addressFlags = [
  ["registry", "--registry"],
  ["poolManager", "--pool-manager"],
  ["scheduler", "--scheduler"],
  ["metrics", "--metrics"],
  ["tokenFile", "--token-file"],
] as const;

function placeFlags(command: string, places: Places): string[] {
  if (command === "init" || command.startsWith("-")) return [];
  const { config, data } = places;
  const flags: string[] = [];
  const add = (flag: string, value: string | undefined) => {
    if (value !== undefined) flags.push(flag, quoted(value));
  };
  // A data folder says all; only what starts Berth reads the file as well.
  if (command === "up" || data === undefined) add("--config", config);
  // What is found from here without a flag.
  if (data !== undefined && findPlaces({}, {}).dataFolder !== resolve(data)) add("--data", data);
  if (command !== "up") for (const [name, flag] of addressFlags) add(flag, places[name]);
  return flags;
}

/** A word as a shell takes it. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
