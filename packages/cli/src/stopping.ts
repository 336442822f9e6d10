// What is told while Berth stops.
import type { BerthClient } from "@berth/client";

/** The process that stops, unless it ended without taking its endpoints.json back, and how long it may take. */
export function stoppingOf(client: BerthClient): { pid: number; leftS: number } | undefined {
  const { stopping } = client.endpoints;
  if (stopping === undefined) return undefined;
  try {
    process.kill(stopping.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return undefined;
  }
  return { pid: stopping.pid, leftS: Math.max(0, Math.ceil((stopping.byWallMs - Date.now()) / 1_000)) };
}

/** How much a Berth that stops still waits for: `3 runs still finish`. */
export async function whatRuns(client: BerthClient): Promise<string> {
  // It may be over in the middle of the question.
  const status = await client.pools.getStatus({}).catch(() => undefined);
  if (status === undefined) return "what runs still finishes";
  return status.runningCount === 1n ? "1 run still finishes" : `${status.runningCount} runs still finish`;
}
