import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { until } from "./until.js";

/** A span as a collector gets it. */
export interface ReceivedSpan {
  readonly service: string;
  /** What is said of who sent it. */
  readonly resource: Readonly<Record<string, string | number | boolean>>;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for a root. */
  readonly parentSpanId: string;
  /** By the numbers of OTLP: 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  readonly kind: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  /** Span ids that it is linked with. */
  readonly links: readonly string[];
  readonly failed: boolean;
  readonly message: string;
}

/** Stands in for an OpenTelemetry collector: takes spans over OTLP/HTTP with protobuf. */
export interface TraceReceiver {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly endpoint: string;
  /** Everything received so far. */
  readonly spans: readonly ReceivedSpan[];
  stop(): Promise<void>;
}

/** Starts a receiver on a free port. */
export async function startTraceReceiver(): Promise<TraceReceiver> {
  const spans: ReceivedSpan[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (request.url === "/v1/traces") spans.push(...decodeSpans(Buffer.concat(chunks)));
    response.setHeader("content-type", "application/x-protobuf").end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** The method by which a submission arrives. */
export const submitMethod = "berth.registry.v1.RegistryService/SubmitTasks";

/** Service and name of each span of a task that succeeds at once, as wayOf gives them. */
export const wholeWay = [
  ["berth-registry", "task"],
  ["berth-scheduler", "assign"],
  ["berth-pool-manager", "grant"],
  ["berth-runner", "run"],
  ["berth-pool-manager", "complete"],
  ["berth-registry", "finish"],
];

/** Service and name of each span of a submission, as submissionWayOf gives them. */
export const submissionWay = [
  ["berth-client", "submit"],
  ["berth-client", submitMethod],
  ["berth-registry", submitMethod],
];

/** Spans from the root down to a `finish` of the task, each the parent of the next. */
export function wayOf({ spans }: Pick<TraceReceiver, "spans">, task: string): ReceivedSpan[] {
  return upFrom(
    spans,
    spans.find(({ name, attributes }) => name === "finish" && attributes["berth.task"] === task),
  );
}

function upFrom(spans: readonly ReceivedSpan[], last: ReceivedSpan | undefined): ReceivedSpan[] {
  const way: ReceivedSpan[] = [];
  let span = last;
  while (span) {
    const { traceId, parentSpanId } = span;
    way.unshift(span);
    span = spans.find((each) => each.traceId === traceId && each.spanId === parentSpanId);
  }
  return way;
}

/** As wayOf, once it reaches up to the task's root. */
export async function wholeWayOf(receiver: Pick<TraceReceiver, "spans">, task: string): Promise<ReceivedSpan[]> {
  await until(`the whole trace of ${task}`, () => wayOf(receiver, task)[0]?.name === "task", 15_000);
  return wayOf(receiver, task);
}

/** Spans of a submission, from its root down to the one that the root of a task is linked with. */
export async function submissionWayOf(
  { spans }: Pick<TraceReceiver, "spans">,
  { links }: ReceivedSpan,
): Promise<ReceivedSpan[]> {
  const way = () =>
    upFrom(
      spans,
      spans.find(({ spanId }) => spanId === links[0]),
    );
  await until("the whole trace of the submission", () => way()[0]?.name === "submit", 15_000);
  return way();
}

/** A message by field number; nested ones as bytes, numbers as they are. Enough of protobuf for the few fields that are looked at. */
type Fields = Map<number, (Uint8Array | number | bigint)[]>;

function fieldsOf(bytes: Uint8Array): Fields {
  const reader = new BinaryReader(bytes);
  const fields: Fields = new Map();
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    const value =
      wireType === 0
        ? Number(reader.int64())
        : wireType === 1
          ? reader.fixed64()
          : wireType === 2
            ? reader.bytes()
            : reader.fixed32();
    const values = fields.get(field) ?? [];
    values.push(value as Uint8Array | number | bigint);
    fields.set(field, values);
  }
  return fields;
}

const bytesOf = (fields: Fields, field: number): Uint8Array[] => (fields.get(field) ?? []) as Uint8Array[];
const textOf = (fields: Fields, field: number): string => Buffer.from(bytesOf(fields, field)[0] ?? []).toString("utf8");
const hexOf = (fields: Fields, field: number): string => Buffer.from(bytesOf(fields, field)[0] ?? []).toString("hex");
const numberOf = (fields: Fields, field: number): number => Number(fields.get(field)?.[0] ?? 0);

function attributesOf(pairs: readonly Uint8Array[]): Record<string, string | number | boolean> {
  return Object.fromEntries(
    pairs.map(fieldsOf).map((pair) => {
      const value = fieldsOf(bytesOf(pair, 2)[0] ?? new Uint8Array());
      const plain = value.has(1) ? textOf(value, 1) : value.has(2) ? numberOf(value, 2) === 1 : numberOf(value, 3);
      return [textOf(pair, 1), plain];
    }),
  );
}

/** Decodes an ExportTraceServiceRequest of opentelemetry.proto.collector.trace.v1. */
function decodeSpans(body: Uint8Array): ReceivedSpan[] {
  return bytesOf(fieldsOf(body), 1)
    .map(fieldsOf)
    .flatMap((group) => {
      const resource = fieldsOf(bytesOf(group, 1)[0] ?? new Uint8Array());
      const said = attributesOf(bytesOf(resource, 1));
      const scopes = bytesOf(group, 2).map(fieldsOf);
      return scopes.flatMap((scope) => bytesOf(scope, 2).map((span) => spanOf(said, fieldsOf(span))));
    });
}

function spanOf(resource: ReceivedSpan["resource"], span: Fields): ReceivedSpan {
  const status = fieldsOf(bytesOf(span, 15)[0] ?? new Uint8Array());
  return {
    service: String(resource["service.name"] ?? ""),
    resource,
    name: textOf(span, 5),
    traceId: hexOf(span, 1),
    spanId: hexOf(span, 2),
    parentSpanId: hexOf(span, 4),
    kind: numberOf(span, 6),
    attributes: attributesOf(bytesOf(span, 9)),
    links: bytesOf(span, 13).map((link) => hexOf(fieldsOf(link), 2)),
    failed: numberOf(status, 3) === 2,
    message: textOf(status, 2),
  };
}
