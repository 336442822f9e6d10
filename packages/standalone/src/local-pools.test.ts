import { setImmediate } from "node:timers/promises";
import { systemClock } from "@berth/chassis/clock";
import { PushStream } from "@berth/chassis/grpc";
import { silentLogger } from "@berth/chassis/log";
import { pool } from "@berth/contracts";
import { describe, expect, it } from "vitest";
import { followLocalPools, localPoolsMax, localPoolsOf } from "./local-pools.js";

const { LOCAL_PROCESS, REMOTE } = pool.Pool_Type;
const poolOf = (name: string, type: pool.Pool_Type = LOCAL_PROCESS, maxConcurrency = 2n) =>
  pool.Pool.fromPartial({ pool: name, type, maxConcurrency });

describe("the pools of the local runner", () => {
  it("are those of type local-process, and what they allow together", () => {
    expect(localPoolsOf([poolOf("a"), poolOf("b", REMOTE), poolOf("c", LOCAL_PROCESS, 5n)])).toEqual({
      pools: ["a", "c"],
      together: 7,
      left: [],
    });
  });

  it("are bounded, and a new one never displaces one that is served", () => {
    const many = Array.from({ length: localPoolsMax }, (_, i) => poolOf(`p${i}`));
    const before = localPoolsOf(many).pools;
    expect(before).toHaveLength(localPoolsMax);
    const { pools, left } = localPoolsOf([poolOf("a"), ...many], before);
    expect([pools, left]).toEqual([before, ["a"]]);
    expect(localPoolsOf([poolOf("a"), ...many.slice(1)], before).pools).toEqual([...before.slice(1), "a"]);
  });

  it("follow the catalogue, also after its watch has broken, and stay as they were meanwhile", async () => {
    const watches: PushStream<pool.WatchCatalogueResponse>[] = [];
    let calls = 0;
    const start = async () => void calls++;
    const served: { pools: readonly string[]; capacity?: number }[] = [];
    const follower = followLocalPools({
      watch: (signal) => {
        const watch = new PushStream<pool.WatchCatalogueResponse>();
        signal.addEventListener("abort", () => watch.end(), { once: true });
        watches.push(watch);
        return watch;
      },
      capacity: (together) => together + 1,
      runner: { serve: (offer) => void served.push(offer), start, drain: start, stop: start },
      atOnce: false,
      clock: systemClock,
      logger: silentLogger,
    });
    const sees = async (condition: () => boolean): Promise<void> => {
      while (!condition()) await setImmediate();
    };
    const say = (...pools: pool.Pool[]) =>
      watches.at(-1)?.push(pool.WatchCatalogueResponse.fromPartial({ pools: [...pools] }));
    const started = follower.start();
    await sees(() => watches.length === 1);
    say(poolOf("z", REMOTE));
    await started;
    expect([served.splice(0), follower.isStarted, calls]).toEqual([[{ pools: [], capacity: 1 }], false, 0]);
    say(poolOf("a"));
    await sees(() => served.length === 1);
    expect([follower.isStarted, calls]).toEqual([true, 1]);
    expect(served).toEqual([{ pools: ["a"], capacity: 3 }]);
    watches[0]?.fail(new Error("gone"));
    await sees(() => watches.length === 2);
    expect(served).toHaveLength(1);
    say(poolOf("a"), poolOf("b"));
    await sees(() => served.length === 2);
    expect(served.at(-1)).toEqual({ pools: ["a", "b"], capacity: 5 });
    await follower.stop();
  });
});
