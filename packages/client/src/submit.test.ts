import { registry } from "@berth/contracts";
import { ReasonError } from "@berth/wire/grpc";
import { describe, expect, it } from "vitest";
import { partRequestId, placedInWhole, requestBytesMax, splitTasks } from "./submit.js";

const task = (id: string, needs: string[] = [], stdin = 0) =>
  registry.TaskSpec.fromPartial({
    id,
    needs,
    run: { kind: { $case: "command", value: { argv: ["true"] } }, stdin: Buffer.alloc(stdin) },
  });

describe("splitting a submission", () => {
  it("leaves one that fits as it is", () => {
    const tasks = [task("b", ["a"]), task("a")];
    expect(splitTasks(tasks)).toEqual([tasks]);
  });

  it("splits 25,000 tasks into three requests in which nothing needs a task of a later one", () => {
    // Each needs the one given after it, so the order given is the worst there is.
    const tasks = Array.from({ length: 25_000 }, (_, index) =>
      task(`t${index}`, index < 24_999 ? [`t${index + 1}`] : []),
    );
    const parts = splitTasks(tasks);
    expect(parts.map((part) => part.length)).toEqual([10_000, 10_000, 5_000]);
    const sent = new Set<string>();
    for (const part of parts) {
      for (const each of part) sent.add(each.id);
      for (const each of part) expect(each.needs.every((need) => sent.has(need))).toBe(true);
    }
  });

  it("keeps every request within 4 MiB as encoded", () => {
    const tasks = Array.from({ length: 40 }, (_, index) => task(`t${index}`, [], 256 * 1_024));
    const parts = splitTasks(tasks);
    expect(parts.length).toBeGreaterThan(1);
    expect(parts.flat()).toHaveLength(40);
    for (const part of parts) {
      const request = registry.SubmitTasksRequest.fromPartial({
        set: "s".repeat(63),
        displayName: "n".repeat(128),
        tasks: part,
      });
      expect(registry.SubmitTasksRequest.encode(request).finish().length).toBeLessThanOrEqual(requestBytesMax);
    }
  });

  it("refuses a task that fits into no request, naming it", () =>
    expect(() => splitTasks([task("ok"), task("large", [], 5e6)])).toThrow(/tasks\[1\] "large" is 5\d+ bytes/));

  it("names a circle before anything of it is sent", () => {
    const tasks = Array.from({ length: 10_001 }, (_, index) =>
      task(`t${index}`, index === 0 ? ["t1"] : index === 1 ? ["t0"] : []),
    );
    expect(() => splitTasks(tasks)).toThrow("t0 needs t1 needs t0");
  });
});

describe("more tasks than one request takes", () => {
  const many = Array.from({ length: 10_001 }, (_, index) => task(`t${index}`));

  it("have ids of their own before anything is sent", () =>
    expect(() => splitTasks([...many, task("t7")])).toThrow('tasks[10001].id: "t7" is the id of tasks[7] too'));

  it("are named in errors by their place in the whole, not in the part", () => {
    const error = new ReasonError("INVALID_FIELD", "tasks[1].pool: none; tasks[0].id: none", {
      fields: [{ field: "tasks[1].pool", description: "none" }],
    });
    const placed = placedInWhole(error, many.slice(10_000 - 1), many);
    expect(placed.message).toBe("tasks[10000].pool: none; tasks[9999].id: none");
    expect(placed.details.fields).toEqual([{ field: "tasks[10000].pool", description: "none" }]);
  });
});

describe("request ids of parts", () => {
  const id = "0b7ef5dc-8a1c-4d2b-9a51-0d0b3c2f7a11";
  it("are the same for the same part, differ between parts, and are UUIDs", () => {
    const ids = [0, 1, 2].map((part) => partRequestId(id, part));
    expect(ids).toEqual([0, 1, 2].map((part) => partRequestId(id, part)));
    expect(ids[0]).toBe(id);
    expect(new Set(ids).size).toBe(3);
    for (const each of ids)
      expect(each).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-[48][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
