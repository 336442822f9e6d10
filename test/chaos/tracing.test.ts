import { startTelemetry } from "@berth/chassis/telemetry";
import { createClient } from "@berth/client";
import { type Cluster, serversAvailable, startCluster } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root, scratchFolder } from "../integration/harness/berth.js";
import {
  type ReceivedSpan,
  startTraceReceiver,
  submissionWay,
  submissionWayOf,
  type TraceReceiver,
  wholeWay,
  wholeWayOf,
} from "../integration/harness/trace-receiver.js";
import { until } from "../integration/harness/until.js";

const { nats, postgres } = serversAvailable();

describe.skipIf(!nats || !postgres)("tracing through processes (needs nats-server and PostgreSQL)", () => {
  const folder = scratchFolder();
  let receiver: TraceReceiver;
  let cluster: Cluster;
  let tracing: NodeJS.ProcessEnv;

  beforeAll(async () => {
    receiver = await startTraceReceiver();
    tracing = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, OTEL_BSP_SCHEDULE_DELAY: "100" };
    const settings = { "pool-manager": { "--pools": "{default: {maxConcurrency: 2}}" } };
    cluster = await startCluster({ root, folder: folder.path, environment: tracing, settings });
  });
  afterAll(async () => {
    await cluster?.stop();
    await receiver?.stop();
    folder.remove();
  });

  it("makes one trace of a task's way through registry, scheduler, pool-manager and runner and of its messages on NATS, linked with its submission's", async () => {
    const telemetry = await startTelemetry({ service: "berth-client", environment: { ...process.env, ...tracing } });
    const client = createClient({ addresses: cluster.addresses, token: cluster.token, telemetry });
    const { set } = await client.submit([{ id: "a", run: [process.execPath, "-e", "1"] }]);
    await client.wait(set);
    client.close();
    await telemetry.stop();

    const task = `${set}/a`;
    const way = await wholeWayOf(receiver, task);
    expect(way.map(({ service, name }) => [service, name])).toEqual(wholeWay);
    expect(new Set(way.map(({ traceId }) => traceId)).size).toBe(1);
    const submission = await submissionWayOf(receiver, way[0] as ReceivedSpan);
    expect(submission.map(({ service, name }) => [service, name])).toEqual(submissionWay);

    // On NATS: the publication is a part of the task's trace, and the delivery goes on with it.
    const span = (name: string) => way.find((each) => each.name === name)?.spanId ?? "";
    const hops = [
      ["berth.completion", "berth-runner", "run", "berth-pool-manager"],
      ["berth.lease", "berth-pool-manager", "complete", "berth-registry"],
    ] as const;
    for (const [subject, from, cause, to] of hops)
      await until(`${subject} to be heard by ${to} within the trace of ${task}`, () => {
        const inTrace = receiver.spans.filter(({ traceId }) => traceId === way[0]?.traceId);
        const sent = inTrace.find(
          ({ name, service, kind, parentSpanId }) =>
            name === `send ${subject}` && service === from && kind === 4 && parentSpanId === span(cause),
        );
        return inTrace.some(
          ({ name, service, kind, parentSpanId, links }) =>
            name.startsWith(`process ${subject}`) &&
            service === to &&
            kind === 5 &&
            sent !== undefined &&
            parentSpanId === sent.spanId &&
            links.includes(sent.spanId) &&
            (to !== "berth-pool-manager" || links.includes(span(cause))),
        );
      });
  });
});
