import { createChannel } from "@berth/chassis/grpc";
import { storeCheck } from "@berth/chassis/http";
import { targetOf } from "@berth/chassis/postgres";
import {
  createService,
  type Service,
  type ServiceBody,
  type ServiceOptions,
  type Shell,
  thisProcess,
} from "@berth/chassis/service";
import { runner, scheduler } from "@berth/contracts";
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
export type SchedulerOptions = ServiceOptions<SchedulerConfig>;

/** Composes the scheduler. The registry and the pool-manager may come later, and go: it is degraded then, not unready. */
export function createScheduler(options: SchedulerOptions): Service {
  return createService("scheduler", options, (shell) => compose(options, shell));
}

function compose(
  { config, clock, logger, onFailed = () => undefined }: SchedulerOptions,
  { metrics, grpc, listening, telemetry, token }: Shell,
): ServiceBody {
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
  const target = targetOf({ ...config, dataFolder: "" }, "scheduler");
  const store = target && new LeaderRow(target);
  const leader = store && leadEngine({ store, holder: thisProcess(), clock, logger, onFailed });
  grpc.add(runner.WorkServiceDefinition, workService(dispatcher)).add(
    scheduler.SchedulerServiceDefinition,
    schedulerService({
      core,
      clock,
      connected: () => lines.every((line) => line.up),
      refusalsOf: (bid) => poolLine.refusalsOf(bid),
      taskOf: taskSource(registryChannel, token),
    }),
  );

  return {
    base: [{ stop: () => registryChannel.close() }, { stop: () => poolChannel.close() }],
    ...(leader && { lead: { leader, store, takeoverMs: config.takeover } }),
    needs: () => ({
      ...Object.fromEntries(lines.map((line) => [line.name, line.check])),
      ...(leader && { store: storeCheck(leader.state) }),
    }),
    serve: () => [
      listening,
      { stop: () => handout.end() },
      { stop: () => runs.stop() },
      dispatcher,
      // Draining, it takes nothing any more: the bids go with their stream, and what was granted is handed out by whoever comes next.
      ...lines.map((line) => ({ start: () => line.start(), drain: () => line.stop(), stop: () => line.stop() })),
    ],
  };
}
