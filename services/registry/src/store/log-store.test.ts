import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LogStore } from "./log-store.js";

describe("kept output", () => {
  let folder: string;
  let store: LogStore;
  const piece = (offset: number, text: string) => ({
    key: "s/a",
    attempt: 1,
    offset,
    data: Buffer.from(text),
    stderr: false,
  });
  const text = () => store.read("s/a", 1, 0, 1_000).map(({ offset, data }) => `${offset}:${Buffer.from(data)}`);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "logs-"));
    store = new LogStore(join(folder, "logs.db"));
  });
  afterEach(() => {
    store.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("takes a repeat, or what overlaps, once", () => {
    store.append([piece(0, "abcd"), piece(0, "abcd"), piece(2, "cdef")], () => 100);
    expect(text()).toEqual(["0:abcd", "4:ef"]);
    expect(store.totals("s/a", 1)).toEqual({ nextOffset: 6, keptBytes: 6 });
  });

  it("is head and tail: the middle is cut, and its size is known", () => {
    for (let at = 0; at < 20; at += 2) store.append([piece(at, String.fromCharCode(97 + at, 98 + at))], () => 8);
    expect(text()).toEqual(["0:ab", "2:cd", "16:qr", "18:st"]);
    expect(store.totals("s/a", 1)).toEqual({ nextOffset: 20, keptBytes: 8 });
  });

  it("comes back in bytes whose length says where the next piece begins", () => {
    store.append([piece(0, "abcd"), piece(4, "ef")], () => 100);
    const [first] = store.read("s/a", 1, 0, 1);
    expect(first?.data).toEqual(new Uint8Array(Buffer.from("abcd")));
    expect(store.read("s/a", 1, first?.data.length ?? 0, 1)).toMatchObject([{ offset: 4 }]);
  });

  it("goes with its task", () => {
    store.append([piece(0, "abcd")], () => 100);
    store.remove(["s/a"]);
    expect(text()).toEqual([]);
    expect(store.totals("s/a", 1)).toBeUndefined();
  });
});
