import { type Secret, secret } from "@berth/wire/config";
import { z } from "zod";
import { FaultyBus } from "./faulty.js";
import type { Bus, BusOptions } from "./port.js";
import { SilentBus } from "./silent.js";

/** Settings of a process that say which bus it is on. */
export const busSettings = {
  /** `nats://host:port` of a nats-server with JetStream, several of one NATS cluster with commas. Absent: no bus. */
  bus: secret(problemOf).optional(),
  /** Berths on one nats-server that don't hear each other have different ones. */
  busPrefix: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,32}$/, "isn't a name: take 1 to 32 letters, digits, _ or -")
    .default("berth"),
  /** Share of its messages that this process loses on purpose, 0 to 1, to see that nothing rests on them. */
  busDrop: z.number().min(0).max(1).default(0),
};

/** Those settings, checked. */
export interface BusSettings {
  readonly bus?: Secret | undefined;
  readonly busPrefix: string;
  readonly busDrop: number;
}

/** Settings of a program that takes them one by one, from flags or variables. @throws ConfigError naming what is wrong. */
export const busSettingsSchema: z.ZodType<BusSettings> = z.strictObject(busSettings);

function problemOf(text: string): string | undefined {
  if (text.split(",").every((part) => isServer(part.trim()))) return undefined;
  return "must be nats://host:port, several with commas; user and password may stand before the host as user:password@";
}

function isServer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return /^(nats|tls):$/.test(protocol) && hostname !== "";
}

/**
 * The bus that settings name. It connects by itself, and again after a break; who needs it doesn't wait for it. `name` shows on the server.
 */
export async function openBus(settings: BusSettings, options: BusOptions & { readonly name: string }): Promise<Bus> {
  const { bus, busPrefix: prefix, busDrop } = settings;
  if (!bus) return new SilentBus();
  // Loaded only where it is used: the client takes 0.1 s and 12 MB.
  const { NatsBus } = await import("./nats-bus.js");
  const nats = new NatsBus({ ...options, ...serversOf(bus), prefix });
  if (busDrop === 0) return nats;
  options.logger.warn({ busDrop }, "messages of the bus are lost on purpose (busDrop)");
  return new FaultyBus(nats, { clock: options.clock, random: Math.random, faults: { drop: busDrop } });
}

/** Servers without what identifies us, and that apart. The client takes it for all of them. */
function serversOf(bus: Secret): {
  servers: string[];
  credentials?: { user: string; pass: string; inboxPrefix: string };
} {
  const urls = bus
    .reveal()
    .split(",")
    .map((part) => new URL(part.trim()));
  const servers = urls.map(({ protocol, host }) => `${protocol}//${host}`);
  const { username, password } = urls.find((url) => url.username !== "") ?? { username: "", password: "" };
  if (username === "") return { servers };
  const [user, pass] = [decodeURIComponent(username), decodeURIComponent(password)];
  // Answers come to subjects under the user's name, so that the server can keep one role from reading another's.
  const inboxPrefix = `_INBOX_${user.replaceAll(/[^A-Za-z0-9_-]/g, "_")}`;
  return { servers, credentials: { user, pass, inboxPrefix } };
}
