import { type MetricObjectWithValues, type MetricValue, Registry } from "prom-client";

/** One sample as prom-client keeps it; its types leave out two fields of histograms and counters. */
interface Sample extends MetricValue<string> {
  readonly metricName?: string;
  readonly exemplar?: {
    readonly labelSet: Readonly<Record<string, string | number>>;
    readonly value: number;
    readonly timestamp: number;
  } | null;
}

/** Metrics as text, in the format that the Accept header prefers: OpenMetrics with exemplars, or Prometheus' text format 0.0.4. */
export async function renderMetrics(registry: Registry, accept = ""): Promise<{ type: string; body: string }> {
  // prom-client's own OpenMetrics output renames counters for good, which breaks the text format of the next scrape; so this one is ours.
  const open = accept.includes("application/openmetrics-text");
  const metrics = (await registry.getMetricsAsJSON()) as unknown as MetricObjectWithValues<Sample>[];
  const text = metrics.map((metric) => family(metric, open)).join("");
  return open
    ? { type: Registry.OPENMETRICS_CONTENT_TYPE, body: `${text}# EOF\n` }
    : { type: Registry.PROMETHEUS_CONTENT_TYPE, body: text };
}

function family(metric: MetricObjectWithValues<Sample>, open: boolean): string {
  const { name, type } = heading(metric, open);
  const lines = [`# HELP ${name} ${escapeHelp(metric.help, open)}`, `# TYPE ${name} ${type}`];
  for (const sample of metric.values) {
    const labels = sample.labels as Readonly<Record<string, string | number>>;
    const exemplar =
      open && sample.exemplar
        ? ` # {${labelText(sample.exemplar.labelSet)}} ${number(sample.exemplar.value)} ${sample.exemplar.timestamp}`
        : "";
    const braced = Object.keys(labels).length > 0 ? `{${labelText(labels)}}` : "";
    lines.push(`${sample.metricName ?? metric.name}${braced} ${number(sample.value)}${exemplar}`);
  }
  return `${lines.join("\n")}\n`;
}

/** OpenMetrics names a counter's family without `_total`, and has no counters whose samples lack it: those are of unknown type. */
function heading(metric: MetricObjectWithValues<Sample>, open: boolean): { name: string; type: string } {
  const type = String(metric.type);
  if (!open || type !== "counter") return { name: metric.name, type };
  return metric.name.endsWith("_total")
    ? { name: metric.name.slice(0, -"_total".length), type }
    : { name: metric.name, type: "unknown" };
}

function labelText(labels: Readonly<Record<string, string | number>>): string {
  return Object.entries(labels)
    .map(
      ([name, value]) => `${name}="${String(value).replace(/\\/g, "\\\\").replace(/\n/g, "\\n").replace(/"/g, '\\"')}"`,
    )
    .join(",");
}

function escapeHelp(text: string, open: boolean): string {
  const escaped = text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n");
  return open ? escaped.replace(/"/g, '\\"') : escaped;
}

function number(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return Number.isNaN(value) ? "NaN" : String(value);
}
