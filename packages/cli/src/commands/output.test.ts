import { registry } from "@berth/contracts";
import { expect, it } from "vitest";
import { recordingIo } from "../fixtures.js";
import { onlyNew, outputWriter } from "./output.js";

const chunk = (attempt: number, offset: number, text: string, stderr = false) =>
  registry.LogChunk.fromPartial({ attempt, offset: BigInt(offset), data: Buffer.from(text), stderr });

it("output that is read again after a break is written once, and goes on where it was", () => {
  const io = recordingIo();
  const write = onlyNew(outputWriter(io));
  for (const each of [chunk(1, 0, "one\n"), chunk(1, 4, "two\n", true)]) write(each);
  for (const each of [chunk(1, 0, "one\n"), chunk(1, 4, "two\n", true), chunk(1, 8, "three\n")]) write(each);
  for (const each of [chunk(2, 0, "again\n"), chunk(1, 14, "late\n")]) write(each);
  expect(io.out()).toBe("one\nthree\nagain\n");
  expect(io.errors()).toBe("two\n--- attempt 2 ---\n");
});

it("says where output was cut away, also across a break", () => {
  const io = recordingIo();
  const write = onlyNew(outputWriter(io));
  for (const each of [chunk(1, 0, "one\n"), chunk(1, 0, "one\n"), chunk(1, 1_028, "end\n")]) write(each);
  expect(io.out()).toBe("one\nend\n");
  expect(io.errors()).toContain("cut ---");
});
