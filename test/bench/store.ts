import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Secret } from "@berth/chassis/config";
import { openStore } from "@berth/pool-manager";
import { openStores } from "@berth/registry";
import { startPostgres } from "@berth/testkit";

type PoolStore = ReturnType<typeof openStore>;
type RegistryStore = ReturnType<typeof openStores>["store"];
type PoolGroup = Parameters<PoolStore["commit"]>[0];
type RegistryGroup = Parameters<RegistryStore["commit"]>[0];
type Task = Extract<RegistryGroup["rows"][number], { kind: "task" }>["task"];
type Lease = Extract<PoolGroup["rows"][number], { t: "lease" }>["lease"];

/** Makes one commit of so many rows; called again and again. */
type Commit = (rows: number) => Promise<void>;

interface Side {
  readonly name: string;
  readonly work: Readonly<Record<string, Commit>>;
  close(): Promise<void>;
}

/**
 * What a commit costs: the same groups through the stores of pool-manager and registry on SQLite and on PostgreSQL, in turns, in one process and
 * one run. Prints commits and rows a second for each and their ratio.
 */
export async function benchStore(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { seconds: { type: "string", default: "1" } } });
  const roundMs = Number(values.seconds) * 1_000;
  const folder = mkdtempSync(join(tmpdir(), "berth-bench-"));
  const server = await startPostgres({ folder });
  const sides = [
    await openSide("SQLite", { dataFolder: join(folder, "sqlite"), databaseSchema: "unused" }),
    await openSide("PostgreSQL", { dataFolder: "", database: new Secret(server.url), databaseSchema: "berth_bench" }),
  ] as const;
  try {
    for (const work of Object.keys(sides[0].work)) {
      for (const rows of [1, 10, 100, 500, 1_000]) {
        const rates: [number[], number[]] = [[], []];
        for (let round = 0; round < 3; round++) {
          for (const [index, side] of sides.entries())
            rates[index as 0 | 1].push(await rateOf(side.work[work] as Commit, rows, roundMs));
        }
        const [sqlite, postgres] = rates.map(median) as [number, number];
        const shown = (rate: number) => `${Math.round(rate)} commits/s, ${Math.round(rate * rows)} rows/s`;
        console.log(
          `store ${work} rows/commit=${rows} SQLite=[${shown(sqlite)}] PostgreSQL=[${shown(postgres)}] ratio=${(sqlite / postgres).toFixed(2)}`,
        );
      }
    }
  } finally {
    for (const side of sides) await side.close();
    await server.stop({ immediate: true });
    rmSync(folder, { recursive: true, force: true });
  }
}

async function openSide(name: string, settings: Parameters<typeof openStores>[0]): Promise<Side> {
  const { store: registry, logs } = openStores({ ...settings, databaseSchema: `${settings.databaseSchema}_registry` });
  const pool = openStore({ ...settings, databaseSchema: `${settings.databaseSchema}_pool` });
  await registry.lead("bench");
  await pool.lead("bench");
  const close = async () => {
    await logs.close();
    await registry.close();
    await pool.close();
  };
  return { name, work: { "pool-manager": poolCommits(pool), registry: registryCommits(registry) }, close };
}

/** Finished leases: a journal row with their changes, and a row for each. */
function poolCommits(store: PoolStore): Commit {
  let n = 0;
  let token = 0;
  return async (rows) => {
    n++;
    const leases = Array.from({ length: rows }, () => leaseOf(++token));
    await store.commit({
      epoch: 1,
      n,
      wallMs: n,
      replayFrom: n + 1,
      changes: leases.map((lease) => ({ k: "lease", e: "RELEASED", l: lease })),
      rows: leases.map((lease) => ({ t: "lease", lease })),
    });
  };
}

/** Submissions and ends in turns: tasks are inserted by one commit and updated by the next. */
function registryCommits(store: RegistryStore): Commit {
  let n = 0;
  let order = 0;
  let live: Task[] = [];
  return async (rows) => {
    n++;
    const ending = live.length > 0;
    const tasks = ending ? live.map(ended) : Array.from({ length: rows }, () => taskOf(++order));
    live = ending ? [] : tasks;
    await store.commit({
      epoch: 1,
      n,
      wallMs: n,
      replayFrom: n + 1,
      changes: tasks.map(({ header, status, attempts, events }) => ({
        kind: "task",
        key: header.key,
        status,
        attempt: attempts[0] ?? null,
        events,
      })),
      rows: tasks.map((task) => ({ kind: "task", task, spec: ending ? undefined : spec })),
    });
  };
}

/** Commits a second, over commits that take `forMs` together. */
async function rateOf(commit: Commit, rows: number, forMs: number): Promise<number> {
  await commit(rows);
  const beganMs = performance.now();
  let commits = 0;
  while (performance.now() - beganMs < forMs || commits % 2 === 1) {
    await commit(rows);
    commits++;
  }
  return (commits * 1_000) / (performance.now() - beganMs);
}

function median(values: readonly number[]): number {
  return [...values].sort((left, right) => left - right)[Math.floor(values.length / 2)] ?? 0;
}

const spec = new Uint8Array(200).fill(7);

function leaseOf(token: number): Lease {
  return {
    id: `0123456789abcdef-${token}`,
    task: `bench/task-${token}`,
    attempt: 1,
    token,
    state: "RELEASED",
    reason: "COMPLETED",
    pool: "bench",
    runner: "runner-1",
    incarnation: "0123456789abcdef",
    slot: "runner-1/1",
    tenant: "a",
    weights: [
      ["global", 1],
      ["pool:bench", 1],
      ["runner:runner-1", 1],
      ["tenant:a", 1],
    ],
    grantMs: 1_700_000_000_000 + token,
    releaseMs: 1_700_000_000_500 + token,
    revokeReason: "",
    traceParent: "",
    ordinal: token,
  };
}

function taskOf(order: number): Task {
  const id = `task-${order}`;
  const retry = { maxAttempts: 3, backoffMs: 10_000, multiplier: 2, maxBackoffMs: 300_000 };
  return {
    header: {
      key: `bench/${id}`,
      set: "bench",
      id,
      order,
      createMs: order,
      needs: [],
      needConditions: {},
      pool: "",
      skill: "",
      pools: ["bench"],
      labels: {},
      limits: { "api:llm": 1 },
      tenant: "a",
      priority: 0,
      cpuMillis: 0,
      memoryBytes: 0,
      retry,
      startTimeoutMs: 0,
      logLimitBytes: 0,
      traceParent: "",
    },
    status: {
      state: "READY",
      attempt: 1,
      failureCount: 0,
      lossCount: 0,
      idleCount: 0,
      overtaken: 0,
      reason: "",
      readyMs: order,
      startMs: 0,
      endMs: 0,
      revision: order,
      sequence: order,
      progress: 0,
      progressMessage: "",
      runner: "",
      pool: "",
      eventCount: 2,
      forbid: null,
    },
    attempts: [],
    events: [event(1, "TaskCreated", order), event(2, "TaskReady", order)],
  };
}

function ended(task: Task): Task {
  const at = task.header.order + 500;
  return {
    ...task,
    status: { ...task.status, state: "SUCCEEDED", pool: "bench", runner: "runner-1", startMs: at, endMs: at },
    events: [
      ...task.events,
      event(3, "TaskAssigned", at),
      event(4, "RunnerStarted", at),
      event(5, "RunnerCompleted", at),
      event(6, "TaskSucceeded", at),
    ],
  };
}

function event(number: number, kind: Task["events"][number]["kind"], timeMs: number): Task["events"][number] {
  return { number, kind, timeMs, attempt: 1, runner: "runner-1", slot: "", durationMs: -1, message: "" };
}
