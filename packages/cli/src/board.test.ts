import { registry } from "@berth/contracts";
import { describe, expect, it } from "vitest";
import { Board, changeLine } from "./board.js";
import { peakOf } from "./commands/summary.js";
import { recordingIo } from "./fixtures.js";
import { bar, cut, paint, printJson, table, widthOf } from "./io.js";
import { Screen } from "./screen.js";

const task = (name: string, state: keyof typeof registry.Task_State, more: Partial<registry.Task> = {}) =>
  registry.Task.fromPartial({ task: `s/${name}`, state: registry.Task_State[state], ...more } as registry.Task);

describe("the board", () => {
  it("counts what a watch tells, each task once", () => {
    const board = new Board(3);
    for (const each of [task("a", "READY"), task("a", "RUNNING"), task("b", "FAILED"), task("a", "SUCCEEDED")])
      board.take(each);
    expect(board.summary(recordingIo())).toBe("2/3 done, 1 failed");
    expect(board.unsuccessful.map((each) => each.task)).toEqual(["s/b"]);
  });

  it("never draws a line wider than the terminal", () => {
    const board = new Board(10_000);
    const states = [
      "RUNNING",
      "READY",
      "PENDING",
      "BACKING_OFF",
      "CANCELLING",
      "FAILED",
      "SKIPPED",
      "CANCELLED",
    ] as const;
    for (let index = 0; index < 10_000; index += 1)
      board.take(task(`${"long-".repeat(20)}${index}`, states[index % 8] ?? "READY", { startTime: new Date(0) }));
    for (const line of board.lines(recordingIo({ terminal: true, colour: true }), 5_000, 0))
      expect(widthOf(line)).toBeLessThan(100);
  });

  it.each([40, 80, 120])("keeps the bar, what is done and the time at %d columns, whatever the numbers", (columns) => {
    const board = new Board(10_000);
    const states = ["RUNNING", "READY", "PENDING", "BACKING_OFF", "FAILED", "SKIPPED", "CANCELLED"] as const;
    for (let index = 0; index < 7_000; index += 1) {
      board.take(
        task(`${"long-".repeat(9)}${index}`, states[index % 7] ?? "READY", { pool: "p", startTime: new Date(0) }),
      );
      if (index !== 10 && index !== 6_999) continue;
      const lines = board.lines(recordingIo({ terminal: true, columns }), 62_000, 0);
      expect(Math.max(...lines.map(widthOf))).toBeLessThan(columns);
      expect(lines[0]).toMatch(new RegExp(`^[█░]{10,40}  ${board.done}/10000 done(, .*)?  1m02s$`));
      expect(lines.slice(0, 2).join()).toContain(`${board.count(registry.Task_State.FAILED)} failed`);
      // Nor does a long name push out how long it runs.
      expect(lines.filter((line) => line.includes("long-") && line.includes("1m02s")).length).toBeGreaterThan(0);
    }
  });

  it("shows what waits to try again, and for how long, below what runs", () => {
    const board = new Board(3);
    board.take(task("later", "BACKING_OFF", { readyTime: new Date(9_000), stateReason: "exit code 2" }));
    board.take(task("now", "BACKING_OFF", { readyTime: new Date(1_000) }));
    board.take(task("runs", "RUNNING", { startTime: new Date(0), pool: "p" }));
    const [head, ...below] = board.lines(recordingIo({ terminal: true }), 2_000, 0);
    expect(head).toContain("0/3 done, 1 running, 2 retrying");
    expect(below).toEqual(["  runs  p  2.0s", "  now retrying now", "  later retrying in 7.0s - exit code 2"]);
  });

  it("gives a line for what people want to know, and none for the rest", () => {
    const io = recordingIo();
    const board = new Board(1);
    const lines = [
      task("a", "READY"),
      task("a", "RUNNING", { attempt: 1, pool: "p", runner: "r" }),
      task("a", "RUNNING", { attempt: 1, pool: "p", runner: "r", progress: 0.5 }),
      task("a", "BACKING_OFF", { attempt: 1, stateReason: "exit code 1", readyTime: new Date(10_000) }),
      task("a", "SUCCEEDED", { attempt: 2, startTime: new Date(0), endTime: new Date(1_500) }),
    ].map((each) => changeLine(io, board, board.take(each), each, 0));
    expect(lines).toEqual([
      undefined,
      "[0/1] a running in p on r",
      undefined,
      "[0/1] a retrying in 10s - exit code 1",
      "[1/1] a succeeded (attempt 2) in 1.5s",
    ]);
  });
});

describe("the peak of a limit", () => {
  it.each([
    [[], 0],
    [
      [
        { fromMs: 0, toMs: 10, weight: 1 },
        { fromMs: 10, toMs: 20, weight: 1 },
      ],
      1,
    ],
    [
      [
        { fromMs: 0, toMs: 10, weight: 2 },
        { fromMs: 9, toMs: 20, weight: 3 },
      ],
      5,
    ],
    [
      [
        { fromMs: 0, toMs: Number.POSITIVE_INFINITY, weight: 1 },
        { fromMs: 5, toMs: 6, weight: 1 },
      ],
      2,
    ],
  ])("of %j is %d", (holdings, peak) => expect(peakOf(holdings)).toBe(peak));
});

describe("output", () => {
  it("lines columns up, whatever colours they have", () => {
    const io = recordingIo({ colour: true });
    table(
      io,
      [{ title: "A" }, { title: "N", right: true }],
      [
        [paint(io, "green", "green"), "1"],
        ["x", "22"],
      ],
    );
    const widths = io.out().trimEnd().split("\n").map(widthOf);
    expect(new Set(widths)).toEqual(new Set([9]));
  });

  it("writes no escape sequence where colours aren't wanted", () => {
    const io = recordingIo();
    table(io, [{ title: "A" }], [["x"]]);
    expect(io.out()).toBe("A\nx\n");
  });

  it("prints wire values as plain JSON", () => {
    const io = recordingIo();
    printJson(
      io,
      { n: 5n, huge: 2n ** 60n, bytes: Buffer.from("hi"), at: new Date(0), wait: { seconds: 1n, nanos: 5e8 } },
      { oneLine: true },
    );
    expect(JSON.parse(io.out())).toEqual({
      n: 5,
      huge: "1152921504606846976",
      bytes: "hi",
      at: "1970-01-01T00:00:00.000Z",
      wait: "1.5s",
    });
  });

  it("cuts and fills", () => {
    expect([cut("abcdef", 4), cut("abc", 4), bar(1, 4, 8), bar(0, 0, 4), bar(9, 3, 4)]).toEqual([
      "abc…",
      "abc",
      "██░░░░░░",
      "░░░░",
      "████",
    ]);
  });

  it("draws in place: one write, home first, and the cursor back at the end", () => {
    const io = recordingIo({ terminal: true });
    const screen = new Screen(io);
    screen.draw(["one", "two"]);
    screen.draw(["three"]);
    screen.finish();
    expect(io.out()).toBe("\u001b[?25lone\u001b[K\ntwo\u001b[K\n\u001b[J\u001b[2A\rthree\u001b[K\n\u001b[J\u001b[?25h");
  });
});
