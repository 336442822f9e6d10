import type { Bid } from "@berth/pool-manager/internal/domain/bid";
import type { BidResult } from "@berth/pool-manager/internal/domain/bids";
import type { Lease } from "@berth/pool-manager/internal/domain/lease";
import { attemptKey } from "@berth/pool-manager/internal/domain/lease";
import { type Host, Process } from "./host.js";
import type { Reply } from "./messages.js";
import type { Post } from "./post.js";
import type { Ready } from "./registry.js";

interface Item {
  readonly bid: Bid;
  lease?: Lease;
  lost: boolean;
  bidMs: number;
  workMs: number;
}

/** A scheduler: keeps bids standing for what is ready, hands granted leases to their runners, again and again. Nothing of it is durable. */
export class Scheduler {
  readonly name: string;
  process: Process;
  private readonly host: Host;
  private readonly post: Post;
  private readonly againMs: number;
  private session = "";
  private sessions = 0;
  private seen = 0;
  private items = new Map<string, Item>();

  constructor(name: string, host: Host, post: Post, againMs: number) {
    this.name = name;
    this.host = host;
    this.post = post;
    this.againMs = againMs;
    this.process = new Process(host, name);
  }

  /** Starts, or starts anew with an empty memory. */
  start(): void {
    if (this.session !== "") {
      this.process.kill();
      this.process = new Process(this.host, this.name);
      // The old stream ends; the pool-manager learns of that by itself, sooner or later.
      this.post.ask(this.name, { kind: "sessionEnd", session: this.session });
    }
    this.session = `${this.name}-${++this.sessions}`;
    this.items = new Map();
    this.seen = 0;
    this.turn();
  }

  /** The tasks that are ready or assigned without having begun, as of a version of the registry. */
  ready(version: number, tasks: readonly Ready[]): void {
    if (version <= this.seen) return;
    this.seen = version;
    const keys = new Set(tasks.map(({ bid }) => attemptKey(bid.task, bid.attempt)));
    const gone = [...this.items]
      .filter(([key, item]) => !keys.has(key) && !item.lease)
      .map(([, { bid }]) => ({ task: bid.task, attempt: bid.attempt }));
    for (const key of [...this.items.keys()]) if (!keys.has(key)) this.items.delete(key);
    if (gone.length > 0) this.post.ask(this.name, { kind: "withdraw", attempts: gone });
    for (const { bid } of tasks) {
      const key = attemptKey(bid.task, bid.attempt);
      if (!this.items.has(key))
        this.items.set(key, { bid, lost: false, bidMs: Number.NEGATIVE_INFINITY, workMs: Number.NEGATIVE_INFINITY });
    }
    this.work();
  }

  hear(reply: Reply): void {
    if (reply.kind !== "bids") return;
    for (const result of reply.results) this.take(result);
    this.work();
  }

  private take(result: BidResult): void {
    const item = this.items.get(result.key);
    if (!item) return;
    if (result.verdict === "GRANTED") item.lease = result.lease;
    else if (result.verdict === "LOST") item.lost = true;
    else if (result.verdict !== "STANDING") item.bidMs = Number.NEGATIVE_INFINITY;
  }

  private turn(): void {
    this.post.pull(this.name, (version, tasks) => this.ready(version, tasks));
    this.work();
    this.process.after(this.againMs / 2, () => this.turn());
  }

  private work(): void {
    const nowMs = this.host.monoMs();
    const { random } = this.host.world;
    const bids: Bid[] = [];
    for (const item of this.items.values()) {
      if (item.lost) continue;
      if (!item.lease) {
        if (nowMs - item.bidMs < this.againMs * random.between(0.5, 2)) continue;
        item.bidMs = nowMs;
        bids.push(item.bid);
      } else if (nowMs - item.workMs >= this.againMs) {
        item.workMs = nowMs;
        this.post.work(this.name, item.lease);
      }
    }
    // Some are placed one by one, without leaving anything standing, as people do.
    if (bids.length > 0)
      this.post.ask(this.name, { kind: "bids", session: random.chance(0.1) ? "" : this.session, bids });
  }
}
