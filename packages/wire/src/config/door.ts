import { BlockList, isIP } from "node:net";
import { z } from "zod";

/** Settings of whatever listens, beside `host` and `token`. Spread them into a schema. */
export const doorSettings = {
  /** True lets a service without a token listen on more than loopback. */
  insecure: z.boolean().default(false),
};

/** What decides who gets in. */
export interface Door {
  /** Address to listen on. */
  readonly host?: string;
  /** Asked of whoever changes something. */
  readonly token?: unknown;
  /** It may stand open to everybody all the same. Default false. */
  readonly insecure?: boolean;
}

/** Why a door may not be opened, and what to do; undefined if it may: only this machine reaches it, or a token is asked, or that is wanted so. */
export function openDoor({ host = "127.0.0.1", token, insecure = false }: Door): string | undefined {
  if (insecure || token !== undefined || isLoopback(host)) return undefined;
  return [
    `host: ${JSON.stringify(host)} can be reached from other machines, and there is no token: anyone who reaches it could change everything`,
    "set BERTH_TOKEN to a long random text, the same for all services (or `token` in the file that --config names)",
    "or listen on 127.0.0.1, or say --insecure (BERTH_INSECURE=true) where the network itself keeps everybody else out",
  ].join(";\n  ");
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** True if only this machine reaches an address; a name other than localhost may be anything. */
function isLoopback(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, "$1");
  const version = isIP(address);
  return version === 0 ? address === "localhost" : loopback.check(address, version === 6 ? "ipv6" : "ipv4");
}
