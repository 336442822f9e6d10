import { randomInt } from "node:crypto";
import { connect, createServer } from "node:net";

const firstPort = 20_000;
const ports = 10_000;
const attempts = 100;

/**
 * A port of loopback on which nothing listens now. Taken below the range for outgoing connections, so that it stays free while its server
 * is stopped, and no client that dials it in vain is connected to itself.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const port = firstPort + randomInt(ports);
    if (await isFree(port)) return port;
  }
  throw new Error(`none of ${attempts} ports tried from ${firstPort} to ${firstPort + ports - 1} is free; give one`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

/** Whether somebody listens on a port of loopback. */
export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
