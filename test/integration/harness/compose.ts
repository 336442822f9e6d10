import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { root } from "./berth.js";

/** A container of docker-compose.yml. */
export interface Container {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly profiles?: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly [setting: string]: unknown;
}

/** docker-compose.yml, with `values` where it takes variables, as docker reads it. A variable without a value is an error. */
export function readCompose(values: Readonly<Record<string, string>>): {
  readonly services: Readonly<Record<string, Container>>;
  readonly volumes: Readonly<Record<string, unknown>>;
} {
  const text = readFileSync(join(root, "docker-compose.yml"), "utf8").replace(
    /\$\{(\w+)(?::\?[^}]*)?\}/g,
    (_whole, name: string) => {
      const value = values[name];
      if (value === undefined) throw new Error(`docker-compose.yml takes the variable ${name}; .env.example lacks it`);
      return value;
    },
  );
  return parse(text, { merge: true });
}
