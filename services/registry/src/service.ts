import { statfs } from "node:fs/promises";
import { hostname } from "node:os";
import type { Bus } from "@berth/chassis/bus";
import type { Clock } from "@berth/chassis/clock";
import { Leadership } from "@berth/chassis/engine";
import { createChannel, GrpcServer, ReasonError } from "@berth/chassis/grpc";
import {
  busCheck,
  drainingCheck,
  exportDependencies,
  exportProcess,
  type HttpServer,
  itemsPerMessage,
  startHttp,
  storeCheck,
} from "@berth/chassis/http";
import type { Component } from "@berth/chassis/lifecycle";
import type { Logger } from "@berth/chassis/log";
import { noTelemetry, type Telemetry } from "@berth/chassis/telemetry";
import { registry as contract } from "@berth/contracts";
import { Registry as Metrics } from "prom-client";
import { LogApi } from "./api/log-service.js";
import { poolClient } from "./api/pool-client.js";
import { ReadyApi } from "./api/ready-service.js";
import { RegistryApi } from "./api/registry-service.js";
import type { RegistryConfig } from "./config.js";
import { exportFigures, type Hop } from "./engine/figures.js";
import { CatalogueFollower, LeaseFollower } from "./engine/follower.js";
import { Logs } from "./engine/logs.js";
import type { PoolsPort } from "./engine/pools.js";
import { Pruner } from "./engine/pruner.js";
import { Registry } from "./engine/registry.js";
import { Forbidder, Ticker } from "./engine/todo.js";
import { FinishTracer, traceTasks } from "./engine/tracing.js";
import { subscribeLeaseHints } from "./events/lease-hint.js";
import { openStores, type RegistryStores } from "./store/open.js";

/** What the registry service is made of. */
export interface RegistryServiceOptions {
  /** Exports `process_*` and `nodejs_*` too; false where another service of the same process does. Default: true. */
  readonly processMetrics?: boolean;
  readonly config: RegistryConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly bus: Bus;
  /** Default: off. */
  readonly telemetry?: Telemetry;
  /** Where it keeps what it keeps. Default: as the settings say. Closed when the service stops. */
  readonly stores?: RegistryStores;
  /** Called once when the engine has failed: the process must exit. */
  readonly onFailed: (error: Error) => void;
}

/** The registry service as a part of a process. */
export interface RegistryService extends Component {
  /** gRPC port; known once started. */
  readonly port: number;
  /** HTTP port; known once started. */
  readonly httpPort: number;
  /** Whether it can do its work, as `/readyz` says it. */
  ready(): { ready: boolean; checks: Record<string, string> };
}

/**
 * Composes the registry. `start` resolves when it has loaded and listens; with a database, when it waits as a standby, which it leaves by
 * itself. The pool-manager may come later.
 */
export function createRegistry(options: RegistryServiceOptions): RegistryService {
  const { config, clock, logger, bus, telemetry = noTelemetry, onFailed } = options;
  const token = config.token?.reveal();
  const metrics = new Metrics();
  if (options.processMetrics !== false) exportProcess(metrics);
  const note = itemsPerMessage<Hop>(metrics);
  const parts: { stop(): unknown }[] = [];
  let registry: Registry | undefined;
  let leadership: Leadership | undefined;
  let follower: LeaseFollower | undefined;
  let http: HttpServer | undefined;
  let port = 0;
  let server: GrpcServer | undefined;
  let listens = false;
  let draining = false;
  let started: Promise<void> | undefined;
  let stopped: Promise<void> | undefined;

  const dependencies = (): Record<string, string> => ({
    store: storeCheck(registry?.state ?? "new"),
    "pool-manager": follower?.up ? "ok" : "doesn't answer; results wait there",
    bus: busCheck(bus),
  });
  const ready = (): { ready: boolean; checks: Record<string, string> } => {
    const engine = registry?.state ?? "new";
    const catalogue = registry?.core.memory.catalogue ? "ok" : "pools and limits aren't known yet";
    const leads = leadership?.check ?? "not started yet";
    return {
      ready: !draining && listens && engine === "running",
      checks: {
        ...drainingCheck(draining),
        engine: engine === "running" ? "ok" : engine,
        leadership: leads,
        catalogue,
        ...dependencies(),
      },
    };
  };

  const checkSpace = async (): Promise<void> => {
    // The database's disk isn't ours to look at; what it can't take stalls the engine, which says so.
    if (config.database) return;
    const { bavail, bsize } = await statfs(config.dataFolder);
    const free = bavail * bsize;
    if (free >= config.freeSpaceMin) return;
    throw new ReasonError(
      "NO_SPACE",
      `${free} bytes are free in the data folder, ${config.freeSpaceMin} are needed to take a submission: free some space and submit again; nothing was taken`,
      { retryAfterMs: 10_000 },
    );
  };

  async function start(): Promise<void> {
    const channel = createChannel(config.poolManagerAddress);
    parts.unshift({ stop: () => channel.close() });
    const pools = poolClient(channel, token, (events) => note("lease_event", events));
    const { store, logs: logStore } = options.stores ?? openStores(config);
    parts.unshift({ stop: () => logStore.close() });
    const { maxAttempts, backoff, multiplier, maxBackoff } = config.retry;
    const settings = {
      pool: config.defaultPool,
      retry: { maxAttempts, backoffMs: backoff, multiplier, maxBackoffMs: maxBackoff },
      runnerLossLimit: config.runnerLossLimit,
      noResultLimit: config.noResultLimit,
    };
    const holder = `${hostname()} process ${process.pid}`;
    const core = new Registry({ store, settings, clock, logger, pools, onFailed, holder });
    registry = core;
    parts.unshift(core);
    leadership = new Leadership({
      name: "registry",
      leader: core,
      store,
      takeover: config.database && { takeoverMs: config.takeover },
      clock,
      logger,
      metrics,
      onFailed,
    });
    exportDependencies(metrics, dependencies);
    http = await startHttp({
      host: config.host,
      port: config.httpPort,
      allowedHosts: config.allowedHosts,
      logger,
      metrics,
      ready,
    });
    parts.unshift(http);
    await leadership.start(() => serve(core, pools, store, logStore));
  }

  async function serve(
    core: Registry,
    pools: PoolsPort,
    store: RegistryStores["store"],
    logStore: RegistryStores["logs"],
  ): Promise<void> {
    const logs = new Logs(core, logStore, config.logLimit);
    traceTasks(core, telemetry);
    const lease = new LeaseFollower({
      registry: core,
      pools,
      clock,
      logger,
      tracer: new FinishTracer(core, telemetry),
    });
    follower = lease;
    const catalogue = new CatalogueFollower({ registry: core, pools, clock, logger });
    const forbidder = new Forbidder({ registry: core, pools, clock, logger });
    const ticker = new Ticker({ registry: core, clock, logger });
    const pruner = new Pruner({ store, logs: logStore, clock, logger, retentionMs: config.retentionDays * 86_400_000 });
    exportFigures(metrics, core, lease, logs, clock);

    const fence = () => leadership?.fence();
    const grpc = new GrpcServer({
      logger,
      metrics,
      telemetry,
      bounds: config,
      fence,
      ...(token === undefined ? {} : { token }),
    });
    server = grpc;
    grpc.add(
      contract.RegistryServiceDefinition,
      new RegistryApi({ registry: core, telemetry, logger, checkSpace, note }),
    );
    grpc.add(contract.LogServiceDefinition, new LogApi(core, logs, clock, (pieces) => note("output", pieces)));
    grpc.add(contract.ReadyServiceDefinition, new ReadyApi(core, (runs) => note("run", runs)));
    for (const part of [lease, catalogue, forbidder, ticker, pruner]) {
      part.start();
      parts.unshift(part);
    }
    parts.unshift(subscribeLeaseHints(bus, lease, logger), { stop: () => grpc.stop() });
    port = await grpc.listen(config.host, config.port);
    listens = true;
    grpc.setServing(!draining);
    logger.info({ port, httpPort: http?.port }, "the registry listens");
  }

  const announceStop = (): void => {
    draining = true;
    server?.setServing(false);
  };

  return {
    announceStop,
    get port() {
      return port;
    },
    get httpPort() {
      return http?.port ?? 0;
    },
    ready,
    start: () => {
      started ??= start();
      return started;
    },
    stop: () => {
      announceStop();
      stopped ??= (async () => {
        // Before the list is walked: what is under way may still add to it.
        await leadership?.stop();
        for (const part of parts) await part.stop();
      })();
      return stopped;
    },
  };
}
