import { Registry } from "prom-client";
import { Leadership } from "../engine/index.js";
import { GrpcServer } from "../grpc/index.js";
import { exportDependencies, exportProcess, type HttpServer, type Readiness, startHttp } from "../http/index.js";
import { type Component, componentOf, inTurn, Lifecycle } from "../lifecycle/index.js";
import { noTelemetry } from "../telemetry/index.js";
import type { ServiceBody, ServiceOptions, Shell, ShellSettings } from "./body.js";
import { readiness } from "./readiness.js";

/** A service as a part of a process. */
export interface Service extends Component {
  /** gRPC port; 0 before it listens. */
  readonly port: number;
  /** HTTP port; 0 before it has started. */
  readonly httpPort: number;
  /** What it counts itself, as `/metrics` shows it. */
  readonly metrics: Registry;
  /** Whether it can do its work, as `/readyz` says it. */
  ready(): Readiness;
}

/**
 * One service, whatever it does: what it stands on, then HTTP, then, as soon as this process may lead, its parts and gRPC. `start` resolves when
 * all of it listens, or when it waits as a standby, which it leaves by itself; it rejects with PortInUse naming the port. Nothing happens before
 * `start`; then `compose` is called, once. The states are in the README of the chassis.
 */
export function createService<Config extends ShellSettings>(
  name: string,
  options: ServiceOptions<Config>,
  compose: (shell: Shell) => ServiceBody,
): Service {
  const { config, logger, telemetry = noTelemetry } = options;
  const token = config.token?.reveal();
  const metrics = new Registry();
  const now = { port: 0, serving: false, draining: false };
  let http: HttpServer | undefined;
  let body: ServiceBody | undefined;
  let leadership: Leadership | undefined;

  const grpc = new GrpcServer({
    logger,
    metrics,
    telemetry,
    bounds: config,
    fence: () => leadership?.fence(),
    ...(token === undefined ? {} : { token }),
  });
  const listening: Component = {
    start: async () => {
      now.port = await grpc.listen(config.host, config.port);
    },
    stop: () => grpc.stop(),
  };
  const ready = (): Readiness => readiness(body, leadership?.check, now);

  function composed(): Lifecycle {
    if (options.processMetrics !== false) exportProcess(metrics);
    body = compose({ metrics, grpc, listening, telemetry, token });
    if (body.needs) exportDependencies(metrics, body.needs);
    leadership = leads(name, options, metrics, body);
    const leader = body.lead?.leader;
    return new Lifecycle([
      ...(body.base ?? []).map(componentOf),
      // Started by the leadership, when it may.
      componentOf({ stop: () => leader?.stop() }),
      served(body),
      working(body, leadership),
    ]);
  }

  function served({ routes = {}, refreshMetrics }: ServiceBody): Component {
    return {
      async start() {
        http = await startHttp({
          host: config.host,
          port: config.httpPort,
          allowedHosts: config.allowedHosts,
          logger,
          metrics,
          ready,
          routes,
          // A standby has no figures of its own.
          beforeMetrics: async () => (now.serving ? refreshMetrics?.() : undefined),
        });
      },
      stop: async () => http?.stop(),
    };
  }

  function working({ serve }: ServiceBody, leading: Leadership | undefined): Component {
    let parts: Lifecycle | undefined;
    const begin = async (): Promise<void> => {
      parts = new Lifecycle(serve().map(componentOf));
      await parts.start();
      now.serving = true;
      grpc.setServing(!now.draining);
      logger.info({ port: now.port, httpPort: http?.port }, `the ${name} listens`);
    };
    return {
      start: () => (leading ? leading.start(begin) : begin()),
      drain: async () => parts?.drain(),
      async stop() {
        now.serving = false;
        // First: what is under way may still begin the parts.
        await leading?.stop();
        await parts?.stop();
      },
    };
  }

  const lifecycle = new Lifecycle([inTurn(composed)]);
  const announceStop = (): void => {
    now.draining = true;
    grpc.setServing(false);
  };
  return {
    get port() {
      return now.port;
    },
    get httpPort() {
      return http?.port ?? 0;
    },
    metrics,
    ready,
    start: () => lifecycle.start(),
    announceStop,
    drain: () => lifecycle.drain(),
    stop() {
      announceStop();
      return lifecycle.stop();
    },
  };
}

function leads<Config extends ShellSettings>(
  name: string,
  { config, clock, logger, onFailed = () => undefined }: ServiceOptions<Config>,
  metrics: Registry,
  { lead }: ServiceBody,
): Leadership | undefined {
  if (!lead) return undefined;
  const { leader, store, takeoverMs } = lead;
  // Without a database the lock of the data folder keeps others away.
  const takeover = config.database === undefined ? undefined : { takeoverMs };
  return new Leadership({ name, leader, store, takeover, clock, logger, metrics, onFailed });
}
