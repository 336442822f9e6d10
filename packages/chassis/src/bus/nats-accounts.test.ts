import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { event, subjects } from "@berth/contracts";
import { type NatsServer, serversAvailable, startNats } from "@berth/testkit";
import { Secret } from "@berth/wire/config";
import { connect } from "nats";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../clock/index.js";
import { silentLogger } from "../log/index.js";
import { openBus } from "./open.js";
import type { Bus } from "./port.js";

const file = fileURLToPath(new URL("../../../../deploy/nats/nats.conf", import.meta.url));
const environment = {
  NATS_RUNNER_PASSWORD: '"1"',
  NATS_POOL_MANAGER_PASSWORD: '"2"',
  NATS_REGISTRY_PASSWORD: '"3e4"',
};

describe.skipIf(!serversAvailable().nats)("the users of deploy/nats/nats.conf (needs nats-server)", () => {
  const folder = mkdtempSync(join(tmpdir(), "berth-accounts-"));
  const opened: Bus[] = [];
  let server: NatsServer;
  const urlOf = (user: string, password: string) => server.url.replace("//", `//${user}:${password}@`);
  const open = async (user: string, password: string): Promise<Bus> => {
    const settings = { bus: new Secret(urlOf(user, password)), busPrefix: "berth", busDrop: 0 };
    const bus = await openBus(settings, { clock: systemClock, logger: silentLogger, name: user });
    opened.push(bus);
    return bus;
  };
  beforeAll(async () => {
    server = await startNats({ folder, accounts: { file, environment } });
  });
  afterAll(async () => {
    await Promise.all(opened.map((bus) => bus.close()));
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it("may all that their roles do: completions reach the pool-manager, lease events the registry", async () => {
    const heard: string[] = [];
    const manager = await open("pool-manager", "2");
    await manager.subscribe(subjects.completion, "pool-manager", async (batches) => {
      heard.push(...batches.map(({ runner }) => runner));
    });
    const registry = await open("registry", "3e4");
    await registry.subscribe(subjects.lease, "registry", async (batches) => {
      heard.push(...batches.map(() => "lease"));
    });
    await (await open("runner", "1")).publish(subjects.completion, event.CompletionBatch.fromPartial({ runner: "r" }));
    await manager.publish(subjects.lease, event.LeaseEventBatch.fromPartial({}));
    await expect.poll(() => heard.toSorted()).toEqual(["lease", "r"]);
  });

  const asked = ["berth.berth.lease", "$JS.API.STREAM.DELETE.BERTH_berth", "_INBOX_pool-manager.x"];
  it.each([
    ...asked.map((subject) => ["runner", "1", "publish", subject]),
    ["runner", "1", "publish", "$JS.API.CONSUMER.CREATE.BERTH_berth.mine"],
    ...["berth.>", "_INBOX_pool-manager.>", "_INBOX.>", ">"].map((subject) => ["runner", "1", "subscription", subject]),
    ["registry", "3e4", "publish", "berth.berth.lease"],
    ["registry", "3e4", "publish", "berth.berth.completion"],
    ["pool-manager", "2", "publish", "berth.berth.completion"],
    ["pool-manager", "2", "publish", "$JS.API.STREAM.DELETE.BERTH_berth"],
  ] as [string, string, string, string][])("%s may not do more: %s %s %s", async (user, pass, operation, subject) => {
    const connection = await connect({ servers: server.url, user, pass, inboxPrefix: `_INBOX_${user}` });
    const refused = (async () => {
      for await (const { data } of connection.status()) if (/permission/i.test(JSON.stringify(data))) return data;
      return "nothing";
    })();
    if (operation === "publish") connection.publish(subject);
    else connection.subscribe(subject, { callback: () => undefined });
    await connection.flush();
    expect(JSON.stringify(await refused)).toMatch(/permission/i);
    await connection.close();
  });

  it("nobody comes in without one, or with another's password", async () => {
    await expect(connect({ servers: server.url })).rejects.toThrow(/authorization/i);
    await expect(connect({ servers: server.url, user: "pool-manager", pass: "1" })).rejects.toThrow(/authorization/i);
  });
});
