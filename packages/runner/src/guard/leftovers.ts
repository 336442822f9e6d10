import { type Clock, delay } from "@berth/chassis/clock";
import type { Leftovers } from "./group-file.js";
import { groupAlive, markedProcesses, readProcess, send, signalGroup } from "./processes.mjs";

const roundMs = 10;
const roundMaxMs = 500;

/**
 * Kills what earlier incarnations left, and returns when nothing of it is alive any more; `onWait` is told what still is, at
 * most once a round.
 *
 * A recorded group is killed only if its leader is still the recorded one: much later its number may belong to somebody else. Members
 * without a leader are found by their marker.
 */
export async function killLeftovers(
  leftovers: Leftovers,
  clock: Clock,
  onWait: (left: number) => void,
): Promise<number> {
  const killed = new Set<number>();
  for (let waitMs = roundMs; ; waitMs = Math.min(waitMs * 2, roundMaxMs)) {
    let left = 0;
    for (const [group, start] of leftovers.groups) {
      if (start === "" || readProcess(group)?.start !== start) continue;
      if (!signalGroup(group, start) || !groupAlive(group)) continue;
      killed.add(group);
      left += 1;
    }
    for (const { pid } of markedProcesses(leftovers.incarnations)) {
      if (!send(pid)) continue;
      killed.add(pid);
      left += 1;
    }
    if (left === 0) return killed.size;
    if (waitMs > roundMs * 8) onWait(left);
    await delay(clock, waitMs);
  }
}
