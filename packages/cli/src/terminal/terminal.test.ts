import { readdirSync, readFileSync } from "node:fs";
import { Writable } from "node:stream";
import { ReasonError } from "@berth/client";
import { registry } from "@berth/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Board, changeLine } from "../board.js";
import { describeError } from "../errors.js";
import { recordingIo } from "../fixtures.js";
import { cut, paint, printJson, say, sayError, table, widthOf } from "../io.js";
import { Screen } from "../screen.js";
import { Output } from "./write.js";

const evil = "\u001b[2J\u001b]0;t\u0007 \u009b1m \u202ereversed\nfailed\r\u001b[31m";
const shownEvil = "\\x1b[2J\\x1b]0;t\\x07 \\x9b1m \\u202ereversed\\nfailed\\r\\x1b[31m";

/** What of a text a terminal would obey, but for line feeds. */
const obeyed = (text: string) => text.match(/(?!\n)\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu) ?? [];

describe("texts of others", () => {
  it.each([
    ["a line", (io: ReturnType<typeof recordingIo>) => say(io, evil)],
    ["a line of standard error", (io) => sayError(io, evil)],
    ["a cell of a table", (io) => table(io, [{ title: "A" }], [[evil], ["b"]])],
    ["a change of a task", (io) => say(io, changeLine(io, new Board(1), undefined, failed, 0))],
    ["an error of a service", (io) => io.writeError(describeError(new ReasonError("INTERNAL", evil), io).message)],
    ["the path of a file", (io) => io.writeError(describeError(noFile, io).message)],
  ] as [string, (io: ReturnType<typeof recordingIo>) => void][])("are made visible in %s", (_, write) => {
    const io = recordingIo();
    write(io);
    const text = io.out() + io.errors();
    expect(text).toContain(shownEvil);
    expect(obeyed(text)).toEqual([]);
  });

  it("don't spoil a screen that is drawn over, nor the width of its lines", () => {
    const io = recordingIo({ terminal: true });
    new Screen(io).draw([evil]);
    expect(io.out()).toContain(shownEvil);
    expect(io.out().split("\n")).toHaveLength(2);
    expect(widthOf(cut(evil, 10))).toBe(10);
  });

  it("can't take our own colours, which stay", () => {
    const io = recordingIo({ colour: true });
    say(io, `${paint(io, "red", "ours")} \u001b[31mtheirs\u001b[39m`);
    expect(io.out()).toBe("\u001b[31mours\u001b[39m \\x1b[31mtheirs\\x1b[39m\n");
  });

  it("never tell the terminal anything, whatever they are", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const io = recordingIo({ colour: true });
        say(io, `${text}${paint(io, "red", "x")}`);
        expect(obeyed(io.out().replace("\u001b[31mx\u001b[39m\n", "").replaceAll("\t", ""))).toEqual([]);
        expect(io.out().match(/\n/g)).toHaveLength(1);
      }),
    );
  });

  it("are kept as they are in JSON, bytes included", () => {
    const io = recordingIo();
    const bytes = Buffer.from([0xff, 0xfe, 0]);
    printJson(io, { reason: evil, text: Buffer.from("ä\0\u001b"), cut: Buffer.from("ä").subarray(0, 1), bytes, n: 1n });
    const { reason, text, cutBase64, bytesBase64, n } = JSON.parse(io.out());
    expect([reason, text, n]).toEqual([evil, "ä\0\u001b", 1]);
    expect(Buffer.from(cutBase64, "base64")).toEqual(Buffer.from([0xc3]));
    expect(Buffer.from(bytesBase64, "base64")).toEqual(bytes);
  });
});

const failed = registry.Task.fromPartial({ task: "s/a", state: registry.Task_State.FAILED, stateReason: evil });
const noFile = Object.assign(new Error("x"), { code: "ENOENT", path: evil });

describe("what the CLI writes", () => {
  it("goes through terminal/, so that nothing can pass by: no other file writes to a stream or a console", () => {
    const source = new URL("../", import.meta.url);
    const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter(
      (file) =>
        file.endsWith(".ts") && !file.endsWith(".test.ts") && file !== "main.ts" && !file.startsWith("terminal/"),
    );
    expect(files.length).toBeGreaterThan(20);
    const found = files.filter((file) =>
      /process\.std(out|err)\b(?!\.(isTTY|columns))|\bconsole\.|writeSync\(/.test(
        readFileSync(new URL(file, source), "utf8"),
      ),
    );
    expect(found, "write with say, sayError, io.write or, for what isn't for people, io.writeRaw").toEqual([]);
  });
});

/** A stream that fails after so many writes. */
function failing(code: string, after: number): Writable {
  let left = after;
  return new Writable({
    write: (_chunk, _encoding, done) => done(left-- > 0 ? null : Object.assign(new Error(code), { code })),
  });
}

describe("an output that fails", () => {
  it("is told once, ends, and drops the rest", async () => {
    const told: (string | undefined)[] = [];
    const output = new Output(failing("ENOSPC", 1), ({ code }) => told.push(code));
    for (const text of ["a", "b", "c"]) output.write(text);
    await output.flush();
    expect([told, output.failed, output.ended.aborted]).toEqual([["ENOSPC"], true, true]);
  });

  it("because its reader went away is no failure", async () => {
    const told: unknown[] = [];
    const output = new Output(failing("EPIPE", 0), (error) => told.push(error));
    output.write("a");
    await output.flush();
    expect([told, output.failed, output.ended.aborted]).toEqual([[], false, true]);
  });
});
