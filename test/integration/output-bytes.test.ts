import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, cli, scratchFolder, startBerth } from "./harness/berth.js";
import { until } from "./harness/until.js";

const scratch = scratchFolder();
let berth: Berth;

beforeAll(async () => {
  berth = await startBerth(scratch.path, {
    pools: { default: { maxConcurrency: 4 } },
    defaults: { retry: { backoff: "10ms" } },
  });
});
afterAll(async () => {
  await berth?.stop();
  scratch.remove();
});

/** A line for a shell, with `berth` in it; what comes out of it as bytes. */
async function shell(line: string): Promise<{ code: number | null; out: Buffer; error: string }> {
  const script = `berth() { "${process.execPath}" "${cli}" "$@"; }\n${line}`;
  const environment = { ...process.env, BERTH_DATA_FOLDER: berth.dataFolder };
  const child = spawn("bash", ["-c", script], {
    cwd: scratch.path,
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, error]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on("data", (data: Buffer) => out.push(data));
  child.stderr.on("data", (data: Buffer) => error.push(data));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, out: Buffer.concat(out), error: Buffer.concat(error).toString("utf8") };
}
const digest = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

describe("output is bytes", () => {
  // Every byte there is, more than the megabyte that is kept of other runs, and no piece ends where a character does.
  const data = Buffer.concat([randomBytes(3_000_001), Buffer.from("\u{1F600}ä\0".repeat(40_000))]);
  beforeAll(() => writeFileSync(join(scratch.path, "data"), data));

  it("by run, and by logs afterwards, as the command wrote it: a tar is the same tar", async () => {
    const ran = await shell(`berth run --set bytes -- cat ${scratch.path}/data`);
    expect([ran.code, digest(ran.out)], ran.error).toEqual([0, digest(data)]);
    const tar = await shell(`berth run -- tar cf - -C ${scratch.path} data | tar xOf - data`);
    expect([tar.code, digest(tar.out)], tar.error).toEqual([0, digest(data)]);
    const logged = await shell("berth logs bytes/task");
    expect([logged.code, digest(logged.out)], logged.error).toEqual([0, digest(data)]);
    const json = (await shell("berth logs --json bytes/task")).out.toString("utf8").trimEnd().split("\n");
    const pieces = json.map((line) => {
      const { data: text, dataBase64 } = JSON.parse(line) as { data?: string; dataBase64?: string };
      return text === undefined ? Buffer.from(dataBase64 ?? "", "base64") : Buffer.from(text, "utf8");
    });
    expect(digest(Buffer.concat(pieces))).toBe(digest(data));
  });

  it("by with", async () => {
    const { code, out } = await shell(`berth with -- cat ${scratch.path}/data`);
    expect([code, digest(out)]).toEqual([0, digest(data)]);
  });

  it("or the call says that some are missing, and fails: no more than 16 MiB of a run are kept", async () => {
    // All has been written before anything is read: the reader has no chance to be faster than the cutting.
    const mark = join(scratch.path, "written");
    const script = `head -c 40000000 /dev/zero; touch ${mark}`;
    const reader = `until [ -e ${mark} ]; do sleep 0.05; done; cat`;
    const { code, out, error } = await shell(`berth run -- sh -c '${script}' | { ${reader}; }; exit \${PIPESTATUS[0]}`);
    expect(out.length).toBeLessThan(40_000_000);
    expect(code).toBe(1);
    expect(error).toMatch(/the command succeeded, but \S+ MiB of its output is missing here/);
  });
});

describe("run -- COMMAND", () => {
  it.each([
    ["exit 0", 0],
    ["exit 7", 7],
    ["kill -KILL $$", 137],
    ["kill -TERM $$", 143],
  ])("of %j exits with %d, as with does", async (script, code) => {
    expect((await shell(`berth run -- sh -c '${script}'`)).code).toBe(code);
    expect((await shell(`berth with -- sh -c '${script}'`)).code).toBe(code);
  });

  it("makes one attempt, as submit does, unless --retry asks for more", async () => {
    await shell("berth run --set once -- false; berth submit --set once-too -- false; berth watch once-too");
    await shell("berth run --set twice --retry 2 -- false");
    const attempts = async (task: string) => (await berth.client.registry.getTask({ task })).task?.attempt;
    expect([await attempts("once/task"), await attempts("once-too/task"), await attempts("twice/task")]).toEqual([
      1, 1, 2,
    ]);
  });

  it("exits with the command's code when its reader goes away, and follows it to its end", async () => {
    const mark = join(scratch.path, "ended");
    const script = `yes | head -n 200000; touch ${mark}; exit 9`;
    const { code, out, error } = await shell(`berth run -- sh -c '${script}' | head -1; exit \${PIPESTATUS[0]}`);
    expect([code, out.toString()], error).toEqual([9, "y\n"]);
    expect(existsSync(mark)).toBe(true);
    expect(error).not.toMatch(/EPIPE|at .*\.js/);
  });

  it("of a file exits with 1 for a failure, also when its reader goes away", async () => {
    const tasks = Array.from({ length: 30 }, (_, index) => `  - {id: t${index}, run: 'exit ${index % 2}', retry: 1}`);
    writeFileSync(join(scratch.path, "many.yaml"), `tasks:\n${tasks.join("\n")}\n`);
    const { code } = await shell(`berth run many.yaml | head -1 >/dev/null; exit \${PIPESTATUS[0]}`);
    expect(code).toBe(1);
  });
});

describe("an output that can't be written", () => {
  beforeAll(async () => {
    writeFileSync(join(scratch.path, "one.yaml"), "tasks: [{id: a, run: 'echo hello'}]\n");
    await shell("berth run --set there one.yaml");
    await until("the output", async () => (await shell("berth logs there/a")).out.toString() === "hello\n");
  });

  it.each([
    "--help",
    "--version",
    "run --help",
    "init other.yaml",
    "run one.yaml",
    "run -- echo hello",
    "run --json one.yaml",
    "submit one.yaml",
    "watch there",
    "with --json -- true",
    "status",
    "status --json",
    "sets",
    "tasks",
    "task there/a",
    "logs there/a",
    "logs -f there/a",
    "pools",
    "limits",
    "cancel there",
    "retry there",
    "pool set default --max-concurrency 4",
    "limit set global --capacity 10",
    "apply berth.yaml --dry-run",
    "up --data other --ports free --demo one.yaml --once",
  ])("is one line and a code: berth %s > /dev/full", async (command) => {
    const { code, error } = await shell(`berth ${command} > /dev/full`);
    expect(
      error.match(/^berth: can't write to standard output: no space is left on the device.*$/gm),
      error,
    ).toHaveLength(1);
    expect(error).not.toMatch(/^\s+at /m);
    expect(code).toBe(1);
  });

  it("doesn't turn a failure into another: the command's own code is what is reported", async () => {
    expect((await shell("berth run -- sh -c 'echo hello; exit 5' > /dev/full")).code).toBe(5);
    expect((await shell("berth tasks --state nonsense > /dev/full 2> /dev/full")).code).toBe(2);
  });
});

it("what others write can't tell the terminal anything: a reason, a name, a path, a key", async () => {
  const evil = "\u001b]0;title\u0007\u001b[2J\nall succeeded \u202e";
  writeFileSync(join(scratch.path, "evil.yaml"), JSON.stringify({ tasks: [{ id: "a", run: "true", [evil]: 1 }] }));
  await shell("berth submit --set evil -- sleep 60");
  await berth.client.cancel("evil", evil);
  const texts = await Promise.all([
    shell("berth watch evil"),
    shell("berth task evil/task"),
    shell("berth run evil.yaml"),
    shell(`berth run ${JSON.stringify(`$(printf '\\033[2Jx.yaml')`)}`),
    shell("berth sets"),
  ]);
  for (const { out, error } of texts) {
    expect(out + error).not.toMatch(/(?![\n\t])\p{Cc}|\u202e/u);
    expect(out + error).not.toMatch(/^all succeeded/m);
  }
  expect(readFileSync(join(berth.dataFolder, "berth.log"), "utf8")).not.toMatch(/(?![\n\t])\p{Cc}/u);
});
