import type { Clock } from "@berth/chassis/clock";
import { createChannel, GrpcServer } from "@berth/chassis/grpc";
import { drainingCheck, exportProcess, type HttpServer, type RouteHandler, startHttp } from "@berth/chassis/http";
import type { Component } from "@berth/chassis/lifecycle";
import type { Logger } from "@berth/chassis/log";
import { noTelemetry, type Telemetry } from "@berth/chassis/telemetry";
import { metrics as contract } from "@berth/contracts";
import { Counter, Registry } from "prom-client";
import { exposition } from "./api/exposition.js";
import { metricsService } from "./api/metrics-service.js";
import { statusSource } from "./api/status-source.js";
import type { MetricsConfig } from "./config.js";
import { familiesOf } from "./domain/families.js";
import { Sampler } from "./engine/sampler.js";
import type { Retention, SampleStore } from "./engine/store.js";
import { openStore } from "./store/open.js";

/** What the metrics service is made of. */
export interface MetricsOptions {
  /** Exports `process_*` and `nodejs_*` too; false where another service of the same process does. Default: true. */
  readonly processMetrics?: boolean;
  readonly config: MetricsConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default: off. */
  readonly telemetry?: Telemetry;
  /** Where the history is kept. Default: as the settings say; without a database the caller holds the lock of the data folder. */
  readonly store?: SampleStore;
  /** Further HTTP paths, matched exactly. */
  readonly routes?: Readonly<Record<string, RouteHandler>>;
}

/** The metrics service as a part of a process. */
export interface Metrics extends Component {
  /** gRPC port; known once started. */
  readonly port: number;
  /** HTTP port; known once started. */
  readonly httpPort: number;
  /** Whether samples are being taken, as `/readyz` says it. */
  ready(): { ready: boolean; checks: Record<string, string> };
}

/** Composes the metrics service. `start` resolves when it listens and rejects with PortInUse naming the port; the others may come later. */
export function createMetrics(options: MetricsOptions): Metrics {
  const { config, clock, logger, telemetry = noTelemetry, routes = {} } = options;
  const own = new Registry();
  if (options.processMetrics !== false) exportProcess(own);
  const poolChannel = createChannel(config.poolManagerAddress);
  const schedulerChannel = createChannel(config.schedulerAddress);
  const source = statusSource(poolChannel, schedulerChannel, logger);

  let store: SampleStore | undefined;
  let sampler: Sampler | undefined;
  let server: GrpcServer | undefined;
  let http: HttpServer | undefined;
  let port = 0;
  let started = false;
  let draining = false;
  let stopped: Promise<void> | undefined;

  new Counter({
    name: "berth_metrics_rounds_total",
    help: "Rounds of samples that were kept.",
    registers: [own],
    collect() {
      this.reset();
      this.inc(sampler?.rounds ?? 0);
    },
  });

  const ready = (): { ready: boolean; checks: Record<string, string> } => {
    const checks = sampler?.checks ?? {
      "pool-manager": "not asked yet",
      scheduler: "not asked yet",
      store: "not open yet",
    };
    // Without the scheduler the limits are sampled all the same.
    const well = checks["pool-manager"] === "ok" && checks.store === "ok";
    return { ready: !draining && well, checks: { ...drainingCheck(draining), ...checks } };
  };

  const scrape: RouteHandler = async (request, response) => {
    const { type, body } = await exposition(familiesOf(await source.read()), own, request.headers.accept);
    response.writeHead(200, {
      "Content-Type": type,
      "Content-Length": Buffer.byteLength(body),
      "Cache-Control": "no-store",
    });
    response.end(request.method === "HEAD" ? undefined : body);
  };

  return {
    get port() {
      return port;
    },
    get httpPort() {
      return http?.port ?? 0;
    },
    ready,
    async start() {
      if (started) return;
      started = true;
      store = options.store ?? openStore(config, retentionOf(config));
      // Read once, so that a store that can't be opened keeps the process from starting rather than every round from being kept.
      await store.latest();
      sampler = new Sampler({ source, store, clock, logger, intervalMs: config.sampleInterval });
      const token = config.token?.reveal();
      server = new GrpcServer({
        logger,
        metrics: own,
        telemetry,
        bounds: config,
        ...(token === undefined ? {} : { token }),
      });
      server.add(contract.MetricsServiceDefinition, metricsService(store, clock));
      port = await server.listen(config.host, config.port);
      http = await startHttp({
        host: config.host,
        port: config.httpPort,
        allowedHosts: config.allowedHosts,
        logger,
        metrics: own,
        ready,
        routes: { "/metrics": scrape, ...routes },
      });
      sampler.start();
      server.setServing(!draining);
      logger.info({ port, httpPort: http.port }, "the metrics service listens");
    },
    announceStop,
    stop() {
      stopped ??= stopAll();
      return stopped;
    },
  };

  function announceStop(): void {
    draining = true;
    server?.setServing(false);
  }

  async function stopAll(): Promise<void> {
    announceStop();
    await sampler?.stop();
    await server?.stop();
    await http?.stop();
    await store?.close();
    poolChannel.close();
    schedulerChannel.close();
  }
}

/** History of both kinds; minutes are kept no shorter than what they are made of. */
function retentionOf({ keepSamples, keepMinutes }: MetricsConfig): Retention {
  return { rawMs: keepSamples, minutesMs: Math.max(keepSamples, keepMinutes) };
}
