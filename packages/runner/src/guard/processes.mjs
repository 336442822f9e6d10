// @ts-check
// What the guard and the runner both need to know of processes. Plain JavaScript, so that the guard starts from source and
// from the build alike, with nothing to load but Node itself. Everything here is synchronous: it runs while killing.
import { closeSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";

/** Name of the environment variable that marks every process of a runner's incarnation. */
export const MARKER = "BERTH_RUNNER_INCARNATION";

const environment = Buffer.allocUnsafe(512 * 1024);

/**
 * One process as /proc shows it; undefined if there is none, or no /proc.
 * @param {number | string} pid
 * @returns {{ state: string, group: number, start: string } | undefined}
 */
export function readProcess(pid) {
  let text;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The second field is the program's name in brackets and may hold spaces and brackets itself.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "", group: Number(fields[2]), start: fields[19] ?? "" };
}

/** When a process started, in clock ticks since boot, as text; empty where that can't be known. @param {number} pid */
export function startOf(pid) {
  return readProcess(pid)?.start ?? "";
}

/** Milliseconds since boot, suspend included; undefined without /proc. @returns {number | undefined} */
export function uptimeMs() {
  try {
    return Math.round(Number.parseFloat(readFileSync("/proc/uptime", "latin1")) * 1000);
  } catch {
    return undefined;
  }
}

/** Milliseconds of the interval clock that all processes of a host share. */
export function intervalMs() {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

/** @returns {string[]} */
function pids() {
  try {
    return readdirSync("/proc").filter((name) => name.charCodeAt(0) >= 49 && name.charCodeAt(0) <= 57);
  } catch {
    return [];
  }
}

/**
 * Text of a process's environment as it was given at exec; empty if it can't be read (gone, a zombie, somebody else's).
 * @param {string} pid
 */
function environmentOf(pid) {
  let file;
  try {
    file = openSync(`/proc/${pid}/environ`, "r");
  } catch {
    return undefined;
  }
  try {
    let length = 0;
    while (length < environment.length) {
      const read = readSync(file, environment, length, environment.length - length, null);
      if (read === 0) break;
      length += read;
    }
    return environment.subarray(0, length);
  } catch {
    return undefined;
  } finally {
    closeSync(file);
  }
}

/**
 * Every process that carries the marker of one of the incarnations, with the lease it says it runs under.
 * @param {readonly string[]} incarnations
 * @returns {{ pid: number, lease: string }[]}
 */
export function markedProcesses(incarnations) {
  const found = [];
  const own = String(process.pid);
  for (const pid of pids()) {
    if (pid === own) continue;
    const text = environmentOf(pid);
    if (text === undefined) continue;
    const marker = variableOf(text, MARKER);
    if (marker !== undefined && incarnations.includes(marker))
      found.push({ pid: Number(pid), lease: variableOf(text, "BERTH_LEASE") ?? "" });
  }
  return found;
}

/**
 * @param {Buffer} text
 * @param {string} name
 */
function variableOf(text, name) {
  const key = `${name}=`;
  let at = text.indexOf(key);
  while (at > 0 && text[at - 1] !== 0) at = text.indexOf(key, at + 1);
  if (at < 0) return undefined;
  const end = text.indexOf(0, at);
  return text.toString("latin1", at + key.length, end < 0 ? text.length : end);
}

/**
 * Kills a process group, unless its leader is there and isn't the one that was recorded: then the number was used again.
 * @param {number} group
 * @param {string} start start time of the leader, or empty if unknown
 * @param {NodeJS.Signals} [signal]
 * @returns {boolean} true if there was something to signal
 */
export function signalGroup(group, start, signal = "SIGKILL") {
  const leader = readProcess(group);
  if (leader !== undefined && start !== "" && leader.start !== start) return false;
  return send(-group, signal);
}

/**
 * @param {number} pid
 * @param {NodeJS.Signals} [signal]
 * @returns {boolean}
 */
export function send(pid, signal = "SIGKILL") {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** True while a group has a member that isn't dead (a zombie nobody has collected counts as dead). @param {number} group */
export function groupAlive(group) {
  if (!probe(-group)) return false;
  const all = pids();
  if (all.length === 0) return true;
  for (const pid of all) {
    const seen = readProcess(pid);
    if (seen !== undefined && seen.group === group && seen.state !== "Z" && seen.state !== "X") return true;
  }
  return false;
}

/** @param {number} pid */
function probe(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "EPERM";
  }
}
