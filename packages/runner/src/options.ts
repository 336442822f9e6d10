import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import type { Bus } from "@berth/chassis/bus";
import type { Clock } from "@berth/chassis/clock";
import { parseAddresses } from "@berth/chassis/config";
import { describe } from "@berth/chassis/errors";
import { makeFolder } from "@berth/chassis/folder";
import type { Logger } from "@berth/chassis/log";
import type { Telemetry } from "@berth/chassis/telemetry";
import type { LogSettings } from "./output/sender.js";

/** Settings of a runner. Only the data folder and the pool-manager's address have no default. */
export interface RunnerOptions {
  /** Folder of the runner's own: id, spool, groups. One process at a time may have it. Created if it isn't there. */
  readonly dataFolder: string;
  /** Address of the pool-manager, `host:port`; several with commas, as those of a standby. Likewise below. */
  readonly poolManagerAddress: string;
  /** Address of the scheduler. Without it, work comes only by `accept`. */
  readonly schedulerAddress?: string;
  /** Address of the registry. Without it, output isn't kept. */
  readonly registryAddress?: string;
  /** Token for mutations. */
  readonly token?: string;
  /** Runner id: [a-z0-9][a-z0-9._-]{0,62}. Default: made once and kept in the data folder. */
  readonly id?: string;
  /** Pools whose work it takes: at most 64. Default none. */
  readonly pools?: readonly string[];
  /** Runs it can hold at once: 1 to 10,000. Default 4. */
  readonly capacity?: number;
  /** Labels that bids may ask for: at most 64. Default none. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Variables of the runner's own environment that runs get; a trailing `*` stands for any ending. Default: see the README. */
  readonly envAllow?: readonly string[];
  /** Folder with a file for each secret that isn't in the runner's environment. Default none. */
  readonly secretsFolder?: string;
  /** The runner's own environment. Default `process.env`. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Directory that a run's relative one is taken from. Default the process's own. */
  readonly workFolder?: string;
  /** Least free space of the data folder's disk for new runs, bytes. Default 16 MiB. */
  readonly reserveBytes?: number;
  /** How output is sent. */
  readonly logs?: LogSettings;
  /** Bus on which completions are broadcast, beside the lease stream. Default none. */
  readonly bus?: Bus;
  /** Default the machine's clock. */
  readonly clock?: Clock;
  /** Default silent. */
  readonly logger?: Logger;
  /** Default none. */
  readonly telemetry?: Telemetry;
}

const namePattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** Options that a runner can't work with. */
export class RunnerOptionsError extends Error {
  override readonly name = "RunnerOptionsError";
}

/** Checks options. @throws RunnerOptionsError naming every field, value and bound that is wrong. */
export function checkOptions({
  id,
  pools = [],
  capacity = 4,
  labels = {},
  dataFolder,
  poolManagerAddress,
  schedulerAddress,
  registryAddress,
}: RunnerOptions): void {
  const problems: string[] = [];
  const name = (field: string, value: string): void => {
    if (!namePattern.test(value) || value.includes(".."))
      problems.push(`${field}: ${JSON.stringify(value)} must match [a-z0-9][a-z0-9._-]{0,62} without ".."`);
  };
  if (dataFolder === "") problems.push("dataFolder: is empty; name a folder that belongs to this runner alone");
  for (const [field, address] of Object.entries({ poolManagerAddress, schedulerAddress, registryAddress })) {
    try {
      if (address !== undefined) parseAddresses(address);
    } catch (error) {
      problems.push(`${field}: ${describe(error)}`);
    }
  }
  if (id !== undefined) name("id", id);
  for (const [index, pool] of pools.entries()) name(`pools[${index}]`, pool);
  if (pools.length > 64) problems.push(`pools: has ${pools.length}; at most 64`);
  if (!Number.isInteger(capacity) || capacity < 1 || capacity > 10_000)
    problems.push(`capacity: ${capacity} must be a whole number from 1 to 10000`);
  if (Object.keys(labels).length > 64) problems.push(`labels: has ${Object.keys(labels).length}; at most 64`);
  if (problems.length > 0) throw new RunnerOptionsError(problems.join("\n"));
}

/** The runner's id: the given one, or the one in the data folder, made at its first use. */
export function runnerId(dataFolder: string, given: string | undefined): string {
  if (given !== undefined) return given;
  makeFolder(dataFolder);
  const file = join(resolve(dataFolder), "runner-id");
  try {
    const kept = readFileSync(file, "utf8").trim();
    if (namePattern.test(kept)) return kept;
  } catch {
    // Not there yet.
  }
  const host =
    hostname()
      .toLowerCase()
      .replace(/[^a-z0-9-]+/g, "-")
      .replace(/^-+/, "")
      .slice(0, 40) || "runner";
  const made = `${host}-${randomBytes(4).toString("hex")}`;
  writeFileSync(file, `${made}\n`, { mode: 0o600, flush: true });
  return made;
}
