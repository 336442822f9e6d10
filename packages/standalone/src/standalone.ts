import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { InProcessBus } from "@berth/chassis/bus";
import { delay, systemClock } from "@berth/chassis/clock";
import { createChannel, createClient } from "@berth/chassis/grpc";
import { type Component, Lifecycle } from "@berth/chassis/lifecycle";
import { createLogger, type Logger } from "@berth/chassis/log";
import { type FolderLock, lockFolder } from "@berth/chassis/sqlite";
import { startTelemetry, type Telemetry } from "@berth/chassis/telemetry";
import { pool } from "@berth/contracts";
import { createMetrics, metricsConfigSchema } from "@berth/metrics";
import { createPoolManager, poolManagerConfig } from "@berth/pool-manager";
import { createRegistry, registryConfigSchema } from "@berth/registry";
import { createRunner, type Runner } from "@berth/runner";
import { createScheduler, schedulerConfigSchema } from "@berth/scheduler";
import { type BerthConfig, type BerthConfigInput, defaultPool, localCapacity, parseConfig } from "./config.js";
import { declareOnce } from "./declared.js";
import { type PerService, readOrMakeToken, removeEndpoints, type ServiceName, writeEndpoints } from "./folder.js";
import { followLocalPools } from "./local-pools.js";
import { LogFile } from "./log-file.js";

const host = "127.0.0.1";
const readyMs = 30_000;
const readyStepMs = 10;
const dayMs = 86_400_000;

/** How a standalone Berth is started, beside its configuration. */
export interface StandaloneOptions {
  /** True takes free ports, whatever the configuration says. */
  readonly freePorts?: boolean;
  /** File for the log. Default: berth.log in the data folder. */
  readonly logFile?: string;
  /** Where to log instead. */
  readonly logger?: Logger;
}

/** A Berth that runs in this process. */
export interface Standalone {
  /** gRPC addresses, `host:port`. */
  readonly addresses: PerService<string>;
  /** HTTP addresses, `host:port`, for /metrics, /healthz and /readyz. */
  readonly httpAddresses: PerService<string>;
  /** Token that changes need. */
  readonly token: string;
  /** Data folder. */
  readonly dataFolder: string;
  /** File of the log; empty if a logger was given. */
  readonly logFile: string;
  /** The local runner: register handlers here. It serves every pool of type local-process, also those that are made later. */
  readonly runner: Runner;
  /** Resolves if a part has failed for good; stop then, and exit. */
  readonly failed: Promise<Error>;
  /**
   * Takes nothing new, lets running tasks finish for at most the graceful shutdown time, or until `now` resolves, then stops
   * everything and frees the folder. Safe to call twice.
   */
  stop(options?: { now?: Promise<void> }): Promise<void>;
}

/**
 * Starts a standalone Berth; resolves when all of it is ready. `input` is what a berth.yaml may hold, defaults where it says
 * nothing; a relative data folder is taken from the working directory. Throws ConfigError with all that is wrong in it, FolderLocked
 * if another process has the data folder, and PortInUse naming the port; whatever had started is stopped again.
 */
export async function startStandalone(
  input: BerthConfigInput = {},
  options: StandaloneOptions = {},
): Promise<Standalone> {
  return startConfigured(parseConfig(input), options);
}

/** As startStandalone, with a configuration that was checked before, such as loadConfig gives with berthSchema. */
export async function startConfigured(config: BerthConfig, options: StandaloneOptions = {}): Promise<Standalone> {
  const { dataFolder } = config;
  const lock = lockFolder(dataFolder);
  try {
    return await startLocked(config, options, lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function startLocked(config: BerthConfig, options: StandaloneOptions, lock: FolderLock): Promise<Standalone> {
  const { dataFolder, defaults } = config;
  const { retry } = defaults;
  const token = readOrMakeToken(dataFolder);
  const log = options.logger === undefined ? new LogFile(options.logFile ?? join(dataFolder, "berth.log")) : undefined;
  const loggerOf = (service: string): Logger =>
    options.logger?.child({ part: service }) ??
    createLogger({ service, level: config.logLevel, ...(log === undefined ? {} : { destination: log }) });
  const logger = loggerOf("berth");
  const clock = systemClock;
  const telemetry = await telemetries(loggerOf);
  const bus = new InProcessBus({ clock, logger, telemetry: telemetry.bus });
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<Error>((resolve) => {
    fail = resolve;
  });

  const port = (name: keyof BerthConfig["ports"]) => (options.freePorts === true ? 0 : config.ports[name]);
  const common = (name: ServiceName) => ({
    host,
    port: port(name),
    httpPort: port(`${name}Http`),
    token,
  });
  const parts = (service: TracedPart) => ({
    clock,
    logger: loggerOf(service),
    telemetry: telemetry[service],
    bus,
    onFailed: fail,
    // It is one process: the metrics service tells of it, beside what speaks for the whole of Berth.
    processMetrics: service === "metrics",
  });
  const ports = new Map<ServiceName, { grpc: number; http: number }>();
  const address = (name: ServiceName) => `${host}:${ports.get(name)?.grpc ?? 0}`;
  const readiness: (() => Readiness)[] = [];

  // Each is made when its turn comes, because it must know the ports of those before it.
  const service = (name: ServiceName, create: () => Service): Component =>
    inTurn(async () => {
      const made = create();
      return { ...lifecycleOf(made), start: () => made.start().then(() => note(name, made)) };
    });
  const note = (name: ServiceName, made: Service): void => {
    ports.set(name, { grpc: read(made.port), http: read(made.httpPort) });
    readiness.push(() => made.ready());
  };

  const local: { runner?: Runner } = {};
  const lifecycle = new Lifecycle([
    whenStopped(async () => void (await Promise.all(Object.values(telemetry).map((each) => each.stop())))),
    whenStopped(() => bus.close()),
    service("poolManager", () => {
      const made = createPoolManager({
        ...parts("pool-manager"),
        dataId: randomUUID().replaceAll("-", ""),
        config: poolManagerConfig.parse({
          ...common("poolManager"),
          token,
          dataFolder,
          heartbeatTimeoutMs: defaults.heartbeatTimeout,
          killTimeMs: defaults.killTime,
          timerLatenessMs: defaults.timerLateness,
          lateWaitMs: defaults.lateResultWait,
          retentionMs: defaults.keepFinished,
        }),
      });
      const ready = () => made.ready();
      return { ...lifecycleOf(made), port: () => made.ports.grpc, httpPort: () => made.ports.http, ready };
    }),
    atStart(async () => {
      const channel = createChannel(address("poolManager"));
      try {
        const client = { pools: createClient(pool.PoolServiceDefinition, channel, { token, retry: true }) };
        await declareOnce(config, dataFolder, client, logger);
      } finally {
        channel.close();
      }
    }),
    service("registry", () =>
      createRegistry({
        ...parts("registry"),
        config: registryConfigSchema.parse({
          ...common("registry"),
          dataFolder,
          poolManagerAddress: address("poolManager"),
          defaultPool: defaultPool(config) || "default",
          retry: {
            maxAttempts: retry.attempts,
            backoff: retry.backoff,
            multiplier: retry.multiplier,
            maxBackoff: retry.maxBackoff,
          },
          retentionDays: defaults.keepFinished / dayMs,
        }),
      }),
    ),
    service("scheduler", () =>
      createScheduler({
        ...parts("scheduler"),
        config: schedulerConfigSchema.parse({
          ...common("scheduler"),
          registryAddress: address("registry"),
          poolManagerAddress: address("poolManager"),
          policy: defaults.policy,
        }),
      }),
    ),
    service("metrics", () =>
      createMetrics({
        ...parts("metrics"),
        config: metricsConfigSchema.parse({
          ...common("metrics"),
          dataFolder,
          poolManagerAddress: address("poolManager"),
          schedulerAddress: address("scheduler"),
        }),
      }),
    ),
    inTurn(async () => {
      const runnerFolder = join(dataFolder, "runner");
      const hasRun = existsSync(runnerFolder);
      const made = createRunner({
        dataFolder: runnerFolder,
        id: config.runner.id,
        poolManagerAddress: address("poolManager"),
        schedulerAddress: address("scheduler"),
        registryAddress: address("registry"),
        token,
        labels: config.runner.labels,
        bus,
        clock,
        logger: loggerOf("runner"),
        telemetry: telemetry.runner,
        ...(config.runner.cwd === undefined ? {} : { workFolder: config.runner.cwd }),
        ...(config.runner.secretsFolder === undefined ? {} : { secretsFolder: config.runner.secretsFolder }),
      });
      local.runner = made;
      const channel = createChannel(address("poolManager"));
      const catalogue = createClient(pool.PoolServiceDefinition, channel);
      const following = followLocalPools({
        watch: (signal) => catalogue.watchCatalogue({}, { signal }),
        capacity: (together) => localCapacity(config, together),
        runner: made,
        atOnce: hasRun,
        clock,
        logger: loggerOf("runner"),
      });
      readiness.push(() => (following.isStarted ? made.health : { ready: true, checks: {} }));
      return {
        start: () => following.start(),
        drain: async () => following.drain?.(),
        stop: async () => {
          await following.stop();
          channel.close();
        },
      };
    }),
  ]);
  const tidyUp = (): void => {
    removeEndpoints(dataFolder);
    log?.close();
    lock.release();
  };

  try {
    await lifecycle.start();
    await allReady(readiness);
  } catch (error) {
    await lifecycle
      .stop()
      .catch((other: unknown) => logger.error({ error: other }, "stopping after a failed start failed as well"));
    tidyUp();
    throw error;
  }
  const { runner } = local;
  if (!runner) throw new Error("everything has started but the local runner");
  const perService = (kind: "grpc" | "http"): PerService<string> => {
    const at = (name: ServiceName) => `${host}:${ports.get(name)?.[kind] ?? 0}`;
    return {
      registry: at("registry"),
      poolManager: at("poolManager"),
      scheduler: at("scheduler"),
      metrics: at("metrics"),
    };
  };
  const addresses = perService("grpc");
  const httpAddresses = perService("http");
  const endpoints = { pid: process.pid, addresses, http: httpAddresses };
  writeEndpoints(dataFolder, endpoints);

  let stopped: Promise<void> | undefined;
  const stopOnce = async (now: Promise<void>): Promise<void> => {
    lifecycle.announceStop();
    // It still answers, and whoever asks should hear what it waits for. A full disk keeps nobody from stopping.
    const stopsBy = new Date(clock.wallMs() + defaults.gracefulShutdown).toISOString();
    try {
      writeEndpoints(dataFolder, { ...endpoints, stopsBy });
    } catch (error) {
      logger.warn({ error }, "endpoints.json couldn't be changed to say that Berth is stopping");
    }
    const enough = new AbortController();
    const drained = runner.drain().catch((error: unknown) => logger.error({ error }, "draining the runner failed"));
    await Promise.race([drained, now, delay(clock, defaults.gracefulShutdown, enough.signal)]);
    enough.abort();
    try {
      await lifecycle.stop();
    } finally {
      tidyUp();
    }
  };
  return {
    addresses,
    httpAddresses,
    token,
    dataFolder,
    logFile: log?.path ?? "",
    runner,
    failed,
    stop({ now = new Promise<void>(() => undefined) } = {}) {
      stopped ??= stopOnce(now);
      return stopped;
    },
  };
}

const tracedParts = ["registry", "pool-manager", "scheduler", "metrics", "runner", "bus"] as const;
type TracedPart = (typeof tracedParts)[number];

/** Tracing of each part under a name of its own, so that a trace looks the same whether the parts share a process or not. */
async function telemetries(loggerOf: (part: string) => Logger): Promise<Record<TracedPart, Telemetry>> {
  const started = tracedParts.map(async (part) => {
    const logger = loggerOf(part);
    return [part, await startTelemetry({ service: `berth-${part}`, environment: process.env, logger })] as const;
  });
  return Object.fromEntries(await Promise.all(started)) as Record<TracedPart, Telemetry>;
}

interface Readiness {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, string>>;
}

interface Service extends Component {
  // Known once it has started.
  readonly port: number | (() => number);
  readonly httpPort: number | (() => number);
  ready(): Readiness;
}

function read(value: number | (() => number)): number {
  return typeof value === "function" ? value() : value;
}

function lifecycleOf(component: Component): Component {
  return {
    start: () => component.start(),
    stop: () => component.stop(),
    ...(component.announceStop === undefined ? {} : { announceStop: () => component.announceStop?.() }),
    ...(component.drain === undefined ? {} : { drain: () => component.drain?.() ?? Promise.resolve() }),
  };
}

/** A component that is made only when its turn to start comes. */
function inTurn(create: () => Promise<Component>): Component {
  let made: Component | undefined;
  return {
    async start() {
      made = await create();
      await made.start();
    },
    announceStop: () => made?.announceStop?.(),
    drain: async () => made?.drain?.(),
    stop: async () => made?.stop(),
  };
}

function atStart(start: () => Promise<void>): Component {
  return { start, stop: async () => undefined };
}

function whenStopped(stop: () => Promise<void>): Component {
  return { start: async () => undefined, stop };
}

/** Waits until every part says that it is ready; fails naming those that aren't. */
async function allReady(readiness: readonly (() => Readiness)[]): Promise<void> {
  const until = systemClock.monoMs() + readyMs;
  for (;;) {
    const waiting = readiness
      .map((each) => each())
      .filter((each) => !each.ready || Object.values(each.checks).some((check) => check !== "ok"));
    if (waiting.length === 0) return;
    if (systemClock.monoMs() > until) {
      const wrong = waiting.flatMap((each) => Object.entries(each.checks)).filter(([, check]) => check !== "ok");
      throw new Error(
        `not ready within ${readyMs / 1_000} s: ${wrong.map(([part, check]) => `${part}: ${check}`).join("; ")}; the log says more`,
      );
    }
    await delay(systemClock, readyStepMs);
  }
}
