import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import type { Bus } from "@berth/chassis/bus";
import type { Clock } from "@berth/chassis/clock";
import { parseAddresses } from "@berth/chassis/config";
import { describe } from "@berth/chassis/errors";
import { makeFolder } from "@berth/chassis/folder";
import { isName, namePattern } from "@berth/chassis/grpc";
import type { Logger } from "@berth/chassis/log";
import type { Telemetry } from "@berth/chassis/telemetry";
import type { Addresses } from "./api/links.js";
import type { LogSettings } from "./output/sender.js";

/** What a runner takes from a client: where the services are, and the token. A `BerthClient` of `@berth/client` is one. */
export interface RunnerClient {
  /** gRPC addresses, `host:port`, several with commas; and the token for mutations, empty if there is none. */
  readonly endpoints: {
    readonly addresses: { readonly registry: string; readonly poolManager: string; readonly scheduler: string };
    readonly token: string;
  };
}

/** Settings of a runner. Only the data folder has no default, and where the pool-manager is: by a client or by its address. */
export interface RunnerOptions {
  /** Folder of the runner's own: id, spool, groups. One process at a time may have it. Created if it isn't there. */
  readonly dataFolder: string;
  /** Gives the addresses and the token that aren't given below. Only read: it stays its owner's, and may be closed. Default none. */
  readonly client?: RunnerClient;
  /** Address of the pool-manager, `host:port`; several with commas, as those of a standby. Likewise below. Default the client's. */
  readonly poolManagerAddress?: string;
  /** Address of the scheduler. Without it, work comes only by `accept`. Default the client's. */
  readonly schedulerAddress?: string;
  /** Address of the registry. Without it, output isn't kept. Default the client's. */
  readonly registryAddress?: string;
  /** Token for mutations. Default the client's. */
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

/** Options that a runner can't work with. */
export class RunnerOptionsError extends Error {
  override readonly name = "RunnerOptionsError";
}

/** The addresses and the token: those that are given, then the client's. */
function addressesOf(options: RunnerOptions): Partial<Addresses> {
  const { addresses, token } = options.client?.endpoints ?? {};
  return {
    poolManagerAddress: options.poolManagerAddress ?? addresses?.poolManager,
    schedulerAddress: options.schedulerAddress ?? addresses?.scheduler,
    registryAddress: options.registryAddress ?? addresses?.registry,
    token: options.token ?? (token === "" ? undefined : token),
  };
}

/** Checks options, and says where the services are. @throws RunnerOptionsError naming every field, value and bound that is wrong. */
export function checkOptions(options: RunnerOptions): Addresses {
  const { id, pools = [], capacity = 4, labels = {}, dataFolder } = options;
  const addresses = addressesOf(options);
  const { poolManagerAddress, schedulerAddress, registryAddress } = addresses;
  const problems: string[] = [];
  const name = (field: string, value: string): void => {
    if (!isName(value))
      problems.push(`${field}: ${JSON.stringify(value)} must match [a-z0-9][a-z0-9._-]{0,62} without ".."`);
  };
  if (dataFolder === "") problems.push("dataFolder: is empty; name a folder that belongs to this runner alone");
  if (poolManagerAddress === undefined)
    problems.push("poolManagerAddress: is missing; give it, or a client that knows it");
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
  if (problems.length > 0 || poolManagerAddress === undefined) throw new RunnerOptionsError(problems.join("\n"));
  return { ...addresses, poolManagerAddress };
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
