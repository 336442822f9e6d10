import { type Group, LeadLost } from "@berth/chassis/engine";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Change, Row } from "../domain/changes.js";
import { attemptKey, type Lease } from "../domain/lease.js";
import { plainLimit } from "../domain/limits.js";
import type { PoolStore } from "../engine/ports.js";
import { emptyMeta } from "./memory.js";

/** One place at rest that may be opened again and again. */
export interface StoreFixture {
  /** Opens a store on the same data. */
  open(): PoolStore;
  /** Throws the data away. */
  dispose(): void | Promise<void>;
}

/** What every store must do; run over each of them. */
export function storeConformance(name: string, create: () => StoreFixture | Promise<StoreFixture>): void {
  describe(`the ${name} store`, () => {
    let fixture: StoreFixture;
    let store: PoolStore;
    beforeEach(async () => {
      fixture = await create();
      store = fixture.open();
    });
    afterEach(async () => {
      await store.close();
      await fixture.dispose();
    });

    it("leads with an epoch that only grows, and keeps the number of the last commit", async () => {
      expect(await store.lead("a")).toMatchObject({ epoch: 1, n: 0, groups: [] });
      await store.commit(group(1, 1, {}));
      expect(await store.lead("b")).toMatchObject({ epoch: 2, n: 1 });
      expect(await store.position()).toEqual({ epoch: 2, n: 1, holder: "b" });
    });

    it("lets one of several take over from an epoch that they have seen", async () => {
      await store.lead("a");
      await store.lead("b", 1);
      await expect(store.lead("c", 1)).rejects.toThrow(LeadLost);
      expect(await store.position()).toMatchObject({ epoch: 2, holder: "b" });
    });

    it("has no holder once the leader has resigned; one that isn't leader any more can't resign", async () => {
      await store.lead("a");
      await store.lead("b");
      await store.resign(1);
      expect(await store.position()).toMatchObject({ holder: "b" });
      await store.resign(2);
      expect(await store.position()).toEqual({ epoch: 2, n: 0, holder: "" });
      expect(await store.lead("c", 2)).toMatchObject({ epoch: 3 });
    });

    it.each([
      ["an old epoch", 1, 1],
      ["a number that was used", 2, 0],
      ["a gap", 2, 2],
    ])("refuses a commit under %s and changes nothing", async (_what, epoch, n) => {
      await store.lead("a");
      await store.lead("b");
      await expect(store.commit(group(epoch, n, { rows: [{ t: "lease", lease: lease(1) }] }))).rejects.toBeInstanceOf(
        LeadLost,
      );
      expect((await store.lead("c")).rows.filter(({ t }) => t === "lease")).toEqual([]);
    });

    it("gives back what is live, and the commits to replay onto it", async () => {
      await store.lead("a");
      const live = lease(1);
      const over = released(2, 1);
      const rows: Row[] = [
        { t: "lease", lease: live },
        { t: "lease", lease: over },
        { t: "limit", name: "x", limit: plainLimit("x", 2) },
        { t: "tombstone", key: "1 gone", wallMs: 7 },
        { t: "meta", meta: { ...emptyMeta, dataId: "d" } },
      ];
      await store.commit(group(1, 1, { rows, changes: [{ k: "mark" }], replayFrom: 2 }));
      const third: Change = { k: "lease", e: "GRANTED", l: lease(3) };
      await store.commit(group(1, 2, { changes: [third], replayFrom: 2 }));
      await store.close();
      store = fixture.open();
      const loaded = await store.lead("b");
      expect(loaded.groups).toEqual([{ n: 2, changes: [third] }]);
      expect(loaded.rows).toEqual(
        expect.arrayContaining([
          { t: "lease", lease: live },
          rows[2],
          rows[3],
          { t: "meta", meta: { ...emptyMeta, dataId: "d", granted: 2, released: 1 } },
        ]),
      );
      expect(loaded.rows).toHaveLength(4);
      expect(await store.occupying()).toEqual({ n: 2, leases: [live, lease(3)] });
    });

    it("deletes a row that came without content", async () => {
      await store.lead("a");
      await store.commit(
        group(1, 1, {
          rows: [
            { t: "limit", name: "x", limit: plainLimit("x", 2) },
            { t: "tombstone", key: "1 t", wallMs: 7 },
          ],
        }),
      );
      await store.commit(
        group(1, 2, {
          rows: [
            { t: "limit", name: "x" },
            { t: "tombstone", key: "1 t" },
          ],
        }),
      );
      expect((await store.lead("b")).rows.map(({ t }) => t)).toEqual(["meta"]);
    });

    it("finds finished leases by attempt, by id and by filter, newest grant first, page by page", async () => {
      await store.lead("a");
      const all = [1, 2, 3, 4].map((token) => released(token, token));
      await store.commit(
        group(1, 1, {
          rows: [...all.map((one) => ({ t: "lease" as const, lease: one })), { t: "lease", lease: lease(5) }],
        }),
      );
      expect(await store.finishedByKeys([attemptKey("s/t2", 1), attemptKey("s/t5", 1), attemptKey("s/t9", 1)])).toEqual(
        [all[1]],
      );
      expect(await store.finishedByIds(["d-3", "d-5", "d-9"])).toEqual([all[2]]);
      const tokens = async (filter: Parameters<PoolStore["listFinished"]>[0], before = 99, max = 10) =>
        (await store.listFinished(filter, before, max)).map(({ token }) => token);
      expect(await tokens({})).toEqual([4, 3, 2, 1]);
      expect(await tokens({}, 4, 2)).toEqual([3, 2]);
      expect(await tokens({ runner: "r1" })).toEqual([3, 1]);
      expect(await tokens({ task: "s/t2" })).toEqual([2]);
      expect(await tokens({ limit: "pool:p", pool: "p" })).toEqual([4, 3, 2, 1]);
      expect(await tokens({ limit: "nowhere" })).toEqual([]);
      expect(await tokens({ fromMs: 2_030, toMs: 1_040 })).toEqual([3]);
    });

    it("keeps a late result in the row of its lease", async () => {
      await store.lead("a");
      const lateOutcome = {
        result: "SUCCEEDED",
        signal: "",
        message: "",
        resultJson: "",
        permanent: false,
        outputBytes: 0,
      } as const;
      await store.commit(group(1, 1, { rows: [{ t: "lease", lease: released(1, 1) }] }));
      await store.commit(group(1, 2, { rows: [{ t: "lease", lease: { ...released(1, 1), lateOutcome } }] }));
      expect(await store.finishedByIds(["d-1"])).toMatchObject([{ lateOutcome }]);
    });

    it("lists limit changes newest first, with the number of their commit", async () => {
      await store.lead("a");
      const change = (id: number, limit: string) => ({
        t: "limitChange" as const,
        change: { id, limit, newCapacity: id, wallMs: id, reason: "" },
      });
      await store.commit(group(1, 1, { rows: [change(1, "x"), change(2, "y")] }));
      await store.commit(group(1, 2, { rows: [change(3, "x")] }));
      expect((await store.listLimitChanges("", 99, 2)).map(({ id, revision }) => [id, revision])).toEqual([
        [3, 2],
        [2, 1],
      ]);
      expect((await store.listLimitChanges("x", 3, 10)).map(({ id }) => id)).toEqual([1]);
    });

    it("keeps every character and every exact number", async () => {
      await store.lead("a");
      // Names hold no NUL (the API refuses it), what people and programs write may.
      const text = `\\0 \\ " ' $1 {} \n \u2028 \u{1F600} \uFFFD \u{10FFFF}`;
      const odd: Lease = {
        ...released(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
        slot: text,
        runner: text,
        tenant: text,
        revokeReason: `a\0${text}`,
        weights: [[text, Number.MAX_SAFE_INTEGER]],
      };
      const rows: Row[] = [
        { t: "lease", lease: odd },
        { t: "tombstone", key: text, wallMs: 7 },
        { t: "limit", name: text, limit: plainLimit(text, Number.MAX_SAFE_INTEGER) },
      ];
      await store.commit(group(1, 1, { rows, changes: [{ k: "lease", e: "RELEASED", l: odd }], replayFrom: 1 }));
      const all = Number.MAX_SAFE_INTEGER + 1;
      expect(await store.listFinished({ runner: text, slot: text, limit: text }, all, 10)).toEqual([odd]);
      expect(await store.listFinished({ limit: `${text} ` }, all, 10)).toEqual([]);
      const loaded = await store.lead("b");
      expect(loaded.groups).toEqual([{ n: 1, changes: [{ k: "lease", e: "RELEASED", l: odd }] }]);
      expect(loaded.rows).toEqual(expect.arrayContaining(rows.slice(1)));
    });

    it("takes 10,000 rows in one commit", async () => {
      await store.lead("a");
      const rows = Array.from(
        { length: 10_000 },
        (_, index): Row => ({ t: "lease", lease: released(index + 1, index + 1) }),
      );
      await store.commit(group(1, 1, { rows }));
      expect(await store.listFinished({}, 9_000, 3)).toEqual([8_999, 8_998, 8_997].map((at) => released(at, at)));
    });

    it("reads the journal in order and prunes only what nobody needs", async () => {
      await store.lead("a");
      for (let n = 1; n <= 4; n++)
        await store.commit(
          group(1, n, { changes: [{ k: "mark" }], replayFrom: 3, rows: [{ t: "lease", lease: released(n, n) }] }),
        );
      expect(await store.journalAfter(1, 2)).toMatchObject({ groups: [{ n: 2 }, { n: 3 }], firstN: 1, more: true });
      expect(await store.prune({ journalBelow: 9, endedBeforeMs: 2_020, max: 10 })).toBe(3);
      expect(await store.journalAfter(0, 10)).toMatchObject({ groups: [{ n: 3 }, { n: 4 }], firstN: 3, more: false });
      expect((await store.listFinished({}, 99, 10)).map(({ token }) => token)).toEqual([4, 3, 2]);
    });
  });
}

function group(epoch: number, n: number, more: Partial<Group<Change, Row>>): Group<Change, Row> {
  return { epoch, n, wallMs: n * 10, changes: [], rows: [], replayFrom: n + 1, ...more };
}

function lease(token: number): Lease {
  return {
    id: `d-${token}`,
    task: `s/t${token}`,
    attempt: 1,
    token,
    state: "ACTIVE",
    pool: "p",
    runner: `r${token % 2}`,
    incarnation: "i",
    slot: `r/${token}`,
    tenant: "",
    weights: [
      ["global", 1],
      ["pool:p", 1],
    ],
    grantMs: 1_000 + token * 10,
    revokeReason: "",
    traceParent: "",
    ordinal: 0,
  };
}

function released(token: number, ordinal: number): Lease {
  return { ...lease(token), state: "RELEASED", reason: "COMPLETED", releaseMs: 2_000 + token * 10, ordinal };
}
