import { Gauge, type Registry } from "prom-client";

/**
 * Exports `berth_dependency_up{dependency}`: 1 where a check says `ok`. The same checks stand in `/readyz`, where those of a dependency that
 * is away don't make a process unready: it does what can be done without.
 */
export function exportDependencies(metrics: Registry, checks: () => Readonly<Record<string, string>>): void {
  new Gauge({
    name: "berth_dependency_up",
    help: "1 if what this process depends on answers, 0 while it is away and the process works without it.",
    labelNames: ["dependency"],
    registers: [metrics],
    collect() {
      for (const [dependency, check] of Object.entries(checks())) this.set({ dependency }, check === "ok" ? 1 : 0);
    },
  });
}

/** The check of a process that is going: what a balancer should see from the first moment, though it serves on for a while. */
export function drainingCheck(draining: boolean): { readonly draining?: string } {
  return draining ? { draining: "this process is stopping; what runs may still finish" } : {};
}

/** The check of a bus. */
export function busCheck(bus: { readonly connected?: boolean }): string {
  return bus.connected === false
    ? "nats-server is away; its messages are read from streams and by cursor instead"
    : "ok";
}

/** The check of a store behind an engine. */
export function storeCheck(state: string): string {
  return state === "stalled" ? "can't be committed to at the moment; everything waits" : "ok";
}
