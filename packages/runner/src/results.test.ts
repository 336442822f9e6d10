import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runner } from "@berth/contracts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Runner } from "./runner.js";
import { call, command, StandIn, shell } from "./testing/stand-in.js";

const { SUCCEEDED, FAILED, STOPPED, NOT_STARTED } = runner.Outcome_Result;

let folder = "";
let services: StandIn;
let subject: Runner;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-runner-"));
  services = new StandIn();
});
afterEach(async () => {
  await subject.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function started(prepare?: (made: Runner) => void): Promise<void> {
  subject = new Runner(
    { dataFolder: join(folder, "data"), poolManagerAddress: "stand-in:1", pools: ["pool"] },
    services,
  );
  prepare?.(subject);
  await subject.start();
  await subject.whenAttached();
}

async function outcomeOf(work: runner.Work): Promise<runner.Outcome> {
  await services.give(work);
  return services.outcome(work.lease);
}

const results = (): string[] => readdirSync(join(folder, "data/results"));

describe("what a command writes to $BERTH_RESULT", () => {
  test.each([
    [
      "is its result, without the white space between its parts and with every digit",
      `printf '{\n  "b": [12345678901234567890, 1.10],\n  "say": "a \\\\"b\\\\"  c" }\n' > $BERTH_RESULT`,
      '{"b":[12345678901234567890,1.10],"say":"a \\"b\\"  c"}',
    ],
    [
      "is its result, also if it moves it there",
      "echo [1] > $BERTH_RESULT.new; mv $BERTH_RESULT.new $BERTH_RESULT",
      "[1]",
    ],
    [
      "is its result, also if it says so with a mark of byte order",
      "printf '\\357\\273\\277true' > $BERTH_RESULT",
      "true",
    ],
    ["is no result if it is nothing", ": > $BERTH_RESULT", ""],
    ["is no result if it writes none", "true", ""],
  ])("%s", async (_what, line, result) => {
    await started();
    const outcome = await outcomeOf(shell("a", line));
    expect(outcome).toMatchObject({ result: SUCCEEDED, exitCode: 0, message: "" });
    expect(outcome.resultJson.toString()).toBe(result);
    expect(results()).toEqual([]);
  });

  test("is kept up to 256 KiB, and a byte more is a failure for good that says so", async () => {
    await started();
    const write = (bytes: number): string =>
      `(printf '"'; head -c ${bytes - 2} /dev/zero | tr '\\0' x; printf '"') > $BERTH_RESULT`;
    const most = await outcomeOf(shell("a", write(262_144)));
    expect(most).toMatchObject({ result: SUCCEEDED });
    expect(most.resultJson).toHaveLength(262_144);
    const tooMuch = await outcomeOf(shell("b", write(262_145)));
    expect(tooMuch).toMatchObject({ result: FAILED, exitCode: 0, permanent: true });
    expect(tooMuch.message).toMatch(/\$BERTH_RESULT has 262145 bytes; at most 262144 are kept/);
    expect(tooMuch.resultJson).toHaveLength(0);
  });

  test.each([
    ["no JSON", "echo half of it > $BERTH_RESULT", /isn't JSON/],
    ["no UTF-8", "printf '\"\\377\"' > $BERTH_RESULT", /isn't JSON in UTF-8/],
    ["a folder", "mkdir $BERTH_RESULT", /isn't a file/],
    ["a pipe that nobody writes to", "mkfifo $BERTH_RESULT", /isn't a file/],
    ["a device without an end", "ln -s /dev/zero $BERTH_RESULT", /isn't a file/],
  ])("and can't be kept, since it is %s, fails the run for good", async (_what, line, message) => {
    await started();
    const outcome = await outcomeOf(shell("a", line));
    expect(outcome).toMatchObject({ result: FAILED, exitCode: 0, permanent: true });
    expect(outcome.message).toMatch(message);
    expect(Buffer.byteLength(outcome.message)).toBeLessThanOrEqual(4_096);
    expect(results()).toEqual([]);
  });

  test("is kept of a run that failed by itself, whose failure stays what it was", async () => {
    await started();
    const told = await outcomeOf(shell("a", "echo '{\"line\":7}' > $BERTH_RESULT; exit 3"));
    expect(told).toMatchObject({ result: FAILED, exitCode: 3, message: "exit code 3", permanent: false });
    expect(told.resultJson.toString()).toBe('{"line":7}');
    const torn = await outcomeOf(shell("b", "echo '{' > $BERTH_RESULT; kill -9 $$"));
    expect(torn).toMatchObject({ result: FAILED, signal: "SIGKILL", permanent: false });
    expect(torn.message).toMatch(/^ended by SIGKILL; the result in \$BERTH_RESULT isn't JSON/);
  });

  test("is nothing of a run that was stopped: whether it is whole can't be known", async () => {
    await started();
    const work = shell("a", "echo 1 > $BERTH_RESULT; echo written; sleep 1000");
    await services.give(work);
    await services.until(() => services.outputOf("set/a").includes("written"));
    services.revoke({ lease: "a", token: work.token, reason: "cancelled" });
    const outcome = await services.outcome("a");
    expect(outcome).toMatchObject({ result: STOPPED });
    expect(outcome.resultJson).toHaveLength(0);
    expect(results()).toEqual([]);
  });

  test("is in a folder that no other user can read, and what an earlier process left is removed at the start", async () => {
    mkdirSync(join(folder, "data/results/run-old"), { recursive: true });
    writeFileSync(join(folder, "data/results/run-old/result.json"), "1");
    await started();
    expect(() => results()).toThrow();
    await outcomeOf(shell("a", "stat -c %a $(dirname $BERTH_RESULT); dirname $(dirname $BERTH_RESULT)"));
    await services.until(() => services.outputOf("set/a") !== "");
    expect(services.outputOf("set/a")).toBe(`700\n${join(folder, "data/results")}\n`);
  });

  test("is its own affair: a task's variable of that name is overridden", async () => {
    await started();
    const env = { BERTH_RESULT: join(folder, "elsewhere") };
    expect((await outcomeOf(shell("a", "echo 1 > $BERTH_RESULT", { env }))).resultJson.toString()).toBe("1");
    expect(readdirSync(folder)).toEqual(["data"]);
  });
});

test("a handler's result that can't be JSON is a failure for good, which says where", async () => {
  const circle: { list: unknown[] } = { list: [] };
  circle.list.push(0, { up: circle });
  const things: ReadonlyMap<string, [value: unknown, message: RegExp]> = new Map<string, [unknown, RegExp]>([
    ["a circle", [circle, /result\.list\[1\]\.up leads back to result/]],
    ["a BigInt", [{ rows: [{ "the count": 1n }] }, /result\.rows\[0\]\["the count"\] is a BigInt/]],
    ["only a BigInt", [1n, /result is a BigInt/]],
    [
      "toJSON that throws",
      [
        {
          at: new Date(Number.NaN),
          of: {
            toJSON: () => {
              throw new Error("no idea");
            },
          },
        },
        /toJSON of result\.of threw Error: no idea/,
      ],
    ],
    [
      "a getter that throws",
      [
        {
          in: Object.defineProperty({}, "x", {
            enumerable: true,
            get: () => {
              throw new Error("shut");
            },
          }),
        },
        /reading result\.in\.x threw Error: shut/,
      ],
    ],
    [
      "a proxy that answers nothing",
      [
        new Proxy(
          {},
          {
            get: (_, key) => {
              if (key !== "then") throw new Error("shut");
            },
            ownKeys: () => {
              throw new Error("shut");
            },
          },
        ),
        /shut/,
      ],
    ],
    ["nested deeper than the stack", [deep(100_000), /RangeError/]],
    ["twice the same and a BigInt", [[circle.list[0], { a: circle.list[0] }, { b: 2n }], /result\[2\]\.b is a BigInt/]],
  ]);
  await started((made) => made.handle<string>("returns", ({ payload }) => things.get(payload)?.[0]));
  for (const [name, [, message]] of things) {
    const outcome = await outcomeOf(call(name, "returns", name));
    expect(outcome, name).toMatchObject({ result: FAILED, permanent: true });
    expect(outcome.message, name).toMatch(message);
    expect(outcome.resultJson, name).toHaveLength(0);
  }
});

function deep(levels: number): unknown {
  let made: unknown[] = [];
  for (let level = 0; level < levels; level++) made = [made];
  return made;
}

describe("a working directory with the mark of the slot", () => {
  test("is that of the run's slot", async () => {
    mkdirSync(join(folder, "trees/slot-a"), { recursive: true });
    await started();
    expect(await outcomeOf(command("a", ["pwd", "-P"], { cwd: `${folder}/trees/\${slot}` }))).toMatchObject({
      result: SUCCEEDED,
    });
    await services.until(() => services.outputOf("set/a") !== "");
    expect(services.outputOf("set/a")).toBe(`${realpathSync(folder)}/trees/slot-a\n`);
  });

  test("is the slot itself where a slot is named after its directory", async () => {
    await started();
    const work = { ...command("a", ["pwd", "-P"], { cwd: `\${slot}` }), slot: folder };
    expect(await outcomeOf(work)).toMatchObject({ result: SUCCEEDED });
    await services.until(() => services.outputOf("set/a") !== "");
    expect(services.outputOf("set/a")).toBe(`${realpathSync(folder)}\n`);
  });

  test("that isn't there: NOT_STARTED for good, naming the directory, the slot and the pool", async () => {
    await started();
    const outcome = await outcomeOf(command("a", ["true"], { cwd: `${folder}/\${slot}/of/\${slot}` }));
    expect(outcome).toMatchObject({ result: NOT_STARTED, permanent: true });
    expect(outcome.message).toBe(
      `working directory ${folder}/slot-a/of/slot-a isn't there (\${slot} is "slot-a" in pool pool)`,
    );
    expect(results()).toEqual([]);
  });
});
