import type { Clock } from "@berth/chassis/clock";
import { createChannel, GrpcServer } from "@berth/chassis/grpc";
import { type HttpServer, startHttp } from "@berth/chassis/http";
import type { Component } from "@berth/chassis/lifecycle";
import type { Logger } from "@berth/chassis/log";
import { noTelemetry, type Telemetry } from "@berth/chassis/telemetry";
import { runner, scheduler } from "@berth/contracts";
import { Registry } from "prom-client";
import { PoolLine } from "./api/pool-line.js";
import { followReady, type LineParts, runSource } from "./api/registry-line.js";
import { schedulerService } from "./api/scheduler-service.js";
import { workService } from "./api/work-service.js";
import type { SchedulerConfig } from "./config.js";
import { SchedulerCore } from "./domain/core.js";
import { policies, priorityPolicy } from "./domain/policy.js";
import { Dispatcher } from "./engine/dispatcher.js";
import { type Figures, schedulerFigures } from "./engine/figures.js";
import { Handout } from "./engine/handout.js";
import { Line } from "./engine/line.js";
import { Runs } from "./engine/runs.js";
import { AssignTracer } from "./engine/tracing.js";

/** What the scheduler is made of. */
export interface SchedulerOptions {
  readonly config: SchedulerConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default: off. */
  readonly telemetry?: Telemetry;
}

/** The scheduler as a part of a process. */
export interface Scheduler extends Component {
  /** gRPC port; known once started. */
  readonly port: number;
  /** HTTP port; known once started. */
  readonly httpPort: number;
  /** Whether the registry and the pool-manager answer, as `/readyz` says it. */
  ready(): { ready: boolean; checks: Record<string, string> };
}

/**
 * Composes the scheduler. `start` resolves when it listens; the registry and the pool-manager may come later. Rejects with PortInUse
 * naming the port.
 */
export function createScheduler({ config, clock, logger, telemetry = noTelemetry }: SchedulerOptions): Scheduler {
  const metrics = new Registry();
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
  const server = new GrpcServer({ logger, metrics, telemetry, ...(token === undefined ? {} : { token }) })
    .add(runner.WorkServiceDefinition, workService(dispatcher))
    .add(
      scheduler.SchedulerServiceDefinition,
      schedulerService({ core, clock, connected, refusalsOf: (bid) => poolLine.refusalsOf(bid) }),
    );

  let http: HttpServer | undefined;
  let port = 0;
  let started = false;
  let draining = false;
  let stopped: Promise<void> | undefined;
  const ready = (): { ready: boolean; checks: Record<string, string> } => ({
    ready: started && !draining && connected(),
    checks: {
      ...Object.fromEntries(lines.map((line) => [line.name, line.check])),
      ...(draining ? { draining: "this process is stopping" } : {}),
    },
  });

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
      port = await server.listen(config.host, config.port);
      http = await startHttp({ host: config.host, port: config.httpPort, logger, metrics, ready });
      dispatcher.start();
      for (const line of lines) line.start();
      started = true;
      server.setServing(true);
      logger.info({ port, httpPort: http.port, policy: core.policy.name }, "the scheduler listens");
    },
    async drain() {
      // Nothing is taken any more: the bids go with their stream, and what was granted is handed out by whoever comes next.
      draining = true;
      server.setServing(false);
      await Promise.all(lines.map((line) => line.stop()));
    },
    stop() {
      stopped ??= stopAll();
      return stopped;
    },
  };

  async function stopAll(): Promise<void> {
    draining = true;
    await Promise.all(lines.map((line) => line.stop()));
    dispatcher.stop();
    runs.stop();
    handout.end();
    await server.stop();
    await http?.stop();
    registryChannel.close();
    poolChannel.close();
  }
}
