import { readdirSync, readFileSync } from "node:fs";

/** A process of this machine. */
export interface Process {
  readonly pid: number;
  readonly command: string;
}

/** Living processes whose environment holds `NAME=value`. Linux only: it reads /proc. */
export function processesWith(name: string, value: string): Process[] {
  const found: Process[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const environment = readFileSync(`/proc/${entry}/environ`, "utf8").split("\0");
      if (!environment.includes(`${name}=${value}`) || stateOf(entry) === "Z") continue;
      found.push({ pid: Number(entry), command: readFileSync(`/proc/${entry}/cmdline`, "utf8").replaceAll("\0", " ") });
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

/** True while the process lives (a zombie doesn't). */
export function isAlive(pid: number): boolean {
  try {
    return stateOf(String(pid)) !== "Z";
  } catch {
    return false;
  }
}

function stateOf(pid: string): string {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2)[0] ?? "";
}
