import { expect, expectTypeOf, it } from "vitest";
import type { z } from "zod";
import type { BerthClient } from "../client.js";
import type { CommandTask, HandlerTask, TaskInput } from "./input.js";
import { taskSchema } from "./schema.js";

type Checked = z.input<typeof taskSchema>;
type With<Key extends keyof Checked, Without extends keyof Checked> = Omit<Checked, Key | Without> & {
  [K in Key]-?: NonNullable<Checked[K]>;
} & { [K in Without]?: undefined };

it("types a task as the schema checks it: whatever the one takes the other takes", () => {
  expectTypeOf<keyof CommandTask>().toEqualTypeOf<keyof Checked>();
  expectTypeOf<keyof HandlerTask>().toEqualTypeOf<keyof Checked>();
  expectTypeOf<TaskInput>().toExtend<Checked>();
  expectTypeOf<With<"run", "handler" | "payload">>().toExtend<CommandTask>();
  expectTypeOf<With<"handler", "run" | "stdin"> & Pick<Checked, "payload">>().toExtend<HandlerTask>();
});

it("refuses a task that has neither command nor handler, or both, before it is sent and before it is run", () => {
  type Submit = Parameters<BerthClient["submit"]>[0];
  // @ts-expect-error neither
  const neither: Submit = [{ id: "x" }];
  // @ts-expect-error both
  const both: Submit = [{ id: "x", run: "true", handler: "h" }];
  // @ts-expect-error a command takes no payload
  const payload: Submit = [{ id: "x", run: "true", payload: 1 }];
  // @ts-expect-error a handler takes no standard input
  const stdin: Submit = [{ id: "x", handler: "h", stdin: "text" }];
  // @ts-expect-error a misspelt key
  const misspelt: Submit = [{ id: "x", run: "true", prioritty: 1 }];
  // @ts-expect-error no such condition
  const condition: Submit = [{ id: "x", run: "true", needs: [{ task: "a", when: "maybe" }] }];
  for (const [task] of [neither, both, payload, stdin, misspelt, condition])
    expect(taskSchema.safeParse(task).success, JSON.stringify(task)).toBe(false);
});

it("takes what the documentation shows", () => {
  const tasks: TaskInput[] = [
    { id: "build", run: ["npm", "ci"], limits: ["repo:web"], timeout: "10m", retry: 2, env: { CI: true } },
    { id: "thumbnails", handler: "thumbnail", payload: { width: 100 }, needs: [{ task: "build", when: "ended" }] },
  ];
  for (const task of tasks) expect(taskSchema.safeParse(task).error).toBeUndefined();
});
