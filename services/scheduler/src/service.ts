import { hostname } from "node:os";
import type { Clock } from "@berth/chassis/clock";
import { Leadership } from "@berth/chassis/engine";
import { createChannel, GrpcServer } from "@berth/chassis/grpc";
import {
  drainingCheck,
  exportDependencies,
  exportProcess,
  type HttpServer,
  startHttp,
  storeCheck,
} from "@berth/chassis/http";
import type { Component } from "@berth/chassis/lifecycle";
import type { Logger } from "@berth/chassis/log";
import { targetOf } from "@berth/chassis/postgres";
import { noTelemetry, type Telemetry } from "@berth/chassis/telemetry";
import { runner, scheduler } from "@berth/contracts";
import { Registry } from "prom-client";
import { PoolLine } from "./api/pool-line.js";
import { followReady, type LineParts, runSource, taskSource } from "./api/registry-line.js";
import { schedulerService } from "./api/scheduler-service.js";
import { workService } from "./api/work-service.js";
import type { SchedulerConfig } from "./config.js";
import { SchedulerCore } from "./domain/core.js";
import { policies, priorityPolicy } from "./domain/policy.js";
import { Dispatcher } from "./engine/dispatcher.js";
import { type Figures, schedulerFigures } from "./engine/figures.js";
import { Handout } from "./engine/handout.js";
import { leadEngine } from "./engine/lead.js";
import { Line } from "./engine/line.js";
import { Runs } from "./engine/runs.js";
import { AssignTracer } from "./engine/tracing.js";
import { LeaderRow } from "./store/leader-row.js";

/** What the scheduler is made of. */
export interface SchedulerOptions {
  /** Exports `process_*` and `nodejs_*` too; false where another service of the same process does. Default: true. */
  readonly processMetrics?: boolean;
  readonly config: SchedulerConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default: off. */
  readonly telemetry?: Telemetry;
  /** Called once when it can't go on: the process must exit. Needed only with a database. */
  readonly onFailed?: (error: Error) => void;
}

/** The scheduler as a part of a process. */
export interface Scheduler extends Component {
  /** gRPC port; known once started. */
  readonly port: number;
  /** HTTP port; known once started. */
  readonly httpPort: number;
  /** Whether it hands work out, as `/readyz` says it; the registry and the pool-manager may be away. */
  ready(): { ready: boolean; checks: Record<string, string> };
}

/**
 * Composes the scheduler. `start` resolves when it listens; with a database, when it waits as a standby, which it leaves by itself. The registry
 * and the pool-manager may come later. Rejects with PortInUse naming the port.
 */
export function createScheduler(options: SchedulerOptions): Scheduler {
  const { config, clock, logger, telemetry = noTelemetry, onFailed = () => undefined } = options;
  const metrics = new Registry();
  if (options.processMetrics !== false) exportProcess(metrics);
  const token = config.token?.reveal();
  const core = new SchedulerCore({
    policy: policies[config.policy] ?? priorityPolicy,
    bidWindow: config.bidWindow,
    standingBidsMax: config.standingBidsMax,
    asideMs: config.aside,
  });
  const figures: Figures = schedulerFigures(metrics, core, () => handout.streams);
  const registryChannel = createChannel(config.registryAddress);
  const poolChannel = createChannel(config.poolManagerAddress);
  const parts: Omit<LineParts, "channel"> = {
    token,
    tell: (command) => dispatcher.tell(command),
    note: figures.noteMessage,
  };

  const runs = new Runs({ source: runSource(registryChannel, token), clock, logger, cacheBytes: config.runCacheBytes });
  const tracer = new AssignTracer(telemetry);
  const handout = new Handout({
    runs,
    tracer,
    noteMessage: (items) => figures.noteMessage("work", items),
    flushSoon: () => dispatcher.turnSoon(),
  });
  const poolLine = new PoolLine({ ...parts, channel: poolChannel }, tracer);
  const dispatcher: Dispatcher = new Dispatcher({
    core,
    bids: poolLine,
    runs,
    handout,
    tracer,
    clock,
    logger,
    noteRefused: figures.noteRefused,
    defer: (callback) => void setImmediate(callback),
  });
  const lines = [
    new Line({ name: "registry", clock, logger, connect: followReady({ ...parts, channel: registryChannel }) }),
    new Line({ name: "pool-manager", clock, logger, connect: (up, signal) => poolLine.connect(up, signal) }),
  ];
  const connected = (): boolean => lines.every((line) => line.up);
  const target = targetOf({ ...config, dataFolder: "" }, "scheduler");
  const row = target && new LeaderRow(target);
  const holder = `${hostname()} process ${process.pid}`;
  const lead = row && leadEngine({ store: row, holder, clock, logger, onFailed });
  const leadership =
    row &&
    lead &&
    new Leadership({
      name: "scheduler",
      leader: lead,
      store: row,
      takeover: { takeoverMs: config.takeover },
      clock,
      logger,
      metrics,
      onFailed,
    });
  const fence = () => leadership?.fence();
  const server = new GrpcServer({
    logger,
    metrics,
    telemetry,
    bounds: config,
    fence,
    ...(token === undefined ? {} : { token }),
  })
    .add(runner.WorkServiceDefinition, workService(dispatcher))
    .add(
      scheduler.SchedulerServiceDefinition,
      schedulerService({
        core,
        clock,
        connected,
        refusalsOf: (bid) => poolLine.refusalsOf(bid),
        taskOf: taskSource(registryChannel, token),
      }),
    );

  let http: HttpServer | undefined;
  let port = 0;
  let started = false;
  let draining = false;
  let stopped: Promise<void> | undefined;
  const dependencies = (): Record<string, string> => ({
    ...Object.fromEntries(lines.map((line) => [line.name, line.check])),
    ...(lead && { store: storeCheck(lead.state) }),
  });
  exportDependencies(metrics, dependencies);
  const ready = (): { ready: boolean; checks: Record<string, string> } => ({
    ready: started && !draining,
    checks: {
      ...(leadership && { leadership: leadership.check }),
      ...dependencies(),
      ...drainingCheck(draining),
    },
  });

  async function serve(): Promise<void> {
    port = await server.listen(config.host, config.port);
    dispatcher.start();
    for (const line of lines) line.start();
    started = true;
    server.setServing(!draining);
    logger.info({ port, httpPort: http?.port, policy: core.policy.name }, "the scheduler listens");
  }

  return {
    get port() {
      return port;
    },
    get httpPort() {
      return http?.port ?? 0;
    },
    ready,
    async start() {
      if (http) return;
      http = await startHttp({
        host: config.host,
        port: config.httpPort,
        allowedHosts: config.allowedHosts,
        logger,
        metrics,
        ready,
      });
      await (leadership ? leadership.start(serve) : serve());
    },
    announceStop,
    async drain() {
      // Nothing is taken any more: the bids go with their stream, and what was granted is handed out by whoever comes next.
      await Promise.all(lines.map((line) => line.stop()));
    },
    stop() {
      stopped ??= stopAll();
      return stopped;
    },
  };

  function announceStop(): void {
    draining = true;
    server.setServing(false);
  }

  async function stopAll(): Promise<void> {
    announceStop();
    await leadership?.stop();
    await Promise.all(lines.map((line) => line.stop()));
    dispatcher.stop();
    runs.stop();
    handout.end();
    await server.stop();
    await http?.stop();
    await lead?.stop();
    registryChannel.close();
    poolChannel.close();
  }
}
