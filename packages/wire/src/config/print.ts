import { stringify } from "yaml";

/** Settings whose names say that their value shouldn't be shown, should one not be kept as a `Secret`. */
const secretName = /token|secret|password|credential|apikey/i;

/** A configuration as YAML, without secrets: their place holds `***`. */
export function describeConfig(config: unknown): string {
  return stringify(JSON.parse(JSON.stringify(config, masked)), { lineWidth: 0 });
}

function masked(name: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  return secretName.test(name) && typeof value === "string" && value !== "" ? "***" : value;
}
