import { describe, expect, it } from "vitest";
import { everything } from "../domain/examples.js";
import { Feed } from "./feed.js";
import { type ListingSource, Listings } from "./listings.js";

function open() {
  const feed = new Feed();
  const reads: string[] = [];
  const source: ListingSource<number> = {
    live: async () => {
      reads.push("live");
      return { tasks: [], revision: feed.revision };
    },
    finals: async (_filter, full, after) => {
      reads.push(`finals ${full} ${after}`);
      return after;
    },
  };
  return { feed, reads, listings: new Listings(source, feed) };
}

describe("listings of watches", () => {
  it("that begin at the same state share one read of each page", async () => {
    const { listings, reads } = open();
    const crowd = Array.from({ length: 500 }, async () => {
      await listings.live(everything, 0);
      for (const after of [0, 100, 200]) await listings.finals(everything, false, after);
    });
    await Promise.all(crowd);
    expect(reads).toEqual(["live", "finals false 0", "finals false 100", "finals false 200"]);
  });

  it("read anew after a commit", async () => {
    const { listings, feed, reads } = open();
    await listings.finals(everything, false, 0);
    feed.revision++;
    await listings.finals(everything, false, 0);
    expect(reads).toHaveLength(2);
  });

  it("leave the event loop to everybody else between a few pages", async () => {
    const { listings } = open();
    let given = 0;
    const crowd = Array.from({ length: 100 }, async () => {
      await listings.finals(everything, false, 0);
      given++;
    });
    const perTurn: number[] = [];
    while (given < 100) {
      const before = given;
      await new Promise((resolve) => setImmediate(resolve));
      perTurn.push(given - before);
    }
    await Promise.all(crowd);
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(16);
  });
});
