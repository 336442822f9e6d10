import { parseTraceParent } from "@berth/wire/telemetry";
import type { Telemetry, TraceSpan } from "../telemetry/index.js";

/** Links of one span; a batch of more is linked with the first ones, so that a span stays small enough to be exported. */
export const linksMax = 100;

/** Reads the traceparents of what a message carries. Called only while tracing is on. */
export type TraceParents = () => Iterable<string>;

/** The span of handing a message over. What is all of one trace goes on with it; a batch of several is linked with each. */
export function sendSpan(
  telemetry: Telemetry,
  subject: string,
  traceParents: TraceParents | undefined,
  system: Readonly<Record<string, string>> = {},
): TraceSpan {
  const attributes = { ...system, "messaging.destination.name": subject, "messaging.operation.type": "send" };
  const items = telemetry.enabled && traceParents ? distinct(traceParents()) : [];
  const traces = new Set(items.map((item) => parseTraceParent(item)?.traceId));
  const [parent, ...others] = items;
  if (parent !== undefined && traces.size === 1)
    return telemetry.startSpan(`send ${subject}`, { kind: "producer", attributes, parent, links: bounded(others) });
  // Of several traces it is a part of none, not even of the one that happens to be active where the batch is sent.
  const apart = items.length > 0 ? { parent: "" } : {};
  return telemetry.startSpan(`send ${subject}`, { kind: "producer", attributes, links: bounded(items), ...apart });
}

/** What a delivery consists of. */
export interface Delivering {
  readonly subject: string;
  readonly durable: string;
  readonly messages: number;
  /** Traceparents of the publications. */
  readonly sends: Iterable<string>;
  readonly traceParents: TraceParents | undefined;
}

/** The span of a delivery: it goes on with one publication, and is linked with several, and with what the messages carry. */
export function processSpan(
  telemetry: Telemetry,
  { subject, durable, messages, sends, traceParents }: Delivering,
  system: Readonly<Record<string, string>> = {},
): TraceSpan {
  const sent = telemetry.enabled ? distinct(sends) : [];
  const items = telemetry.enabled && traceParents ? distinct(traceParents()) : [];
  const [parent] = sent;
  return telemetry.startSpan(`process ${subject}`, {
    kind: "consumer",
    links: bounded([...sent, ...items]),
    ...(parent !== undefined && sent.length === 1 ? { parent } : {}),
    attributes: {
      ...system,
      "messaging.destination.name": subject,
      "messaging.consumer.group.name": durable,
      "messaging.operation.type": "process",
      "messaging.batch.message_count": messages,
    },
  });
}

function distinct(traceParents: Iterable<string>): string[] {
  return [...new Set(traceParents)].filter((each) => parseTraceParent(each) !== undefined);
}

function bounded(links: readonly string[]): readonly string[] {
  return [...new Set(links)].slice(0, linksMax);
}
