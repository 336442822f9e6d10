import { randomBytes } from "node:crypto";
import type { Bus } from "@berth/chassis/bus";
import { busCheck, itemsPerMessage, storeCheck } from "@berth/chassis/http";
import {
  createService,
  type Service,
  type ServiceBody,
  type ServiceOptions,
  type Shell,
  thisProcess,
} from "@berth/chassis/service";
import { pool, runner } from "@berth/contracts";
import { BidApi } from "./api/bid-api.js";
import { LeaseApi } from "./api/lease-api.js";
import { LedgerApi } from "./api/ledger-api.js";
import { registerMetrics } from "./api/metrics.js";
import { PoolApi } from "./api/pool-api.js";
import { Proofs } from "./api/proofs.js";
import { engineSettingsOf, type PoolManagerConfig } from "./config.js";
import { runnerTtlMs } from "./domain/time.js";
import { Dispatcher } from "./engine/dispatcher.js";
import type { PoolStore } from "./engine/ports.js";
import { PoolEngine } from "./engine/service.js";
import { PoolBus } from "./events/bus.js";
import { openStore } from "./store/open.js";

/** What a pool-manager is made of. */
export interface PoolManagerOptions extends ServiceOptions<PoolManagerConfig> {
  readonly bus: Bus;
  /** Random hexadecimal text, used where the data are new. */
  readonly dataId: string;
  /** Default: as the settings say. */
  readonly store?: PoolStore;
  readonly onFailed: (error: Error) => void;
}

/** A pool-manager. Without a database the caller holds the lock of the data folder. */
export interface PoolManager extends Service {
  /** Its engine; tests corrupt `engine.core.state.ledger` to see the auditor at work. */
  readonly engine: PoolEngine;
}

/** Composes a pool-manager. */
export function createPoolManager(options: PoolManagerOptions): PoolManager {
  const { config, clock, logger, telemetry, dataId, onFailed, store = openStore(config) } = options;
  const engine = new PoolEngine({
    ...engineSettingsOf(config),
    ...{ store, clock, logger, dataId, onFailed, holder: thisProcess() },
    ...(telemetry && { telemetry }),
    leaseKey: randomBytes(32).toString("hex"),
  });
  return Object.assign(
    createService("pool-manager", options, (shell) => compose(options, engine, shell)),
    { engine },
  );
}

function compose(
  { config, clock, logger, bus }: PoolManagerOptions,
  engine: PoolEngine,
  { metrics, grpc, listening }: Shell,
): ServiceBody {
  const dispatcher = new Dispatcher();
  engine.onCommit((commit) => dispatcher.committed(commit));
  const proofs = new Proofs(() => engine.leaseKey, metrics);
  grpc
    .add(pool.PoolServiceDefinition, new PoolApi(engine))
    .add(pool.BidServiceDefinition, new BidApi(engine, dispatcher, proofs))
    .add(pool.LeaseLedgerServiceDefinition, new LedgerApi(engine))
    .add(runner.LeaseServiceDefinition, new LeaseApi(engine, runnerTtlMs(config), proofs, itemsPerMessage(metrics)));
  return {
    lead: { leader: engine, store: engine.store, takeoverMs: config.takeover },
    engine: () => engine.engine.state,
    needs: () => ({ store: storeCheck(engine.engine.state), bus: busCheck(bus) }),
    refreshMetrics: registerMetrics(metrics, engine, () => ({ monoMs: clock.monoMs(), wallMs: clock.wallMs() })),
    serve: () => [new PoolBus(engine, bus, proofs, logger), listening],
  };
}
