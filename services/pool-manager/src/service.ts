import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import type { Bus } from "@berth/chassis/bus";
import type { Clock } from "@berth/chassis/clock";
import { Leadership } from "@berth/chassis/engine";
import { GrpcServer } from "@berth/chassis/grpc";
import {
  busCheck,
  drainingCheck,
  exportDependencies,
  exportProcess,
  itemsPerMessage,
  startHttp,
  storeCheck,
} from "@berth/chassis/http";
import type { Component } from "@berth/chassis/lifecycle";
import type { Logger } from "@berth/chassis/log";
import type { Telemetry } from "@berth/chassis/telemetry";
import { pool, runner } from "@berth/contracts";
import { Registry } from "prom-client";
import { BidApi } from "./api/bid-api.js";
import { LeaseApi } from "./api/lease-api.js";
import { LedgerApi } from "./api/ledger-api.js";
import { registerMetrics } from "./api/metrics.js";
import { PoolApi } from "./api/pool-api.js";
import { Proofs } from "./api/proofs.js";
import { type PoolManagerConfig, seedsOf } from "./config.js";
import { runnerTtlMs } from "./domain/time.js";
import { Dispatcher } from "./engine/dispatcher.js";
import type { PoolStore } from "./engine/ports.js";
import { PoolEngine } from "./engine/service.js";
import { PoolBus } from "./events/bus.js";
import { openStore } from "./store/open.js";

/** What a pool-manager is made of. */
export interface PoolManagerOptions {
  /** Exports `process_*` and `nodejs_*` too; false where another service of the same process does. Default: true. */
  readonly processMetrics?: boolean;
  /** Settings, as `poolManagerConfig` checked them. */
  readonly config: PoolManagerConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly bus: Bus;
  readonly telemetry?: Telemetry;
  /** Where the metrics go; default a registry of its own. */
  readonly metrics?: Registry;
  /** Random hexadecimal text, used where the data are new. */
  readonly dataId: string;
  /** Default: as the settings say. */
  readonly store?: PoolStore;
  /** Called once when the service can't go on: the process must exit. */
  readonly onFailed: (error: Error) => void;
}

/** A pool-manager. Without a database the caller holds the lock of the data folder. */
export interface PoolManager extends Component {
  /** Ports that it listens on, once started. */
  readonly ports: { readonly grpc: number; readonly http: number };
  /** Its engine; tests corrupt `engine.core.state.ledger` to see the auditor at work. */
  readonly engine: PoolEngine;
  /** Its metrics. */
  readonly metrics: Registry;
  /** Whether it can do its work, as `/readyz` says it. */
  ready(): { ready: boolean; checks: Record<string, string> };
  /** Brings every gauge up to date, from one snapshot. */
  refreshMetrics(): Promise<void>;
}

/** Composes a pool-manager. Nothing happens before `start`. */
export function createPoolManager(options: PoolManagerOptions): PoolManager {
  const { config, clock, logger, bus, telemetry, dataId, onFailed } = options;
  const metrics = options.metrics ?? new Registry();
  if (options.processMetrics !== false) exportProcess(metrics);
  const ports = { grpc: 0, http: 0 };
  const store = options.store ?? openStore(config);
  const engine = new PoolEngine({
    store,
    holder: `${hostname()} process ${process.pid}`,
    settings: {
      ttlMs: config.heartbeatTimeoutMs,
      lateWaitMs: config.lateWaitMs,
      assignTimeoutMs: config.assignTimeoutMs ?? config.heartbeatTimeoutMs / 2,
      overtakeLimit: config.overtakeLimit,
      remembered: config.rememberedLeases,
      standingMax: config.standingBidsMax,
    },
    clock,
    logger,
    ...(telemetry && { telemetry }),
    dataId,
    leaseKey: randomBytes(32).toString("hex"),
    ...seedsOf(config),
    auditMs: config.auditMs,
    retentionMs: config.retentionMs,
    onFailed,
  });
  const dispatcher = new Dispatcher();
  engine.onCommit((commit) => dispatcher.committed(commit));
  const proofs = new Proofs(() => engine.leaseKey, metrics);
  const poolBus = new PoolBus(engine, bus, proofs, logger);
  const refreshMetrics = registerMetrics(metrics, engine, () => ({ monoMs: clock.monoMs(), wallMs: clock.wallMs() }));
  const leadership = new Leadership({
    name: "pool-manager",
    leader: engine,
    store,
    takeover: config.database && { takeoverMs: config.takeover },
    clock,
    logger,
    metrics,
    onFailed,
  });
  const server = new GrpcServer({
    logger,
    metrics,
    fence: () => leadership.fence(),
    bounds: config,
    ...(config.token !== undefined && { token: config.token.reveal() }),
    ...(telemetry && { telemetry }),
  })
    .add(pool.PoolServiceDefinition, new PoolApi(engine))
    .add(pool.BidServiceDefinition, new BidApi(engine, dispatcher, proofs))
    .add(pool.LeaseLedgerServiceDefinition, new LedgerApi(engine))
    .add(runner.LeaseServiceDefinition, new LeaseApi(engine, runnerTtlMs(config), proofs, itemsPerMessage(metrics)));
  let http: Awaited<ReturnType<typeof startHttp>> | undefined;
  let serving = false;
  let draining = false;
  const dependencies = () => ({ store: storeCheck(engine.engine.state), bus: busCheck(bus) });
  exportDependencies(metrics, dependencies);
  const ready = () => ({
    ready: serving && !draining && engine.engine.state === "running",
    checks: {
      ...drainingCheck(draining),
      engine: engine.engine.state === "running" ? "ok" : engine.engine.state,
      leadership: leadership.check,
      ...dependencies(),
    },
  });

  const announceStop = (): void => {
    draining = true;
    server.setServing(false);
  };

  return {
    ports,
    engine,
    metrics,
    refreshMetrics,
    ready,
    async start() {
      http = await startHttp({
        host: config.host,
        port: config.httpPort,
        allowedHosts: config.allowedHosts,
        logger,
        metrics,
        ready,
        // A standby has no figures of its own.
        beforeMetrics: async () => (leadership.check === "ok" ? refreshMetrics() : undefined),
      });
      ports.http = http.port;
      await leadership.start(async () => {
        poolBus.start();
        ports.grpc = await server.listen(config.host, config.port);
        serving = true;
        server.setServing(!draining);
        logger.info({ port: ports.grpc, httpPort: ports.http }, "the pool-manager listens");
      });
    },
    announceStop,
    async stop() {
      announceStop();
      serving = false;
      await leadership.stop();
      await server.stop();
      await poolBus.stop();
      await http?.stop();
      await engine.stop();
    },
  };
}
