import { registry } from "@berth/contracts";
import { expect, it } from "vitest";
import { recordingIo } from "../fixtures.js";
import { named } from "./set-logs.js";

it("puts the name before every line, whole lines only, whatever the chunks; standard error to standard error", () => {
  const io = recordingIo();
  const write = named("build", io);
  const bytes = Buffer.from("grün\nnext\nrest");
  const take = (data: Buffer, more: object = {}) =>
    write.take(registry.LogChunk.fromPartial({ data, attempt: 1, ...more }));
  for (const byte of bytes) take(Buffer.from([byte]));
  take(Buffer.from("why\n"), { stderr: true });
  expect(io.out()).toBe("build | grün\nbuild | next\n");
  // The last line of an attempt isn't the first of the next one's.
  take(Buffer.from("again\n"), { attempt: 2 });
  write.end();
  expect(io.out()).toBe("build | grün\nbuild | next\nbuild | rest\nbuild | again\n");
  expect(io.errors()).toBe("build | why\n");
});
