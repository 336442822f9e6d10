import { pool } from "@berth/contracts";
import { Metadata } from "nice-grpc-common";
import { Registry } from "prom-client";
import { expect, it } from "vitest";
import { silentLogger } from "../log/index.js";
import { noTelemetry, type Telemetry } from "../telemetry/index.js";
import { createChannel, createClient, GrpcServer } from "./index.js";

const lease = pool.Lease.fromPartial({
  lease: "d-1",
  token: 7n,
  incarnation: "i",
  runner: "r",
  secret: Buffer.from("s"),
});
const answer = { events: [{ position: 1n, kind: pool.LeaseEvent_Kind.GRANTED, lease, eventTime: undefined }] };
const told = { lease: "d-1", token: 7n, incarnation: "i", runner: "r", secret: Buffer.from("s") };
const untold = { lease: "d-1", token: 0n, incarnation: "", runner: "r", secret: Buffer.alloc(0) };
const traced: Telemetry = { ...noTelemetry, enabled: true };
/** A read is traced only as a part of a trace. */
const inTrace = { metadata: Metadata({ traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` }) };

it.each([
  ["with the token", "right", noTelemetry, told],
  ["without it", undefined, noTelemetry, untold],
  ["with a wrong one", "wrong", noTelemetry, untold],
  ["without it, traced", undefined, traced, untold],
])(
  "a reader is told what takes part in ending a run only with the token: %s",
  async (_, token, telemetry, expected) => {
    const server = new GrpcServer({ logger: silentLogger, metrics: new Registry(), token: "right", telemetry });
    server.add(pool.LeaseLedgerServiceDefinition, {
      listLeaseEvents: async () => pool.ListLeaseEventsResponse.fromPartial(answer),
      async *watchLeaseEvents() {
        yield pool.WatchLeaseEventsResponse.fromPartial(answer);
      },
      acknowledgeLeaseEvents: async () => ({}),
      forbidAttempts: async () => ({ results: [] }),
    });
    const channel = createChannel(`127.0.0.1:${await server.listen("127.0.0.1", 0)}`);
    try {
      const client = createClient(pool.LeaseLedgerServiceDefinition, channel, token === undefined ? {} : { token });
      expect((await client.listLeaseEvents({}, inTrace)).events[0]?.lease).toMatchObject(expected);
      for await (const { events } of client.watchLeaseEvents({})) expect(events[0]?.lease).toMatchObject(expected);
      expect(lease).toMatchObject(told);
    } finally {
      channel.close();
      await server.stop(200);
    }
  },
);
