// Where the four services are, and the token for mutations: from options, from a data folder, or the usual ports.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseYaml, readText } from "@berth/wire/config";
import { z } from "zod";

/** gRPC addresses, `host:port`; those of a service with standbys all, with commas, in the order of trial. */
export interface Addresses {
  /** Tasks and their output. Usually port 50051. */
  readonly registry: string;
  /** Pools, limits, leases. Usually port 50052. */
  readonly poolManager: string;
  /** Queues. Usually port 50053. */
  readonly scheduler: string;
  /** History of concurrency. Usually port 50054. */
  readonly metrics: string;
}

/** How to find a Berth. What is given wins, from top to bottom. */
export interface EndpointOptions {
  /** gRPC addresses, `host:port`; each that is missing comes from below. */
  readonly addresses?: Partial<Addresses>;
  /** Token for mutations. */
  readonly token?: string;
  /** Data folder of a standalone Berth: its `endpoints.json` and `token` are read. */
  readonly dataFolder?: string;
  /** Path of a berth.yaml, whose `dataFolder` is taken. */
  readonly config?: string;
}

/** What was found. */
export interface Endpoints {
  /** gRPC addresses; each that was neither given nor found is the usual one. */
  readonly addresses: Addresses;
  /** Empty if there is none. */
  readonly token: string;
  /** Data folder that was read; undefined if none was. */
  readonly dataFolder: string | undefined;
  /** The standalone Berth of the data folder is stopping: its process, and when it is over at the latest, in milliseconds since 1970. */
  readonly stopping?: { readonly pid: number; readonly byWallMs: number };
}

/** The usual ports on this machine. */
export const usualAddresses: Addresses = {
  registry: "127.0.0.1:50051",
  poolManager: "127.0.0.1:50052",
  scheduler: "127.0.0.1:50053",
  metrics: "127.0.0.1:50054",
};

const address = z.string().min(1);
const endpointsSchema = z.object({
  pid: z.number(),
  stopsBy: z.iso.datetime().optional(),
  addresses: z.object({ registry: address, poolManager: address, scheduler: address, metrics: address }),
});

/**
 * Finds the services. A data folder without `endpoints.json` (no standalone runs on it now) gives the usual ports, so that the
 * first call says that nothing answers there.
 */
export function findEndpoints(options: EndpointOptions = {}): Endpoints {
  const dataFolder = options.dataFolder ?? dataFolderOf(options.config);
  const found = dataFolder === undefined ? undefined : readEndpoints(dataFolder);
  const { pid = 0, stopsBy } = found ?? {};
  return {
    addresses: { ...usualAddresses, ...found?.addresses, ...withoutUndefined(options.addresses ?? {}) },
    token: options.token ?? (dataFolder === undefined ? "" : readToken(dataFolder)),
    dataFolder,
    ...(stopsBy === undefined ? {} : { stopping: { pid, byWallMs: Date.parse(stopsBy) } }),
  };
}

function dataFolderOf(config: string | undefined): string | undefined {
  if (config === undefined) return undefined;
  const file = parseYaml(readText(config), z.looseObject({ dataFolder: z.string().optional() }), config);
  return resolve(dirname(config), file.dataFolder ?? "berth-data");
}

function readEndpoints(dataFolder: string): z.output<typeof endpointsSchema> | undefined {
  const path = join(dataFolder, "endpoints.json");
  return existsSync(path) ? parseYaml(readFileSync(path, "utf8"), endpointsSchema, path) : undefined;
}

function readToken(dataFolder: string): string {
  const path = join(dataFolder, "token");
  return existsSync(path) ? readFileSync(path, "utf8").trim() : "";
}

function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T;
}
