import { type RouteHandler, renderMetrics } from "@berth/chassis/http";
import { Counter, Gauge, Registry } from "prom-client";
import { type Family, familiesOf } from "../domain/families.js";
import type { Sampler, StatusSource } from "../engine/sampler.js";

/** Answers `/metrics` for the whole of Berth, with what this process counts itself. */
export function scrapeRoute(source: StatusSource, own: Registry): RouteHandler {
  return async (request, response) => {
    const { type, body } = await exposition(familiesOf(await source.read()), own, request.headers.accept);
    response.writeHead(200, {
      "Content-Type": type,
      "Content-Length": Buffer.byteLength(body),
      "Cache-Control": "no-store",
    });
    response.end(request.method === "HEAD" ? undefined : body);
  };
}

/** Counts the rounds of a sampler. */
export function countRounds(own: Registry, sampler: Sampler): void {
  new Counter({
    name: "berth_metrics_rounds_total",
    help: "Rounds of samples that were kept.",
    registers: [own],
    collect() {
      this.reset();
      this.inc(sampler.rounds);
    },
  });
}

/**
 * Text of the families, together with what this process counts itself. The registry is made anew for each scrape: two scrapes at once
 * then can't mix their snapshots.
 */
async function exposition(
  families: readonly Family[],
  own: Registry,
  accept: string | undefined,
): Promise<{ type: string; body: string }> {
  const fresh = new Registry();
  for (const family of families) register(family, fresh);
  return renderMetrics(Registry.merge([fresh, own]), accept);
}

function register({ name, help, type, label, values }: Family, registry: Registry): void {
  const settings = { name, help, labelNames: label ? [label] : [], registers: [registry] };
  if (type === "counter") {
    const counter = new Counter(settings);
    for (const [of, value] of values) counter.inc(label ? { [label]: of } : {}, value);
    return;
  }
  const gauge = new Gauge(settings);
  for (const [of, value] of values) gauge.set(label ? { [label]: of } : {}, value);
}
