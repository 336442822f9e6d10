import { type Channel, type ClientOptions, createClient } from "@berth/chassis/grpc";
import { metrics, pool, registry, runner, scheduler } from "@berth/contracts";
import type { Berth } from "./berth.js";

type Port = keyof Berth["client"]["endpoints"]["addresses"];
type Definition = Parameters<typeof createClient>[0] & { readonly fullName: string };

/** Where a service of the protos is served. */
const ports: Readonly<Record<string, Port>> = {
  "berth.registry.v1": "registry",
  "berth.pool.v1": "poolManager",
  "berth.runner.v1.LeaseService": "poolManager",
  "berth.runner.v1.WorkService": "scheduler",
  "berth.scheduler.v1": "scheduler",
  "berth.metrics.v1": "metrics",
};

/** Every service of the protos, with the port that serves it. */
export const services = [metrics, pool, registry, runner, scheduler]
  .flatMap((contract) => Object.values(contract) as unknown[])
  .filter((value): value is Definition => typeof value === "object" && value !== null && "fullName" in value)
  .map((definition) => {
    const name = definition.fullName;
    const port = ports[name] ?? ports[name.slice(0, name.lastIndexOf("."))];
    if (port === undefined) throw new Error(`say in calls.ts which port serves ${name}`);
    return { definition, port };
  });

/** Which sides of a method are streams. */
interface MethodShape {
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestType: { fromPartial(fields: object): object };
}

/** Every method of the protos: `berth.pool.v1.PoolService/GetPool` and so on. */
export const methods = services.flatMap(({ definition, port }) =>
  Object.entries(definition.methods).map(([key, method]) => ({
    definition,
    port,
    key,
    method: method as MethodShape,
    path: pathOf(definition, method),
  })),
);

function pathOf({ fullName }: Definition, { name }: { readonly name: string }): string {
  return `${fullName}/${name}`;
}

/** What an answer says that it must never say: enums left at their UNSPECIFIED, by path. Only a lease that isn't released has no reason. */
export function unspecifiedIn(answer: unknown, path: string): string[] {
  if (typeof answer === "string") return /^[A-Z_]+_UNSPECIFIED$/.test(answer) ? [`${path}: ${answer}`] : [];
  if (typeof answer !== "object" || answer === null || ArrayBuffer.isView(answer)) return [];
  const isLease = "lease" in answer && "releaseTime" in answer;
  return Object.entries(answer).flatMap(([key, value]) =>
    isLease && key === "reason" && answer.releaseTime === undefined ? [] : unspecifiedIn(value, `${path}.${key}`),
  );
}

/** Notes in `answered` every method that has answered over the wire: a unary call that succeeded, a stream that sent something. */
export function notingClient<Service extends Definition>(
  definition: Service,
  channel: Channel,
  options: ClientOptions,
  answered: Set<string>,
): ReturnType<typeof createClient<Service>> {
  const client = createClient(definition, channel, options) as Record<string, (...args: unknown[]) => unknown>;
  const noting = Object.entries(definition.methods).map(([key, method]) => {
    const note = (answer: unknown) => {
      const unspecified = unspecifiedIn(answer, pathOf(definition, method));
      if (unspecified.length > 0) throw new Error(`an enum is left open: ${unspecified.join(", ")}`);
      answered.add(pathOf(definition, method));
    };
    const call = (...args: unknown[]): unknown => {
      const answer = client[key]?.(...args);
      return method.responseStream ? notedStream(answer as AsyncIterable<unknown>, note) : notedAnswer(answer, note);
    };
    return [key, call];
  });
  return Object.fromEntries(noting);
}

async function* notedStream(answers: AsyncIterable<unknown>, note: (answer: unknown) => void): AsyncGenerator<unknown> {
  for await (const answer of answers) {
    note(answer);
    yield answer;
  }
}

async function notedAnswer(answer: unknown, note: (answer: unknown) => void): Promise<unknown> {
  const value = await answer;
  note(value);
  return value;
}
