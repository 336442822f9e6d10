import * as event from "./gen/event.js";

/** A subject of the bus together with the message that travels on it. */
export interface Subject<Message> {
  /** Name on the wire, such as `berth.completion`. */
  readonly name: string;
  /** Encodes one message. */
  readonly encode: (message: Message) => Uint8Array;
  /** Decodes one message; throws on garbage. */
  readonly decode: (bytes: Uint8Array) => Message;
}

function subject<Message>(
  name: string,
  codec: { encode(message: Message): { finish(): Uint8Array }; decode(bytes: Uint8Array): Message },
): Subject<Message> {
  return { name, encode: (message) => codec.encode(message).finish(), decode: (bytes) => codec.decode(bytes) };
}

/** Everything that is broadcast. */
export const subjects = {
  /** Outcomes from runners, already fsynced to their spools. */
  completion: subject<event.CompletionBatch>("berth.completion", event.CompletionBatch),
  /** Lease events from the pool-manager's journal, after the commit. */
  lease: subject<event.LeaseEventBatch>("berth.lease", event.LeaseEventBatch),
} as const;
