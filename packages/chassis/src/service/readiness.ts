import { drainingCheck, type Readiness } from "../http/index.js";
import type { ServiceBody } from "./body.js";

/** Where a service stands. */
export interface Standing {
  /** True once its parts work and gRPC listens. */
  readonly serving: boolean;
  /** True once it has said that it is going. */
  readonly draining: boolean;
}

/** What `/readyz` says. `leadership` is absent where nothing leads. */
export function readiness(
  body: ServiceBody | undefined,
  leadership: string | undefined,
  { serving, draining }: Standing,
): Readiness {
  const engine = body?.engine?.();
  return {
    ready: serving && !draining && (engine ?? "running") === "running" && (body?.able?.() ?? true),
    checks: {
      ...drainingCheck(draining),
      ...(engine === undefined ? {} : { engine: engine === "running" ? "ok" : engine }),
      ...(leadership === undefined ? {} : { leadership }),
      ...body?.checks?.(),
      ...body?.needs?.(),
    },
  };
}
