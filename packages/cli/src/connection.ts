// Where Berth is: flags over environment over file.

import { readFileSync } from "node:fs";
import { connect as connectSocket } from "node:net";
import { type Address, parseAddresses } from "@berth/chassis/config";
import { describe } from "@berth/chassis/errors";
import { startTelemetry, type Telemetry } from "@berth/chassis/telemetry";
import { type BerthClient, createClient } from "@berth/client";
import { UsageError } from "./errors.js";
import { hint } from "./hints.js";
import type { Io } from "./io.js";
import { findPlaces, type GlobalOptions } from "./places.js";
import { stoppingOf, whatRuns } from "./stopping.js";

/** Makes a client. Nothing is sent yet. */
export function clientOf(options: GlobalOptions, io: Io, telemetry?: Telemetry): BerthClient {
  const { environment } = io;
  const token = options.tokenFile === undefined ? environment.BERTH_API_TOKEN : tokenOf(options.tokenFile);
  const addresses = {
    registry: options.registry ?? environment.BERTH_REGISTRY_ADDRESS,
    poolManager: options.poolManager ?? environment.BERTH_POOL_MANAGER_ADDRESS,
    scheduler: options.scheduler ?? environment.BERTH_SCHEDULER_ADDRESS,
    metrics: options.metrics ?? environment.BERTH_METRICS_ADDRESS,
  };
  const given = Object.fromEntries(Object.entries(addresses).filter(([, each]) => each !== undefined && each !== ""));
  for (const text of Object.values(given)) placesOf(text ?? "");
  return createClient({
    ...findPlaces(options, environment),
    addresses: given,
    ...(token ? { token } : {}),
    ...(telemetry === undefined ? {} : { telemetry }),
  });
}

/** An empty file mustn't mean "no token given, look elsewhere". */
function tokenOf(file: string): string {
  const token = readFileSync(file, "utf8").trim();
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new UsageError(
    `--token-file: ${file} ${token === "" ? "is empty" : "holds more than a token"}: it must hold the token and nothing else, as the file \`token\` of the data folder does`,
  );
}

/**
 * Calls `body` with a client that something answers, and closes it afterwards. A refused connection is told at once and not
 * after the client's retries.
 */
export async function withClient<T>(
  options: GlobalOptions,
  io: Io,
  body: (client: BerthClient) => Promise<T>,
): Promise<T> {
  const telemetry = await startTelemetry({ service: "berth-cli", environment: io.environment });
  const client = clientOf(options, io, telemetry);
  try {
    const { addresses, dataFolder } = client.endpoints;
    const where = dataFolder === undefined ? "" : ` (data folder ${dataFolder})`;
    const stopping = stoppingOf(client);
    const up = `start one with \`${hint(io, "up")}\``;
    const refused =
      stopping === undefined
        ? `no Berth at ${addresses.registry}${where}: ${up}, or say where it is with --data or --registry`
        : `Berth is stopping (process ${stopping.pid}${where}): when it has ended, ${up}`;
    await probe(addresses.registry, refused);
    if (stopping !== undefined) {
      const left = `${await whatRuns(client)}, for ${stopping.leftS} s at most`;
      io.writeError(`Berth is stopping; ${left}. What is submitted now starts when it is up again\n`);
    }
    return await body(client);
  } finally {
    client.close();
    await telemetry.stop();
  }
}

const probeMs = 5_000;

/** Resolves when one of the addresses takes a connection. */
async function probe(text: string, refused: string): Promise<void> {
  try {
    await Promise.any(placesOf(text).map(knock));
  } catch (error) {
    const silent = (error as AggregateError).errors.includes("silent");
    throw new UsageError(silent ? `${text} doesn't answer within ${probeMs / 1_000} s` : refused, 1);
  }
}

function placesOf(text: string): readonly Address[] {
  try {
    return parseAddresses(text);
  } catch (error) {
    throw new UsageError(describe(error));
  }
}

function knock({ host, port }: Address): Promise<void> {
  return new Promise((done, fail) => {
    const socket = connectSocket({ host, port, timeout: probeMs });
    const end = (problem?: "silent" | "refused") => {
      socket.destroy();
      if (problem === undefined) done();
      else fail(problem);
    };
    socket.once("connect", () => end());
    socket.once("timeout", () => end("silent"));
    socket.once("error", () => end("refused"));
  });
}
