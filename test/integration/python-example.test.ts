import { spawnSync } from "node:child_process";
import { copyFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, root, scratchFolder, startBerth } from "./harness/berth.js";
import { succeed } from "./harness/command.js";

const runs = (program: string, ...args: string[]): boolean =>
  spawnSync(program, args, { stdio: "ignore" }).status === 0;
/** The first Python that knows gRPC: the system's own may not be the first of PATH. */
const python = ["python3", "/usr/bin/python3"].find((each) => runs(each, "-c", "import grpc, google.protobuf"));
const generators = runs("protoc", "--version") && runs("which", "grpc_python_plugin");

describe.skipIf(!python || !generators)("the example in Python (needs its gRPC, protoc and the plugin)", () => {
  const scratch = scratchFolder();
  let berth: Berth;
  beforeAll(async () => {
    berth = await startBerth(scratch.path);
  });
  afterAll(async () => {
    await berth?.stop();
    scratch.remove();
  });

  it("submits, watches and reads a typed error with nothing but the exported protos", async () => {
    const [protos, generated] = [join(scratch.path, "protos"), join(scratch.path, "python")];
    const example = join(root, "examples/python");
    const buf = (...args: string[]) => succeed(join(root, "node_modules/.bin/buf"), args, { cwd: root });
    await buf("export", ".", "-o", protos);
    copyFileSync(join(example, "rpc_status.proto"), join(protos, "rpc_status.proto"));
    await buf("generate", protos, "--template", join(example, "buf.gen.yaml"), "-o", generated);
    const { addresses } = berth.client.endpoints;
    const args = [join(example, "client.py"), addresses.registry, join(berth.dataFolder, "token")];
    const environment = { ...process.env, PYTHONPATH: [generated, process.env.PYTHONPATH ?? ""].join(delimiter) };
    const out = await succeed(python ?? "", args, { cwd: scratch.path, environment });
    expect(out.split("\n")).toEqual([
      "hello SUCCEEDED",
      "then SUCCEEDED",
      "INVALID_ARGUMENT INVALID_FIELD ['tasks[0].id']",
      "",
    ]);
  });
});
