import type { Command } from "@berth/pool-manager/internal/domain/commands";
import type { PoolCore } from "@berth/pool-manager/internal/domain/core";
import type { Lease } from "@berth/pool-manager/internal/domain/lease";
import { release } from "@berth/pool-manager/internal/domain/release";
import { type Committed, type Disk, SimulatedStore } from "./disk.js";
import type { Process } from "./host.js";
import type { Manager } from "./manager.js";
import type { Ask, Reply } from "./messages.js";

/** A mistake, planted from outside around the real parts. The simulation has to find each. */
export interface Bug {
  readonly name: string;
  readonly text: string;
  /** Seeds, from the first on, among which one at least must find it. */
  readonly within: number;
  /** Invariants that it breaks. */
  readonly foundBy: readonly string[];
  store?(disk: Disk, process: Process): SimulatedStore;
  core?(core: PoolCore): void;
  /** What to say when the engine has refused to answer. */
  unanswered?(manager: Manager, ask: Ask): Reply | undefined;
}

/** A commit that doesn't look at the leader row: a former leader can commit. */
class UncheckedStore extends SimulatedStore {
  protected override async apply(group: Committed): Promise<void> {
    const { held } = this.disk;
    const { epoch } = held;
    held.epoch = group.epoch;
    held.n = group.n - 1;
    await super.apply(group);
    held.epoch = Math.max(epoch, group.epoch);
  }
}

/** A restart that doesn't find one of the live leases. */
class ForgetfulStore extends SimulatedStore {
  override async lead(holder: string): ReturnType<SimulatedStore["lead"]> {
    const loaded = await super.lead(holder);
    const forgotten = (await this.occupying()).leases.find(({ state }) => state === "ACTIVE")?.id;
    if (forgotten === undefined) return loaded;
    const groups = loaded.groups.map(({ n, changes }) => ({
      n,
      changes: changes.filter((change) => change.k !== "lease" || change.l.id !== forgotten),
    }));
    return { ...loaded, rows: loaded.rows.filter((row) => row.t !== "lease" || row.lease.id !== forgotten), groups };
  }
}

type Decide = PoolCore["decide"];

/** Puts something between the engine and the core. */
function around(
  core: PoolCore,
  wrap: (decide: Decide, command: Command, now: Parameters<Decide>[1]) => ReturnType<Decide>,
): void {
  const decide = core.decide.bind(core);
  core.decide = (command, now) => wrap(decide, command, now);
}

export const bugs: readonly Bug[] = [
  {
    name: "unchecked-commit",
    text: "the store commits without looking at epoch and number",
    within: 20,
    foundBy: ["S9"],
    store: (disk, process) => new UncheckedStore(disk, process),
  },
  {
    name: "renewal-from-memory",
    text: "a former leader, or one whose commit failed, goes on answering renewals from memory",
    within: 20,
    foundBy: ["S9"],
    unanswered: (_manager, ask) =>
      ask.kind === "renew"
        ? {
            kind: "renewed",
            number: ask.number,
            incarnation: ask.renew.incarnation,
            answer: { results: [], revocations: [] },
          }
        : undefined,
  },
  {
    name: "unchecked-token",
    text: "completions are taken whatever their token, runner and incarnation",
    within: 20,
    foundBy: ["S3", "S2"],
    core: (core) =>
      around(core, (decide, command, now) => {
        if (command.kind !== "complete") return decide(command, now);
        const leaseOf = (id: string): Lease | undefined => core.state.ledger.leases.get(id)?.lease;
        const items = command.items.map((item) => ({ ...item, token: leaseOf(item.lease)?.token ?? item.token }));
        const runner = leaseOf(command.items[0]?.lease ?? "")?.runner ?? command.runner;
        const { incarnation: _incarnation, ...rest } = command;
        return decide({ ...rest, runner, items }, now);
      }),
  },
  {
    name: "repeat-counts-down",
    text: "a repeated completion counts the limits down once more",
    within: 10,
    foundBy: ["drift", "S1"],
    core: (core) => {
      const weights = new Map<string, Lease["weights"]>();
      around(core, (decide, command, now) => {
        const decision = decide(command, now);
        for (const change of decision.changes)
          if (change.k === "lease" && change.e === "RELEASED") weights.set(change.l.id, change.l.weights);
        if (command.kind !== "complete") return decision;
        const { verdicts = [] } = decision.outcome as { verdicts?: readonly string[] };
        verdicts.forEach((verdict, i) => {
          if (verdict !== "REPEATED") return;
          for (const [limit, weight] of weights.get(command.items[i]?.lease ?? "") ?? []) {
            const use = core.state.ledger.use(limit);
            if (use && use.used >= weight) use.used -= weight;
          }
        });
        return decision;
      });
    },
  },
  {
    name: "revoked-is-released",
    text: "a revoked lease is released at once, without waiting for its run to be dead",
    within: 30,
    foundBy: ["S2", "S7"],
    core: (core) =>
      around(core, (decide, command, now) => {
        const decision = decide(command, now);
        const turn = { now, changes: [...decision.changes] };
        for (const change of decision.changes) {
          if (change.k !== "lease" || change.e !== "REVOKING") continue;
          const held = core.state.ledger.leases.get(change.l.id);
          if (held) release(core.state, turn, held, "REVOKED");
        }
        return { outcome: decision.outcome, changes: turn.changes };
      }),
  },
  {
    name: "forgetful-restart",
    text: "a restart forgets one live lease",
    within: 20,
    foundBy: ["drift", "S1", "S4", "S5", "S6"],
    store: (disk, process) => new ForgetfulStore(disk, process),
  },
  {
    name: "expiry-without-a-look",
    text: "expiry acts on the silence that the sweep before saw, without looking whether a renewal has come since",
    within: 60,
    foundBy: ["S2"],
    core: (core) => {
      let nearlyDue: string[] = [];
      around(core, (decide, command, now) => {
        if (command.kind !== "tick") return decide(command, now);
        for (const runner of nearlyDue) {
          const session = core.state.sessions.get(runner);
          if (session && !session.record.lost) session.deadlineMs = now.monoMs;
        }
        const decision = decide(command, now);
        const { ttlMs } = core.state.settings;
        nearlyDue = [...core.state.sessions.values()]
          .filter(({ deadlineMs }) => deadlineMs <= now.monoMs + ttlMs / 3)
          .map(({ record }) => record.runner);
        return decision;
      });
    },
  },
];
