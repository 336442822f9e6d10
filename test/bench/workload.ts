import type { TaskInput } from "@berth/client";

/** What a drain consists of. */
export interface Shape {
  readonly tasks: number;
  readonly slots: number;
  /** Named limits, of which each task holds one, in turn. */
  readonly limits: number;
  readonly tenants: number;
}

/** Capacities of everything that a task of this shape holds. The narrow ones allow several times as many in all as there are slots. */
export function capacitiesOf({ slots, limits, tenants }: Shape): Map<string, number> {
  const share = (count: number): number => (count === 1 ? slots : Math.max(1, Math.ceil((4 * slots) / count)));
  return new Map([
    ["global", slots],
    ["pool:bench", slots],
    ["runner:bench", slots],
    ...Array.from({ length: tenants }, (_, i) => [`tenant:t${i}`, share(tenants)] as const),
    ...Array.from({ length: limits }, (_, i) => [`repo:${i}`, share(limits)] as const),
  ]);
}

/** Limits that the task of this number holds one unit of. */
export function limitsOf(index: number, { limits, tenants }: Shape): string[] {
  return ["global", "pool:bench", "runner:bench", `tenant:t${index % tenants}`, `repo:${index % limits}`];
}

/** The tasks, `0` to `tasks - 1`. */
export function tasksOf(shape: Shape): TaskInput[] {
  return Array.from({ length: shape.tasks }, (_, index) => ({
    id: String(index),
    handler: "noop",
    pool: "bench",
    tenant: `t${index % shape.tenants}`,
    limits: { [`repo:${index % shape.limits}`]: 1 },
  }));
}
