// `berth up`: everything in this process, until Ctrl-C. With --demo it also shows a set being worked off.
import { readText } from "@berth/chassis/config";
import { createClient, parseTaskFile } from "@berth/client";
import type { Standalone } from "@berth/standalone";
import { wholeNumber } from "../arguments.js";
import { UsageError } from "../errors.js";
import { hint } from "../hints.js";
import { type Io, paint, printJson, say } from "../io.js";
import { findPlaces, type GlobalOptions } from "../places.js";
import { readConfig } from "../settings.js";
import { whatRuns } from "../stopping.js";
import { follow } from "./follow.js";
import { submitTasks } from "./submission.js";
import { showSummary } from "./summary.js";

/** Flags of `berth up`. */
export interface UpOptions extends GlobalOptions {
  readonly ports?: string;
  readonly log?: string;
  readonly demo?: string;
  readonly once?: boolean;
}

const portNames = ["registry", "poolManager", "scheduler", "metrics"] as const;

/** `berth up`. Returns after Ctrl-C or SIGTERM, or with `--once` when the demo's set is done. */
export async function up(options: UpOptions, io: Io): Promise<number> {
  if (options.once === true && options.demo === undefined)
    throw new UsageError("--once ends when the set of --demo is done: give --demo FILE as well");
  // The demo is read first: a broken file shouldn't cost a start.
  const demo = options.demo === undefined ? undefined : parseTaskFile(readText(options.demo), options.demo);
  const { config: file, dataFolder } = findPlaces(options, io.environment);
  const flags = { ...(dataFolder === undefined ? {} : { dataFolder }), ...portFlags(options.ports) };
  const config = await readConfig({ environment: io.environment, flags, ...(file === undefined ? {} : { file }) });
  const { PortInUse, startConfigured } = await import("@berth/standalone");
  const start = (freePorts: boolean) =>
    startConfigured(config, { freePorts, ...(options.log === undefined ? {} : { logFile: options.log }) });
  const signals = stopSignals();
  let standalone: Standalone;
  try {
    standalone = await start(false).catch((error: unknown) => {
      // A run that ends by itself bothers nobody with ports.
      if (error instanceof PortInUse && options.once === true && options.ports === undefined) return start(true);
      throw error;
    });
  } catch (error) {
    signals.release();
    throw error;
  }
  if (options.json === true)
    printJson(
      io,
      {
        addresses: standalone.addresses,
        httpAddresses: standalone.httpAddresses,
        dataFolder: standalone.dataFolder,
        pid: process.pid,
      },
      { oneLine: true },
    );
  else welcome(standalone, io);
  const failed = standalone.failed.then((error) => error);
  try {
    const code = demo === undefined ? undefined : await showDemo(standalone, demo, options, io, signals.first);
    if (options.once === true) return code ?? 1;
    if (options.json !== true)
      say(io, demo === undefined ? "running; Ctrl-C stops it" : "Berth goes on; Ctrl-C stops it");
    const error = await Promise.race([signals.first.then(() => undefined), failed]);
    if (error !== undefined) throw error;
    return 0;
  } finally {
    if (options.json !== true && options.once !== true)
      void sayStopping(standalone, config.defaults.gracefulShutdown, io);
    await standalone.stop({ now: signals.second });
    signals.release();
  }
}

async function sayStopping({ addresses, token }: Standalone, graceMs: number, io: Io): Promise<void> {
  const client = createClient({ addresses, token });
  const runs = await whatRuns(client);
  client.close();
  const most = `for ${Math.ceil(graceMs / 1_000)} s at most`;
  io.writeError(`Berth is stopping; ${runs}, ${most}; Ctrl-C again stops what runs at once\n`);
}

function portFlags(ports: string | undefined): Record<string, number> {
  if (ports === undefined) return {};
  const names = [...portNames.map((name) => `ports.${name}`), ...portNames.map((name) => `ports.${name}Http`)];
  if (ports === "free") return Object.fromEntries(names.map((name) => [name, 0]));
  const first = wholeNumber("--ports", ports, 1, 65_524);
  // gRPC ports first, HTTP ports behind them, so that one number moves all eight.
  return Object.fromEntries(names.map((name, index) => [name, first + index]));
}

function welcome(standalone: Standalone, io: Io): void {
  const { addresses, httpAddresses } = standalone;
  // Where the working folder alone doesn't lead here, by its berth.yaml or ./berth-data.
  const { BERTH_CONFIG, BERTH_DATA_FOLDER } = io.environment;
  const led = io.places.data ?? io.places.config ?? BERTH_CONFIG ?? BERTH_DATA_FOLDER;
  const there = led === undefined ? {} : { data: standalone.dataFolder };
  say(io, `${paint(io, "bold", "Berth is up")} (process ${process.pid})`);
  for (const [title, name] of [
    ["registry", "registry"],
    ["pool-manager", "poolManager"],
    ["scheduler", "scheduler"],
    ["metrics", "metrics"],
  ] as const)
    say(io, `  ${title.padEnd(13)} gRPC ${addresses[name].padEnd(16)}  http://${httpAddresses[name]}/metrics`);
  say(io, `  data folder   ${standalone.dataFolder}   log ${standalone.logFile}`);
  say(
    io,
    `  from another terminal:  ${["status", "run -- echo hello", "--help"].map((each) => hint(io, each, there)).join("    ")}`,
  );
  say(
    io,
    `  without the CLI:  npx buf curl --protocol grpc --http2-prior-knowledge http://${addresses.registry} --list-methods`,
  );
  say(io);
}

async function showDemo(
  standalone: Standalone,
  demo: ReturnType<typeof parseTaskFile>,
  options: UpOptions,
  io: Io,
  interrupted: Promise<void>,
): Promise<number> {
  const client = createClient({ addresses: standalone.addresses, token: standalone.token });
  const stop = new AbortController();
  void interrupted.then(() => stop.abort());
  try {
    const submitted = await submitTasks(client, demo, { limit: [], env: [], secret: [] }, io);
    if (options.json !== true)
      say(io, `${submitted.taskCount} tasks of ${options.demo} submitted as set ${submitted.set}`);
    const end = await follow(client, submitted.set, io, {
      json: options.json === true,
      signal: stop.signal,
      ownSignals: true,
    });
    if (end === "detached") return 130;
    if (options.json !== true) await showSummary(client, submitted.set, io);
    return end === "succeeded" ? 0 : 1;
  } finally {
    client.close();
  }
}

/** The first SIGINT or SIGTERM, and the second. */
function stopSignals(): { first: Promise<void>; second: Promise<void>; release(): void } {
  const resolvers: (() => void)[] = [];
  const first = new Promise<void>((resolve) => resolvers.push(resolve));
  const second = new Promise<void>((resolve) => resolvers.push(resolve));
  const onSignal = () => resolvers.shift()?.();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, onSignal);
  return {
    first,
    second,
    release() {
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, onSignal);
    },
  };
}
