import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findCycle, inOrder } from "./order.js";

const graph = fc
  .array(fc.record({ needs: fc.array(fc.nat(30), { maxLength: 4 }) }), { maxLength: 30 })
  .map((nodes) => nodes.map((node, index) => ({ id: `t${index}`, needs: node.needs.map((need) => `t${need}`) })));

describe("the order of tasks", () => {
  it("puts nothing before what it needs, and leaves out exactly what hangs on a circle", () => {
    fc.assert(
      fc.property(graph, (tasks) => {
        const ids = new Set(tasks.map((task) => task.id));
        const placed = new Set<string>();
        for (const task of inOrder(tasks)) {
          for (const need of task.needs) if (ids.has(need)) expect(placed.has(need)).toBe(true);
          placed.add(task.id);
        }
        expect(findCycle(tasks) === undefined).toBe(placed.size === tasks.length);
      }),
    );
  });

  it("names a circle that is one: each needs the next", () => {
    fc.assert(
      fc.property(graph, (tasks) => {
        const cycle = findCycle(tasks);
        if (cycle === undefined) return;
        expect(cycle.at(0)).toBe(cycle.at(-1));
        for (const [index, id] of cycle.slice(0, -1).entries())
          expect(tasks.find((task) => task.id === id)?.needs).toContain(cycle[index + 1]);
      }),
    );
  });

  it("takes a task that needs itself as a circle", () =>
    expect(findCycle([{ id: "a", needs: ["a"] }])).toEqual(["a", "a"]));

  it("keeps the given order where nothing forbids it", () =>
    expect(inOrder(["c", "a", "b"].map((id) => ({ id, needs: [] }))).map((task) => task.id)).toEqual(["c", "a", "b"]));
});
