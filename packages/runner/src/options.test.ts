import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkOptions } from "./options.js";
import { createRunner } from "./runner.js";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-runner-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const addresses = { registry: "r:1", poolManager: "p:2,q:2", scheduler: "s:3", metrics: "m:4" };
const client = { endpoints: { addresses, token: "open sesame" } };

test("addresses and token are the client's, but for those that are given", () => {
  expect(checkOptions({ dataFolder: folder, client })).toEqual({
    poolManagerAddress: "p:2,q:2",
    schedulerAddress: "s:3",
    registryAddress: "r:1",
    token: "open sesame",
  });
  const given = { poolManagerAddress: "x:1", schedulerAddress: "x:2", registryAddress: "x:3", token: "t" };
  expect(checkOptions({ dataFolder: folder, client, ...given })).toEqual(given);
  const open = { endpoints: { addresses, token: "" } };
  expect(checkOptions({ dataFolder: folder, client: open }).token).toBeUndefined();
});

test("without a client and an address a runner isn't made, and the message says what to give", () => {
  expect(() => createRunner({ dataFolder: folder })).toThrow(
    "poolManagerAddress: is missing; give it, or a client that knows it",
  );
});

test("a client's address that can't be one is refused as a given one is", () => {
  const wrong = { endpoints: { addresses: { ...addresses, scheduler: "nowhere" }, token: "" } };
  expect(() => createRunner({ dataFolder: folder, client: wrong })).toThrow(/^schedulerAddress: /);
});
