import { proofOf, type runner } from "@berth/contracts";

/** What the runner says of the end of one piece of work, proved with the secret that came with it. Work without a secret gives no proof. */
export function completionOf(work: runner.Work, outcome: runner.Outcome, traceParent: string): runner.Completion {
  const { lease, token, secret } = work;
  const proof = secret.length === 0 ? Buffer.alloc(0) : proofOf(secret, { lease, token, outcome });
  return { lease, token, outcome, traceParent, proof };
}
