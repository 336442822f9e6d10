import type { Change } from "@berth/pool-manager/internal/domain/changes";
import type { Command } from "@berth/pool-manager/internal/domain/commands";
import type { PoolCore } from "@berth/pool-manager/internal/domain/core";
import { attemptKey, type Lease } from "@berth/pool-manager/internal/domain/lease";
import type { Limit } from "@berth/pool-manager/internal/domain/limits";
import { release } from "@berth/pool-manager/internal/domain/release";
import { FirstLeaderOnly, ForgetfulLookups, ForgetfulStore, UncheckedStore } from "./bug-stores.js";
import type { Disk, SimulatedStore } from "./disk.js";
import type { Process } from "./host.js";
import type { Manager } from "./manager.js";
import type { Ask, Reply } from "./messages.js";
import type { Invariant } from "./observer.js";

/** A mistake, planted from outside around the real parts. The simulation has to find each. */
export interface Bug {
  readonly name: string;
  readonly text: string;
  /** Seeds, from the first on, among which one at least must find it. */
  readonly within: number;
  /** The oracle that it belongs to. */
  readonly foundBy: Invariant;
  /** Others that may see it first. */
  readonly or?: readonly Invariant[];
  store?(disk: Disk, process: Process): SimulatedStore;
  core?(core: PoolCore, manager: Manager): void;
  /** Completions from the bus are taken without a proof. */
  readonly unproved?: boolean;
  /** What to say when the engine has refused to answer. */
  unanswered?(manager: Manager, ask: Ask): Reply | undefined;
}

type Decide = PoolCore["decide"];

/** Decides with granting stopped. */
function withoutGranting(core: PoolCore, decide: () => ReturnType<Decide>): ReturnType<Decide> {
  const { brake } = core.state;
  core.state.brake = { sinceMs: 0, untilMs: 0, text: "later" };
  const decision = decide();
  core.state.brake = brake;
  return decision;
}

/** Puts something between the engine and the core. */
function around(
  core: PoolCore,
  wrap: (decide: Decide, command: Command, now: Parameters<Decide>[1]) => ReturnType<Decide>,
): void {
  const decide = core.decide.bind(core);
  core.decide = (command, now) => wrap(decide, command, now);
}

/** Lets another mistake follow each decision. */
function after(core: PoolCore, mistake: (changes: readonly Change[]) => readonly Change[]): void {
  around(core, (decide, command, now) => {
    const { outcome, changes } = decide(command, now);
    return { outcome, changes: mistake(changes) };
  });
}

export const bugs: readonly Bug[] = [
  {
    name: "stale-capacity",
    text: "grants see a lowered capacity only after a restart",
    within: 20,
    foundBy: "S1",
    or: ["S2"],
    core: (core) => {
      const { limits } = core.state;
      const largest = new Map<string, Limit>();
      around(core, (decide, command, now) => {
        for (const [name, limit] of limits)
          if (limit.capacity > (largest.get(name)?.capacity ?? -1)) largest.set(name, limit);
        // A change itself is made to what is true; what it makes room for is granted with the next command.
        if (command.kind === "updateLimit" || command.kind === "updatePool")
          return withoutGranting(core, () => decide(command, now));
        const fresh = new Map(limits);
        for (const [name, limit] of largest) if (fresh.has(name)) limits.set(name, limit);
        const decision = decide(command, now);
        for (const [name, limit] of fresh) limits.set(name, limit);
        return decision;
      });
    },
  },
  {
    name: "slot-of-the-revoked",
    text: "the slot of a lease that is asked to stop is given to another one",
    within: 100,
    foundBy: "S4",
    core: (core) =>
      after(core, (changes) => {
        for (const change of changes) {
          if (change.k !== "lease" || change.e !== "REVOKING") continue;
          core.state.ledger.bySlot.delete(change.l.slot);
          const session = core.state.sessions.get(change.l.runner);
          if (session) session.slotHint = 1;
        }
        return changes;
      }),
  },
  {
    name: "released-twice",
    text: "an outcome that comes after the release of its lease releases it again",
    within: 60,
    foundBy: "S5",
    core: (core) =>
      after(core, (changes) =>
        changes.flatMap((change) =>
          change.k === "lease" && change.e === "LATE_RESULT"
            ? [change, { ...change, e: "RELEASED" as const }]
            : [change],
        ),
      ),
  },
  {
    name: "repeat-counts-as-release",
    text: "a repeated completion counts as another release",
    within: 10,
    foundBy: "S6",
    core: (core) =>
      around(core, (decide, command, now) => {
        const decision = decide(command, now);
        const { verdicts = [] } = (command.kind === "complete" ? decision.outcome : {}) as { verdicts?: string[] };
        core.state.totals.released += verdicts.filter((verdict) => verdict === "REPEATED").length;
        return decision;
      }),
  },
  {
    name: "late-is-forgotten",
    text: "an outcome that comes after the release of its lease is answered and not kept",
    within: 60,
    foundBy: "S7",
    core: (core) =>
      after(core, (changes) => changes.filter((change) => change.k !== "lease" || change.e !== "LATE_RESULT")),
  },
  {
    name: "attempt-looked-up-in-memory-only",
    text: "whether an attempt had a lease is looked up in the memory only, which forgets",
    within: 60,
    foundBy: "S8",
    or: ["S4"],
    store: (disk, process) => new ForgetfulLookups(disk, process),
  },
  {
    name: "told-before-commit",
    text: "a grant is told when it is decided",
    within: 10,
    foundBy: "S10",
    core: (core, manager) =>
      after(core, (changes) => {
        for (const change of changes)
          if (change.k === "lease" && change.e === "GRANTED") manager.news(change.e, change.l);
        return changes;
      }),
  },
  {
    name: "promise-not-heard",
    text: "a runner's promise never to start a lease is asked for again and again, and not taken",
    within: 30,
    foundBy: "L1",
    core: (core) =>
      around(core, (decide, command, now) => {
        if (command.kind === "renew") return decide({ ...command, refused: [] }, now);
        if (command.kind !== "complete") return decide(command, now);
        return decide(
          { ...command, items: command.items.filter(({ outcome }) => outcome.result !== "NOT_STARTED") },
          now,
        );
      }),
  },
  {
    name: "brake-for-ever",
    text: "granting that has stopped after a pause never begins again",
    within: 20,
    foundBy: "L2",
    core: (core) => {
      let brake: PoolCore["state"]["brake"];
      Object.defineProperty(core.state, "brake", {
        get: () => brake,
        set: (next: typeof brake) => {
          brake = next ?? brake;
        },
      });
    },
  },
  {
    name: "first-leader-only",
    text: "a fresh process can't take over from one that has died",
    within: 10,
    foundBy: "L4",
    store: (disk, process) => new FirstLeaderOnly(disk, process),
  },
  {
    name: "unchecked-commit",
    text: "the store commits without looking at epoch and number",
    within: 20,
    foundBy: "S9",
    store: (disk, process) => new UncheckedStore(disk, process),
  },
  {
    name: "renewal-from-memory",
    text: "a former leader, or one whose commit failed, goes on answering renewals from memory",
    within: 20,
    foundBy: "S9",
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
    foundBy: "S3",
    or: ["S2"],
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
    name: "forged-completion",
    text: "a completion on the bus that names a lease, its token and its runner, as everybody may know them, ends the run",
    within: 10,
    foundBy: "S3",
    or: ["S2"],
    unproved: true,
  },
  {
    name: "repeat-counts-down",
    text: "a repeated completion counts the limits down once more",
    within: 10,
    foundBy: "drift",
    or: ["S1"],
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
    foundBy: "S2",
    or: ["S7"],
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
    name: "forgetful-bids",
    text: "what a bid brings of earlier overtakings isn't taken",
    within: 60,
    foundBy: "L3",
    core: (core) =>
      around(core, (decide, command, now) => {
        if (command.kind !== "bids") return decide(command, now);
        return decide({ ...command, bids: command.bids.map((bid) => ({ ...bid, overtaken: 0 })) }, now);
      }),
  },
  {
    name: "forgetful-withdrawals",
    text: "a bid that goes with its stream and comes again is counted from the start",
    within: 60,
    foundBy: "L3",
    core: (core) => {
      const { standing } = core.state;
      const place = standing.place.bind(standing);
      standing.place = (bid, session) => {
        const known = standing.get(attemptKey(bid.task, bid.attempt)) !== undefined;
        const placed = place(bid, session);
        if (!known) placed.overtaken = bid.overtaken;
        return placed;
      };
    },
  },
  {
    name: "handler-overlooked",
    text: "the handler of a bid isn't looked at",
    within: 20,
    foundBy: "placing",
    core: (core) =>
      around(core, (decide, command, now) => {
        if (command.kind !== "bids" && command.kind !== "placeBids") return decide(command, now);
        return decide({ ...command, bids: command.bids.map((bid) => ({ ...bid, handler: "" })) }, now);
      }),
  },
  {
    name: "handlers-not-said-anew",
    text: "what a runner says anew of its handlers isn't taken",
    within: 60,
    foundBy: "L2",
    core: (core) =>
      around(core, (decide, command, now) => {
        if (command.kind !== "attach") return decide(command, now);
        const record = core.state.sessions.get(command.runner)?.record;
        const same = record?.incarnation === command.incarnation;
        return decide(same ? { ...command, handlers: record.handlers ?? [] } : command, now);
      }),
  },
  {
    name: "forgetful-restart",
    text: "a restart forgets one live lease",
    within: 20,
    foundBy: "drift",
    or: ["S1", "S4", "S5", "S6"],
    store: (disk, process) => new ForgetfulStore(disk, process),
  },
  {
    name: "expiry-without-a-look",
    text: "expiry acts on the silence that the sweep before saw, without looking whether a renewal has come since",
    within: 60,
    foundBy: "S2",
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
