import { readPage } from "./page.js";
import type { BerthView } from "./system.js";

const services = ["registry", "poolManager", "scheduler"] as const;
type Service = (typeof services)[number];

/** The metrics of the services at one moment. */
export type Pages = Readonly<Record<Service, ReadonlyMap<string, number>>>;

/** What travelled together over one hop. */
export interface Hop {
  readonly hop: string;
  readonly items: number;
  readonly messages: number;
}

/** What one engine did. */
export interface Commits {
  readonly service: Service;
  readonly commits: number;
  readonly commands: number;
  readonly changes: number;
  readonly rows: number;
}

/** Reads the metrics of the services that tasks go through. */
export async function readPages(berth: BerthView): Promise<Pages> {
  const entries = await Promise.all(
    services.map(async (service) => [service, await readPage(`${berth.http(service)}/metrics`)] as const),
  );
  return Object.fromEntries(entries) as unknown as Pages;
}

/** Messages and items of every hop between two moments, for hops that had any. */
export function hopsBetween(before: Pages, after: Pages): Hop[] {
  const hops: Hop[] = [];
  for (const service of services) {
    for (const series of after[service].keys()) {
      const hop = /^berth_items_per_message_sum\{hop="(.*)"\}$/.exec(series)?.[1];
      if (hop === undefined) continue;
      const items = grown(before[service], after[service], series);
      const messages = grown(before[service], after[service], series.replace("_sum{", "_count{"));
      if (messages > 0) hops.push({ hop, items, messages });
    }
  }
  return hops;
}

/** What the engines did between two moments. */
export function commitsBetween(before: Pages, after: Pages): Commits[] {
  const of = (service: Service, name: string): number =>
    grown(before[service], after[service], `berth_engine_${name}_total`);
  return (["registry", "poolManager"] as const).map((service) => ({
    service,
    commits: of(service, "commits"),
    commands: of(service, "commands"),
    changes: of(service, "changes"),
    rows: of(service, "rows"),
  }));
}

function grown(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>, series: string): number {
  return (after.get(series) ?? 0) - (before.get(series) ?? 0);
}
