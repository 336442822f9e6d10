import { createChannel } from "@berth/chassis/grpc";
import type { RouteHandler } from "@berth/chassis/http";
import { createService, type Service, type ServiceBody, type ServiceOptions, type Shell } from "@berth/chassis/service";
import { metrics as contract } from "@berth/contracts";
import { countRounds, scrapeRoute } from "./api/exposition.js";
import { metricsService } from "./api/metrics-service.js";
import { statusSource } from "./api/status-source.js";
import { type MetricsConfig, retentionOf } from "./config.js";
import { Sampler } from "./engine/sampler.js";
import type { SampleStore } from "./engine/store.js";
import { openStore } from "./store/open.js";

/** What the metrics service is made of. */
export interface MetricsOptions extends ServiceOptions<MetricsConfig> {
  /** Where the history is kept. Default: as the settings say; without a database the caller holds the lock of the data folder. */
  readonly store?: SampleStore;
  /** Further HTTP paths, matched exactly. */
  readonly routes?: Readonly<Record<string, RouteHandler>>;
}

/** Composes the metrics service. Nothing leads: any number of processes may sample. The others may come later. */
export function createMetrics(options: MetricsOptions): Service {
  return createService("metrics service", options, (shell) => compose(options, shell));
}

function compose(options: MetricsOptions, { metrics, grpc, listening }: Shell): ServiceBody {
  const { config, clock, logger, routes = {} } = options;
  const poolChannel = createChannel(config.poolManagerAddress);
  const schedulerChannel = createChannel(config.schedulerAddress);
  const source = statusSource(poolChannel, schedulerChannel, logger);
  const store = options.store ?? openStore(config, retentionOf(config));
  const sampler = new Sampler({ source, store, clock, logger, intervalMs: config.sampleInterval });
  countRounds(metrics, sampler);
  grpc.add(contract.MetricsServiceDefinition, metricsService(store, clock));
  return {
    base: [
      { stop: () => schedulerChannel.close() },
      { stop: () => poolChannel.close() },
      // Read once, so that a store that can't be opened keeps the process from starting rather than every round from being kept.
      { start: () => store.latest(), stop: () => store.close() },
    ],
    checks: () => sampler.checks,
    // Without the scheduler the limits are sampled all the same.
    able: () => sampler.checks["pool-manager"] === "ok" && sampler.checks.store === "ok",
    routes: { "/metrics": scrapeRoute(source, metrics), ...routes },
    serve: () => [listening, sampler],
  };
}
