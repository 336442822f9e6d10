import { collectDefaultMetrics, type Registry } from "prom-client";

/**
 * Exports what prom-client knows of the process and of Node.js: `process_*` and `nodejs_*`. Once per process: where several services share one,
 * on one of their ports only, or a sum over the ports would count the process several times.
 */
export function exportProcess(metrics: Registry): void {
  collectDefaultMetrics({ register: metrics });
}
