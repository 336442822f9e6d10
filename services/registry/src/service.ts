import type { Bus } from "@berth/chassis/bus";
import { createChannel } from "@berth/chassis/grpc";
import { busCheck, itemsPerMessage, storeCheck } from "@berth/chassis/http";
import {
  createService,
  type Service,
  type ServiceBody,
  type ServiceOptions,
  type Shell,
  thisProcess,
} from "@berth/chassis/service";
import { registry as contract } from "@berth/contracts";
import { LogApi } from "./api/log-service.js";
import { poolClient } from "./api/pool-client.js";
import { ReadyApi } from "./api/ready-service.js";
import { RegistryApi } from "./api/registry-service.js";
import { coreSettingsOf, type RegistryConfig } from "./config.js";
import { exportFigures, type Hop } from "./engine/figures.js";
import { CatalogueFollower, LeaseFollower } from "./engine/follower.js";
import { LimitMaker } from "./engine/limit-maker.js";
import { Logs } from "./engine/logs.js";
import { Pruner } from "./engine/pruner.js";
import { Registry } from "./engine/registry.js";
import { Forbidder, Ticker } from "./engine/todo.js";
import { FinishTracer, traceTasks } from "./engine/tracing.js";
import { leaseHints } from "./events/lease-hint.js";
import { openStores, type RegistryStores } from "./store/open.js";
import { spaceCheck } from "./store/space.js";

/** What the registry service is made of. */
export interface RegistryServiceOptions extends ServiceOptions<RegistryConfig> {
  readonly bus: Bus;
  /** Where it keeps what it keeps. Default: as the settings say. Closed when the service stops. */
  readonly stores?: RegistryStores;
  readonly onFailed: (error: Error) => void;
}

/** Composes the registry. The pool-manager may come later. */
export function createRegistry(options: RegistryServiceOptions): Service {
  return createService("registry", options, (shell) => compose(options, shell));
}

function compose(
  { config, clock, logger, bus, onFailed, stores }: RegistryServiceOptions,
  { metrics, grpc, listening, telemetry, token }: Shell,
): ServiceBody {
  const note = itemsPerMessage<Hop>(metrics);
  const channel = createChannel(config.poolManagerAddress);
  const pools = poolClient(channel, token, (events) => note("lease_event", events));
  const { store, logs: logStore } = stores ?? openStores(config);
  const settings = coreSettingsOf(config);
  const registry = new Registry({ store, settings, clock, logger, pools, onFailed, holder: thisProcess() });
  const common = { registry, pools, clock, logger };
  const lease = new LeaseFollower({ ...common, tracer: new FinishTracer(registry, telemetry) });

  return {
    base: [{ stop: () => channel.close() }, { stop: () => logStore.close() }],
    lead: { leader: registry, store, takeoverMs: config.takeover },
    engine: () => registry.state,
    checks: () => ({ catalogue: registry.core.memory.catalogue ? "ok" : "pools and limits aren't known yet" }),
    needs: () => ({
      store: storeCheck(registry.state),
      "pool-manager": lease.up ? "ok" : "doesn't answer; results wait there",
      bus: busCheck(bus),
    }),
    serve: () => {
      traceTasks(registry, telemetry);
      const logs = new Logs(registry, logStore, config.logLimit);
      exportFigures(metrics, registry, lease, logs, clock);
      const checkSpace = spaceCheck(config);
      grpc
        .add(contract.RegistryServiceDefinition, new RegistryApi({ registry, telemetry, logger, checkSpace, note }))
        .add(contract.LogServiceDefinition, new LogApi(registry, logs, clock, (pieces) => note("output", pieces)))
        .add(contract.ReadyServiceDefinition, new ReadyApi(registry, (runs) => note("run", runs)));
      return [
        lease,
        new CatalogueFollower(common),
        new Forbidder(common),
        new LimitMaker(common),
        new Ticker(common),
        new Pruner({ store, logs: logStore, clock, logger, retentionMs: config.retentionDays * 86_400_000 }),
        listening,
        leaseHints(bus, lease, logger),
      ];
    },
  };
}
