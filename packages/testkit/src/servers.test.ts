import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  freePort,
  type NatsServer,
  NotReady,
  type PostgresServer,
  serversAvailable,
  startNats,
  startPostgres,
} from "./index.js";
import { answers } from "./port.js";

const available = serversAvailable();
const folder = mkdtempSync(join(tmpdir(), "berth-testkit-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(!available.nats)("nats-server (needs its program)", () => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await startNats({ folder: join(folder, "nats") });
  });
  afterAll(() => server.kill());

  it("answers on its port, stops, and starts again on the same one", async () => {
    expect(await answers(server.port)).toBe(true);
    const first = server.pid;
    await server.kill();
    expect(await answers(server.port)).toBe(false);
    expect(server.pid).toBeUndefined();
    await server.start();
    expect(await answers(server.port)).toBe(true);
    expect(server.pid).not.toBe(first);
    await server.stop();
    await server.stop();
    await server.start({ empty: true });
    expect(await answers(server.port)).toBe(true);
  });

  it("says why it didn't get ready", async () => {
    await expect(startNats({ folder: join(folder, "second"), port: server.port })).rejects.toThrow(NotReady);
    await expect(startNats({ folder: join(folder, "second"), port: server.port })).rejects.toThrow(
      /address already in use/,
    );
  });
});

describe.skipIf(!available.postgres)("PostgreSQL (needs its programs)", { timeout: 60_000 }, () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ folder: join(folder, "postgres") });
  }, 60_000);
  afterAll(() => server.stop({ immediate: true }));

  it("runs as a user without privileges and survives every way to stop it", async () => {
    for (const end of [() => server.stop(), () => server.stop({ immediate: true }), () => server.kill()]) {
      expect(await answers(server.port)).toBe(true);
      await end();
      expect(await answers(server.port)).toBe(false);
      await server.start();
    }
  });

  it("opens an existing cluster with the same password", async () => {
    await server.stop();
    const again = await startPostgres({ folder: join(folder, "postgres"), port: server.port });
    expect(again.url).toBe(server.url);
    await again.stop();
    await server.start();
  });
});

it("finds ports below the range for outgoing connections", async () => {
  const port = await freePort();
  expect(port).toBeGreaterThanOrEqual(20_000);
  expect(port).toBeLessThan(30_000);
});
