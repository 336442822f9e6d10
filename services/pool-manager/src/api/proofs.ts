import { createHmac } from "node:crypto";
import { checkProof, type Proved } from "@berth/contracts";
import { Counter, type Registry } from "prom-client";

/** Where a completion came in: in a call, which brought the token of the API, or on the bus, where anybody may have spoken. */
export type Entrance = "call" | "bus";

/** Secret of a lease, 32 bytes: derived from the key of the data, so that it is in no row and is the same after every restart. */
export function secretOf(leaseKey: string, lease: string): Buffer {
  return createHmac("sha256", Buffer.from(leaseKey, "hex")).update(lease).digest();
}

/**
 * The door for completions. What everybody may read or hear isn't enough to end a run: a completion from the bus counts only if it proves
 * the secret that its runner alone was told. One in a call may come without a proof, because the caller brought the token (a runner that was
 * never told the secret promises never to start; a person has no HMAC at hand); a wrong proof counts nowhere.
 */
export class Proofs {
  private readonly key: () => string;
  private readonly refused: Counter;

  constructor(key: () => string, metrics: Registry) {
    this.key = key;
    this.refused = new Counter({
      name: "berth_completions_refused_total",
      help: "Completions that were dropped because they didn't prove their lease's secret, by where they came in and why.",
      labelNames: ["entrance", "reason"],
      registers: [metrics],
    });
    for (const entrance of ["call", "bus"]) this.refused.inc({ entrance, reason: "wrong-proof" }, 0);
    this.refused.inc({ entrance: "bus", reason: "missing-proof" }, 0);
  }

  /** What the runner of a lease is told. */
  secretOf(lease: string): Buffer {
    return secretOf(this.key(), lease);
  }

  /** True if it may be looked at; otherwise it is counted. */
  admits(entrance: Entrance, completion: Proved, proof: Uint8Array): boolean {
    if (entrance === "call" && proof.length === 0) return true;
    const found = checkProof(this.secretOf(completion.lease), completion, proof);
    if (found === "proved" || (entrance === "call" && found === "missing")) return true;
    this.refused.inc({ entrance, reason: `${found}-proof` });
    return false;
  }
}
