import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LogStore } from "../engine/logs.js";
import type { RegistryFixture } from "./conformance.js";

/** What every store of output must do; run over each of them. */
export function logsConformance(name: string, create: () => RegistryFixture): void {
  describe(`kept output in ${name}`, { timeout: 60_000 }, () => {
    let fixture: RegistryFixture;
    let opened: ReturnType<RegistryFixture["open"]>;
    let logs: LogStore;
    const piece = (offset: number, text: string, key = "s/a") => ({
      key,
      attempt: 1,
      offset,
      data: Buffer.from(text, "latin1"),
      stderr: false,
    });
    const text = async (key = "s/a") =>
      (await logs.read(key, 1, 0, 1_000)).map(
        ({ offset, data }) => `${offset}:${Buffer.from(data).toString("latin1")}`,
      );

    beforeEach(() => {
      fixture = create();
      opened = fixture.open();
      logs = opened.logs;
    });
    afterEach(async () => {
      await logs.close();
      await opened.store.close();
      await fixture.dispose();
    });

    it("takes a repeat, or what overlaps, once", async () => {
      await logs.append([piece(0, "abcd"), piece(0, "abcd"), piece(2, "cdef")], () => 100);
      expect(await text()).toEqual(["0:abcd", "4:ef"]);
      expect(await logs.totals("s/a", 1)).toEqual({ nextOffset: 6, keptBytes: 6 });
      expect(await logs.read("s/a", 1, 1, 1)).toMatchObject([{ key: "s/a", attempt: 1, offset: 4, stderr: false }]);
    });

    it("comes back in bytes whose length says where the next piece begins", async () => {
      await logs.append([piece(0, "abcd"), piece(4, "ef")], () => 100);
      const [first] = await logs.read("s/a", 1, 0, 1);
      expect(first?.data.length).toBe(4);
      expect(await logs.read("s/a", 1, first?.data.length ?? 0, 1)).toMatchObject([{ offset: 4 }]);
    });

    it("is head and tail: the middle is cut, and its size is known", async () => {
      const all = Array.from({ length: 10 }, (_, index) =>
        piece(index * 2, String.fromCharCode(97 + index * 2, 98 + index * 2)),
      );
      for (const one of all) await logs.append([one], () => 8);
      expect(await text()).toEqual(["0:ab", "2:cd", "16:qr", "18:st"]);
      expect(await logs.totals("s/a", 1)).toEqual({ nextOffset: 20, keptBytes: 8 });
      const together = all.map((one) => ({ ...one, key: "s/b" }));
      await logs.append(together, () => 8);
      expect(await text("s/b")).toEqual(await text());
    });

    it("keeps the newest piece of a tail whatever its size, and trims a long tail of small ones", async () => {
      await logs.append([piece(0, "abcdefghijkl")], () => 4);
      expect(await text()).toEqual(["0:ab", "2:cdefghijkl"]);
      const many = Array.from({ length: 1_000 }, (_, index) => piece(index, "x", "s/b"));
      await logs.append(many, () => 10);
      expect(await logs.totals("s/b", 1)).toEqual({ nextOffset: 1_000, keptBytes: 10 });
      expect(await text("s/b")).toHaveLength(10);
    });

    it("gives every byte back", async () => {
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
      await logs.append([{ ...piece(0, ""), data: bytes, stderr: true }], () => 1_000);
      const [read] = await logs.read("s/a", 1, 0, 10);
      expect(read?.stderr).toBe(true);
      expect(Buffer.from(read?.data ?? []).equals(bytes)).toBe(true);
    });

    it("takes what several write at once, each piece once", async () => {
      const all = Array.from({ length: 20 }, (_, index) => piece(index * 2, "ab"));
      await Promise.all(all.flatMap((one) => [logs.append([one], () => 1_000), logs.append([one], () => 1_000)]));
      expect(await logs.totals("s/a", 1)).toEqual({ nextOffset: 40, keptBytes: 40 });
    });

    it("goes with its task", async () => {
      await logs.append([piece(0, "abcd"), piece(0, "abcd", "s/b")], () => 100);
      await logs.remove(["s/a"]);
      expect(await text()).toEqual([]);
      expect(await logs.totals("s/a", 1)).toBeUndefined();
      expect(await text("s/b")).toEqual(["0:abcd"]);
    });
  });
}
