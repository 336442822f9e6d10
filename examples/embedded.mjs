// A Berth inside this program: no other process, no port of yours. Run it with: node examples/embedded.mjs
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@berth/client";
import { startStandalone } from "@berth/standalone";

const dataFolder = mkdtempSync(join(tmpdir(), "berth-embedded-"));
// What a berth.yaml may hold; what is left out has its default.
const berth = await startStandalone({ dataFolder, pools: { squares: { maxConcurrency: 2 } } }, { freePorts: true });
berth.runner.handle("square", (task) => ({ square: task.payload.of ** 2 }));

const client = createClient({ dataFolder });
const { set } = await client.submit([1, 2, 3].map((of) => ({ id: `of-${of}`, handler: "square", payload: { of } })));
for await (const { task } of client.tasks(set)) console.log(task.slice(set.length + 1), await client.result(task)); // of-3 { square: 9 } and so on
client.close();
await berth.stop();
rmSync(dataFolder, { recursive: true });
