import { describe, expect, it } from "vitest";
import { lastLines } from "./tail.js";

describe("the end of what a task wrote", () => {
  it.each<[string, string, string[]]>([
    ["nothing", "", []],
    ["less than is shown", "one\n\ntwo", ["one", "two"]],
    ["more", "1\n2\n3\n4\n5\n6\n", ["2", "3", "4", "5", "6"]],
    [
      "lines that were overwritten, colours and movements",
      "10 %\r50 %\r99 %\r\n\u001b[31mred\u001b[0m\u001b[2J",
      ["99 %", "red"],
    ],
    ["a long line", "abcdefghijklmnop", ["abcdefghi…"]],
  ])("%s", (_what, text, lines) => {
    expect(lastLines(text, 10)).toEqual(lines);
  });
});
