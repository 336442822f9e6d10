import { createServer } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { ManualClock } from "../clock/index.js";
import { Secret } from "../config/index.js";
import { silentLogger } from "../log/index.js";
import { createService, type ServiceBody } from "./index.js";

const config = { host: "127.0.0.1", port: 0, httpPort: 0, allowedHosts: [] };
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A service that notes what it does. `holder` is who has the leader row; undefined where there is no database. */
function made({ holder, body = {}, port = 0 }: { holder?: string; body?: Partial<ServiceBody>; port?: number } = {}) {
  const seen: string[] = [];
  const row = { epoch: 3, n: 10, holder: holder ?? "" };
  const clock = new ManualClock();
  const part = (name: string) => ({
    start: () => seen.push(`${name} begins`),
    drain: () => seen.push(`${name} drains`),
    stop: () => seen.push(`${name} ends`),
  });
  const leader = {
    confirmedMs: 0,
    start: async () => void seen.push("leads"),
    confirm: async () => undefined,
    stop: async () => void seen.push("resigns"),
  };
  const settings = { ...config, port, ...(holder !== undefined && { database: new Secret("postgres://u@h/d") }) };
  const service = createService("trial", { config: settings, clock, logger: silentLogger }, ({ listening }) => ({
    base: [part("base")],
    lead: { leader, store: { position: async () => ({ ...row }) }, takeoverMs: 5_000 },
    serve: () => [part("inner"), listening, part("outer")],
    ...body,
  }));
  ends.push(() => service.stop());
  const http = (path: string) => fetch(`http://127.0.0.1:${service.httpPort}${path}`);
  return { service, seen, row, clock, http };
}

describe("a service", () => {
  it("begins with what it stands on and ends with it, gRPC where its own order says", async () => {
    const { service, seen } = made();
    expect(seen).toEqual([]);
    await Promise.all([service.start(), service.start()]);
    expect(service.port).toBeGreaterThan(0);
    await Promise.all([service.stop(), service.stop()]);
    expect(seen).toEqual(
      ["base begins", "leads", "inner begins", "outer begins"].concat(
        "outer ends",
        "inner ends",
        "resigns",
        "base ends",
      ),
    );
  });

  it("is a standby while another one leads: HTTP says so, and nothing listens on gRPC", async () => {
    const { service, seen, row, clock, http } = made({ holder: "another" });
    await service.start();
    const readyz = await http("/readyz");
    expect([readyz.status, await readyz.json()]).toEqual([503, { ready: false, checks: { leadership: "standby" } }]);
    expect([(await http("/healthz")).status, service.port, seen]).toEqual([200, 0, ["base begins"]]);
    row.holder = "";
    await expect
      .poll(() => clock.advance(500).then(() => service.ready()))
      .toEqual({
        ready: true,
        checks: { leadership: "ok" },
      });
    expect(service.port).toBeGreaterThan(0);
  });

  it("ends as a standby without ever having led", async () => {
    const { service, seen, row, clock } = made({ holder: "another" });
    await service.start();
    await service.drain?.();
    await service.stop();
    row.holder = "";
    await clock.advance(10_000);
    expect(seen).toEqual(["base begins", "base drains", "resigns", "base ends"]);
  });

  it("refreshes its figures only while it leads", async () => {
    let refreshed = 0;
    const body = { refreshMetrics: async () => void refreshed++ };
    const waiting = made({ holder: "another", body });
    await waiting.service.start();
    await waiting.http("/metrics");
    expect(refreshed).toBe(0);
    const leading = made({ body });
    await leading.service.start();
    await leading.http("/metrics");
    expect(refreshed).toBe(1);
  });

  it("says that it is draining from the first moment, and serves on until it is stopped", async () => {
    const { service, seen, http } = made();
    await service.start();
    service.announceStop?.();
    const readyz = await http("/readyz");
    expect([readyz.status, await readyz.json()]).toMatchObject([503, { checks: { draining: expect.any(String) } }]);
    expect(seen.filter((line) => /drains|ends/.test(line))).toEqual([]);
    await service.drain?.();
    expect(seen.filter((line) => /drains|ends/.test(line))).toEqual(["outer drains", "inner drains", "base drains"]);
  });

  it("is unready while its engine doesn't run, or it can't do its work, and ready while something that it can do without is away", async () => {
    const now = { engine: "running" as "running" | "stalled", able: true };
    const { service } = made({
      body: {
        engine: () => now.engine,
        able: () => now.able,
        needs: () => ({ bus: "is away" }),
        checks: () => ({ catalogue: "ok" }),
      },
    });
    expect(service.ready().ready, "it hasn't started").toBe(false);
    await service.start();
    const checks = { leadership: "ok", bus: "is away", catalogue: "ok" };
    expect(service.ready()).toEqual({ ready: true, checks: { engine: "ok", ...checks } });
    now.engine = "stalled";
    expect(service.ready()).toEqual({ ready: false, checks: { engine: "stalled", ...checks } });
    Object.assign(now, { engine: "running", able: false });
    expect(service.ready().ready).toBe(false);
  });

  it("leaves nothing behind when it can't start", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    ends.push(() => other.close());
    const { port } = other.address() as { port: number };
    const { service, seen, http } = made({ port });
    await expect(service.start()).rejects.toMatchObject({ name: "PortInUse" });
    expect(seen.slice(-3)).toEqual(["inner ends", "resigns", "base ends"]);
    await expect(http("/healthz")).rejects.toThrow("fetch failed");
  });
});
