/** Where spans go: a full address, or undefined while tracing is off. Throws if the address isn't one. */
export function traceEndpoint(environment: NodeJS.ProcessEnv): string | undefined {
  if (environment["OTEL_SDK_DISABLED"]?.toLowerCase() === "true") return undefined;
  const own = environment["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
  if (own) return checked("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", own, own);
  const all = environment["OTEL_EXPORTER_OTLP_ENDPOINT"];
  if (all) return checked("OTEL_EXPORTER_OTLP_ENDPOINT", all, `${all.replace(/\/+$/, "")}/v1/traces`);
  return undefined;
}

function checked(variable: string, value: string, address: string): string {
  if (URL.canParse(address) && /^https?:$/.test(new URL(address).protocol)) return address;
  throw new Error(
    `${variable}: ${JSON.stringify(value)} is not an http address; give one such as http://127.0.0.1:4318`,
  );
}

/** `OTEL_RESOURCE_ATTRIBUTES`: `name=value,name=value`, values percent-encoded. What can't be read is left out. */
export function resourceAttributes(environment: NodeJS.ProcessEnv): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const pair of (environment["OTEL_RESOURCE_ATTRIBUTES"] ?? "").split(",")) {
    const at = pair.indexOf("=");
    if (at <= 0) continue;
    try {
      attributes[pair.slice(0, at).trim()] = decodeURIComponent(pair.slice(at + 1).trim());
    } catch {
      // A stray percent sign; tracing goes on without this attribute.
    }
  }
  return attributes;
}

/** How traces are sampled: whether the parent decides, and the share of those that have none. */
export interface Sampling {
  readonly parentBased: boolean;
  /** From 0 (none) to 1 (all). */
  readonly ratio: number;
}

/** `OTEL_TRACES_SAMPLER` and its argument. Throws on a name or a share that there isn't. */
export function sampling(environment: NodeJS.ProcessEnv): Sampling {
  const name = environment["OTEL_TRACES_SAMPLER"] || "parentbased_always_on";
  const match = /^(parentbased_)?(always_on|always_off|traceidratio)$/.exec(name);
  if (!match) {
    throw new Error(
      `OTEL_TRACES_SAMPLER: ${JSON.stringify(name)} is unknown; use always_on, always_off, traceidratio or one of them after parentbased_`,
    );
  }
  const parentBased = match[1] !== undefined;
  if (match[2] === "always_on") return { parentBased, ratio: 1 };
  if (match[2] === "always_off") return { parentBased, ratio: 0 };
  const given = environment["OTEL_TRACES_SAMPLER_ARG"] || "1";
  const ratio = Number(given);
  if (!(ratio >= 0 && ratio <= 1))
    throw new Error(`OTEL_TRACES_SAMPLER_ARG: ${JSON.stringify(given)} is not a share from 0 to 1`);
  return { parentBased, ratio };
}
