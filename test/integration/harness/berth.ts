import type { ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BerthClient, createClient } from "@berth/client";
import type { BerthConfigInput } from "@berth/standalone";
import { spawnTied } from "@berth/testkit";
import { until } from "./until.js";

/** The repository's root: from the source or from what is compiled of it. */
export const root = rootAbove(dirname(fileURLToPath(import.meta.url)));
/** The `berth` command, as built. */
export const cli = join(root, "packages/cli/dist/main.js");

function rootAbove(folder: string): string {
  return existsSync(join(folder, "turbo.json")) ? folder : rootAbove(dirname(folder));
}

/** A standalone Berth in a process of its own. */
export interface Berth {
  /** Folder of its berth.yaml; its data folder lies in it. */
  readonly folder: string;
  /** Its data folder. */
  readonly dataFolder: string;
  /** A client of it. */
  readonly client: BerthClient;
  /** Its process. */
  readonly child: ChildProcess;
  /** Everything it has printed. */
  output(): string;
  /** URL of a service's HTTP port. */
  http(service: "registry" | "poolManager" | "scheduler" | "metrics"): string;
  /** kill -9, and waits until it is gone. */
  kill(): Promise<void>;
  /** SIGTERM, and waits until it has stopped; returns its exit code. */
  stop(): Promise<number | null>;
}

/** A folder for one test, deleted by `remove`. */
export function scratchFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "berth-journey-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) };
}

/** Every port a free one. */
export const freePorts = {
  registry: 0,
  poolManager: 0,
  scheduler: 0,
  metrics: 0,
  registryHttp: 0,
  poolManagerHttp: 0,
  schedulerHttp: 0,
  metricsHttp: 0,
};

/** Starts a standalone Berth on free ports over the data folder in `folder`, and waits until all of it is ready. */
export async function startBerth(
  folder: string,
  config: BerthConfigInput = {},
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Berth> {
  const dataFolder = join(folder, "berth-data");
  const file = join(folder, "berth.yaml");
  writeFileSync(file, JSON.stringify({ ports: freePorts, dataFolder, ...config }));
  const { child, output, exited } = startProcess(["up", "--config", file], folder, environment);
  const endpointsFile = join(dataFolder, "endpoints.json");
  await until("the standalone process to be ready", async () => {
    if (child.exitCode !== null) throw new Error(`berth up ended with ${child.exitCode}:\n${output()}`);
    if (!existsSync(endpointsFile)) return false;
    const endpoints = JSON.parse(readFileSync(endpointsFile, "utf8")) as { pid: number };
    return endpoints.pid === child.pid;
  });
  const endpoints = JSON.parse(readFileSync(endpointsFile, "utf8")) as { http: Record<string, string> };
  const client = createClient({ dataFolder });
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    client.close();
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    return exited;
  };
  return {
    folder,
    dataFolder,
    client,
    child,
    output,
    http: (service) => `http://${endpoints.http[service]}`,
    kill: async () => void (await end("SIGKILL")),
    stop: () => end("SIGTERM"),
  };
}

/** The ports that a Berth has, for another start of it that its clients find again. */
export function portsOf(berth: Berth): Record<keyof typeof freePorts, number> {
  const { addresses } = berth.client.endpoints;
  const port = (address: string) => Number(address.split(":").at(-1));
  return {
    registry: port(addresses.registry),
    poolManager: port(addresses.poolManager),
    scheduler: port(addresses.scheduler),
    metrics: port(addresses.metrics),
    registryHttp: port(berth.http("registry")),
    poolManagerHttp: port(berth.http("poolManager")),
    schedulerHttp: port(berth.http("scheduler")),
    metricsHttp: port(berth.http("metrics")),
  };
}

/** Folder that every process started here leaves a V8 profile in when it ends; undefined takes none. */
const profileFolder = process.env.CPU_PROFILE_FOLDER;

/** Starts the `berth` command with `args`. */
export function startProcess(args: readonly string[], cwd: string, environment: NodeJS.ProcessEnv = process.env) {
  const profiling = profileFolder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileFolder}`];
  const command = [...profiling, cli, ...args];
  const child = spawnTied(process.execPath, command, { cwd, env: environment, stdio: ["ignore", "pipe", "pipe"] });
  const printed: string[] = [];
  child.stdout?.on("data", (chunk: Buffer) => printed.push(chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => printed.push(chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  return { child, exited, output: () => printed.join("") };
}
