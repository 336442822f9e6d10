import { checkProof, proofOf } from "@berth/contracts";
import { outcomeToWire } from "@berth/pool-manager/internal/api/convert";
import type { Completion } from "@berth/pool-manager/internal/domain/completion";
import type { ProvedCompletion } from "./messages.js";

const onTheWire = ({ lease, token, outcome }: Completion) => ({
  lease,
  token: BigInt(token),
  outcome: outcomeToWire(outcome),
});

/** The completion with its proof; without one where its runner was never told the secret. */
export function withProof(secret: Uint8Array | undefined, completion: Completion): ProvedCompletion {
  return secret ? { ...completion, proof: proofOf(secret, onTheWire(completion)) } : completion;
}

/** True if it was made by who knows the secret. */
export function isProved(secret: Uint8Array, completion: ProvedCompletion): boolean {
  return checkProof(secret, onTheWire(completion), completion.proof ?? new Uint8Array()) === "proved";
}
