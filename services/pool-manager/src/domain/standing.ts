import { type Bid, goesBefore, type Order } from "./bid.js";
import { type Demand, demandOf } from "./demand.js";
import { Heap } from "./heap.js";
import { attemptKey } from "./lease.js";
import { OvertakenMemory } from "./overtaken-memory.js";

/** Bids whose overtakings are remembered when they were taken out. A scheduler's bids that stood are its windows: thousands at most. */
const rememberedMax = 10_000;

/** A bid that waits. */
export interface StandingBid extends Order {
  readonly key: string;
  readonly bid: Bid;
  /** Stream that placed it; empty for none. */
  readonly session: string;
  readonly queue: Queue;
  /** Grants that went to others behind it while it was refused. */
  overtaken: number;
  gone: boolean;
}

/** A class: bids that ask for exactly the same, so that what refuses the first of them refuses them all. */
export class Queue {
  readonly id: string;
  readonly demand: Demand;
  /** What has to change before its head can be granted: keys of limits and pools. */
  blockedBy: readonly string[] = [];
  /** Limits that refuse its head and could be kept for it; empty where that would not help it. */
  keepable: readonly string[] = [];
  /** Limits that it waited for and that have room now, while something else refuses its head. */
  offered: readonly string[] = [];
  /** Set while it waits for the limit global alone. */
  parked: Parked | undefined;
  private readonly heap = new Heap<StandingBid>(goesBefore);
  private goneInside = 0;
  /** Those that were overtaken so often that they are kept for. */
  private readonly due = new Heap<StandingBid>(goesBefore);
  private readonly overtakeLimit: number;

  constructor(id: string, demand: Demand, overtakeLimit: number) {
    this.id = id;
    this.demand = demand;
    this.overtakeLimit = overtakeLimit;
  }

  /** Bids in it. */
  get size(): number {
    return this.heap.size - this.goneInside;
  }

  push(bid: StandingBid): void {
    this.heap.push(bid);
    if (bid.overtaken >= this.overtakeLimit) this.due.push(bid);
  }

  /** The first of them. */
  head(): StandingBid | undefined {
    for (;;) {
      const head = this.heap.peek();
      if (!head?.gone) return head;
      this.heap.pop();
      this.goneInside--;
    }
  }

  /** The first of those that were overtaken too often; mostly the head, but a better one may have come since. */
  firstDue(): StandingBid | undefined {
    for (;;) {
      const first = this.due.peek();
      if (!first?.gone) return first;
      this.due.pop();
    }
  }

  /**
   * Counts a grant against all that go before it. That is a look at each, which is no trap: there can't be more such grants than bids in the
   * class times the overtakings that each may suffer, and mostly there are far fewer.
   */
  overtakenBy(granted: Order): void {
    for (const bid of this.heap) {
      if (bid.gone || !goesBefore(bid, granted)) continue;
      bid.overtaken++;
      if (bid.overtaken === this.overtakeLimit) this.due.push(bid);
    }
  }

  /** Marks one as gone. It is taken out when it comes to the top, or when half of the queue is like it. */
  drop(bid: StandingBid): void {
    bid.gone = true;
    if (++this.goneInside * 2 <= this.heap.size || this.goneInside < 64) return;
    this.heap.filter((one) => !one.gone);
    this.goneInside = 0;
  }
}

/** A class with its head, waiting for the limit global alone. */
export interface Parked {
  readonly queue: Queue;
  readonly head: StandingBid;
}

/** Classes blocked by one key. */
interface Blocked {
  readonly queues: Set<Queue>;
  /** No head among them has a smaller rank. */
  bestRank: number;
}

/** The standing bids in their classes, and which of the classes may have become grantable. */
export class Standing {
  private readonly queues = new Map<string, Queue>();
  private readonly byKey = new Map<string, StandingBid>();
  private readonly byTask = new Map<string, StandingBid>();
  private readonly bySession = new Map<string, Set<StandingBid>>();
  private readonly blocked = new Map<string, Blocked>();
  private readonly woken = new Set<string>();
  /** Classes by what they were offered. */
  private readonly offers = new Map<string, Set<Queue>>();
  private parked = new Heap<Parked>((left, right) => goesBefore(left.head, right.head));
  private readonly awake = new Set<Queue>();
  private readonly overtakings = new OvertakenMemory(rememberedMax);
  /** Limits kept for one bid that was overtaken too often. */
  readonly kept = new Map<string, StandingBid>();
  private arrivals = 0;
  /** Grows whenever something changed that may concern every class: the fleet, the catalogue. */
  fleet = 0;
  private readonly overtakeLimit: number;

  constructor(overtakeLimit: number) {
    this.overtakeLimit = overtakeLimit;
  }

  /** Bids that stand. */
  get size(): number {
    return this.byKey.size;
  }

  /** Finds a bid by its attempt. */
  get(key: string): StandingBid | undefined {
    return this.byKey.get(key);
  }

  /** Finds the bid of a task, whatever its attempt. */
  ofTask(task: string): StandingBid | undefined {
    return this.byTask.get(task);
  }

  /** Every class. */
  get all(): Iterable<Queue> {
    return this.queues.values();
  }

  /** Every bid. */
  get bids(): Iterable<StandingBid> {
    return this.byKey.values();
  }

  /** Keys of the bids of a stream. */
  ofSession(session: string): StandingBid[] {
    return [...(this.bySession.get(session) ?? [])];
  }

  /**
   * Places a bid, or replaces the one of the same attempt: it keeps its place among equals if it asks for the same. Its overtakings go on from
   * what it brings, from what it had suffered in the place of the one it replaces, or before it was taken out.
   */
  place(bid: Bid, session: string): StandingBid {
    const key = attemptKey(bid.task, bid.attempt);
    const id = classId(bid);
    const old = this.byKey.get(key);
    if (old) this.remove(old);
    const queue = this.queues.get(id) ?? new Queue(id, demandOf(bid), this.overtakeLimit);
    this.queues.set(id, queue);
    const same = old?.queue.id === id;
    const arrival = same ? old.arrival : this.arrivals++;
    const standing: StandingBid = {
      key,
      bid,
      session,
      queue,
      rank: bid.rank,
      arrival,
      overtaken: Math.max(bid.overtaken, this.overtakings.take(key)),
      gone: false,
    };
    queue.push(standing);
    this.byKey.set(key, standing);
    this.byTask.set(bid.task, standing);
    const ofSession = this.bySession.get(session);
    if (ofSession) ofSession.add(standing);
    else this.bySession.set(session, new Set([standing]));
    if (queue.parked) {
      if (goesBefore(standing, queue.parked.head)) this.park(queue, standing);
      return standing;
    }
    // A class that is known to be blocked stays so for its new head; unless something is kept, which is a matter of rank, or is to be kept for it.
    const isDue = standing.overtaken >= this.overtakeLimit;
    if (queue.blockedBy.length === 0 || this.kept.size > 0 || isDue) this.awake.add(queue);
    for (const blocker of queue.blockedBy) {
      const blocked = this.blocked.get(blocker);
      if (blocked) blocked.bestRank = Math.min(blocked.bestRank, standing.rank);
    }
    return standing;
  }

  /** Takes out a bid that is granted: its lease has the count. */
  removeGranted(standing: StandingBid): void {
    this.remove(standing);
    this.overtakings.take(standing.key);
  }

  /** Takes a bid out. */
  remove(standing: StandingBid): void {
    this.overtakings.note(standing.key, standing.overtaken);
    this.byKey.delete(standing.key);
    this.byTask.delete(standing.bid.task);
    const ofSession = this.bySession.get(standing.session);
    ofSession?.delete(standing);
    if (ofSession?.size === 0) this.bySession.delete(standing.session);
    this.release(standing);
    const { queue } = standing;
    queue.drop(standing);
    if (queue.size > 0) return;
    this.unblock(queue);
    this.awake.delete(queue);
    queue.parked = undefined;
    this.queues.delete(queue.id);
  }

  /** Wakes the classes that were blocked by `key`. */
  wake(key: string): void {
    this.woken.add(key);
  }

  /** Wakes every class: something changed that may concern all. */
  wakeAll(): void {
    this.fleet++;
    for (const queue of this.queues.values()) this.awake.add(queue);
  }

  /** Takes the classes that are awake. */
  takeAwake(): Queue[] {
    for (const key of this.woken) for (const queue of this.blockedAt(key)) this.awake.add(queue);
    this.woken.clear();
    const queues = [...this.awake];
    this.awake.clear();
    for (const queue of queues) queue.parked = undefined;
    return queues;
  }

  /** True if some class is awake. */
  get hasAwake(): boolean {
    return this.awake.size > 0 || this.woken.size > 0;
  }

  /** Sets a class aside until the limit global has room: then the best of those set aside is looked at, and no other. */
  park(queue: Queue, head: StandingBid): void {
    this.unblock(queue);
    queue.parked = { queue, head };
    if (this.parked.size > 2 * this.queues.size + 64) this.parked.filter((entry) => entry.queue.parked === entry);
    this.parked.push(queue.parked);
  }

  /** The best class that was set aside. */
  bestParked(): Parked | undefined {
    for (;;) {
      const entry = this.parked.peek();
      if (!entry || (entry.queue.parked === entry && !entry.head.gone)) return entry;
      this.parked.pop();
      if (entry.queue.parked !== entry) continue;
      const head = entry.queue.head();
      entry.queue.parked = undefined;
      if (head) this.park(entry.queue, head);
    }
  }

  /** Takes the best class that was set aside. */
  takeParked(): void {
    const entry = this.parked.pop();
    if (entry) entry.queue.parked = undefined;
  }

  /** Notes what blocks the head of a class. */
  block(queue: Queue, by: readonly string[], keepable: readonly string[], offered: readonly string[]): void {
    this.unblock(queue);
    queue.blockedBy = by;
    queue.keepable = keepable;
    queue.offered = offered;
    for (const limit of offered) {
      const classes = this.offers.get(limit);
      if (classes) classes.add(queue);
      else this.offers.set(limit, new Set([queue]));
    }
    const rank = queue.head()?.rank ?? Number.POSITIVE_INFINITY;
    for (const key of by) {
      const blocked = this.blocked.get(key);
      if (!blocked) this.blocked.set(key, { queues: new Set([queue]), bestRank: rank });
      else {
        blocked.queues.add(queue);
        blocked.bestRank = Math.min(blocked.bestRank, rank);
      }
    }
  }

  /** Forgets what blocked a class. */
  unblock(queue: Queue): void {
    for (const key of queue.blockedBy) {
      const blocked = this.blocked.get(key);
      blocked?.queues.delete(queue);
      if (blocked?.queues.size === 0) this.blocked.delete(key);
    }
    for (const limit of queue.offered) {
      const classes = this.offers.get(limit);
      classes?.delete(queue);
      if (classes?.size === 0) this.offers.delete(limit);
    }
    queue.blockedBy = [];
    queue.keepable = [];
    queue.offered = [];
  }

  /** Classes that waited for a limit, and can't use it now because something else is missing. */
  offeredAt(limit: string): readonly Queue[] {
    return [...(this.offers.get(limit) ?? [])];
  }

  /** Classes blocked by `key`. */
  blockedAt(key: string): Iterable<Queue> {
    return this.blocked.get(key)?.queues ?? [];
  }

  /** Classes blocked by `key` whose head may go before a bid of this rank; mostly none, and then without looking at each. */
  betterBlockedAt(key: string, rank: number): Queue[] {
    const blocked = this.blocked.get(key);
    if (!blocked || blocked.bestRank > rank) return [];
    const better: Queue[] = [];
    blocked.bestRank = Number.POSITIVE_INFINITY;
    for (const queue of blocked.queues) {
      const headRank = queue.head()?.rank ?? Number.POSITIVE_INFINITY;
      blocked.bestRank = Math.min(blocked.bestRank, headRank);
      if (headRank <= rank) better.push(queue);
    }
    return better;
  }

  /** Keeps limits for a bid, unless a better one has them. */
  keep(standing: StandingBid, limits: readonly string[]): void {
    for (const limit of limits) {
      const other = this.kept.get(limit);
      if (other === standing || (other && goesBefore(other, standing))) continue;
      this.kept.set(limit, standing);
    }
  }

  /** Gives back what was kept for a bid, and wakes who waited for it. */
  release(standing: StandingBid): void {
    this.releaseOf((other) => other === standing);
  }

  /** Gives back what was kept for any bid of a class. */
  releaseClass(queue: Queue): void {
    this.releaseOf((other) => other.queue === queue);
  }

  private releaseOf(isIt: (standing: StandingBid) => boolean): void {
    if (this.kept.size === 0) return;
    for (const [limit, standing] of this.kept) {
      if (!isIt(standing)) continue;
      this.kept.delete(limit);
      this.wake(limit);
    }
  }
}

function classId(bid: Bid): string {
  const labels = Object.entries(bid.labels).sort(([a], [b]) => (a < b ? -1 : 1));
  const weights = [...bid.weights].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([
    bid.pools,
    labels,
    weights,
    bid.tenant,
    bid.cpuMillis,
    bid.memoryBytes,
    bid.runner,
    bid.handler,
    bid.priority,
  ]);
}
