import { renderMetrics } from "@berth/chassis/http";
import { Counter, Gauge, Registry } from "prom-client";
import type { Family } from "../domain/families.js";

/**
 * Text of the families, together with what this process counts itself. The registry is made anew for each scrape: two scrapes at once
 * then can't mix their snapshots.
 */
export async function exposition(
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
