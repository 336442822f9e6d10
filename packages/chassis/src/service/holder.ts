import { hostname } from "node:os";

/** Who this process is, as the leader row names its holder to people. */
export function thisProcess(): string {
  return `${hostname()} process ${process.pid}`;
}
