import type { Commit } from "@berth/chassis/engine";
import type { Change } from "../domain/changes.js";
import { attemptKey, type Lease } from "../domain/lease.js";

/** What a stream of bids hears of, each after its commit. */
export type BidNews =
  | { readonly kind: "granted"; readonly lease: Lease }
  | { readonly kind: "lost"; readonly key: string; readonly message: string };

/** Brings committed grants, and losses, to the stream that placed the bid. */
export class Dispatcher {
  private readonly streams = new Map<string, (news: readonly BidNews[]) => void>();
  private readonly sessionOfKey = new Map<string, string>();

  /** Opens a stream. */
  open(session: string, deliver: (news: readonly BidNews[]) => void): void {
    this.streams.set(session, deliver);
  }

  /** Ends a stream; grants that come after this reach nobody here, and the bidder gets them when it bids again. */
  close(session: string): void {
    this.streams.delete(session);
    for (const [key, owner] of this.sessionOfKey) if (owner === session) this.sessionOfKey.delete(key);
  }

  /** Notes who bids for an attempt, before the command is submitted. */
  expect(session: string, keys: Iterable<string>): void {
    for (const key of keys) this.sessionOfKey.set(key, session);
  }

  /** Forgets attempts that were answered otherwise. */
  forget(session: string, keys: Iterable<string>): void {
    for (const key of keys) if (this.sessionOfKey.get(key) === session) this.sessionOfKey.delete(key);
  }

  /** Takes a commit: what it granted or forbade goes out, all of a stream at once. */
  committed({ changes }: Commit<Change>): void {
    const news = new Map<string, BidNews[]>();
    const tell = (key: string, item: BidNews): void => {
      const session = this.sessionOfKey.get(key);
      if (session === undefined) return;
      this.sessionOfKey.delete(key);
      const items = news.get(session);
      if (items) items.push(item);
      else news.set(session, [item]);
    };
    for (const change of changes) {
      if (change.k === "lease" && change.e === "GRANTED")
        tell(attemptKey(change.l.task, change.l.attempt), { kind: "granted", lease: change.l });
      else if (change.k === "tombstone" && change.wallMs !== undefined)
        tell(change.key, { kind: "lost", key: change.key, message: "the attempt was forbidden" });
    }
    for (const [session, items] of news) this.streams.get(session)?.(items);
  }
}
