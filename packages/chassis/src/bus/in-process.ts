import type { Subject } from "@berth/contracts";
import { noTelemetry } from "../telemetry/index.js";
import { Delivery } from "./delivery.js";
import type { Bus, BusOptions, PublishOptions, SubscribeOptions, Subscription } from "./port.js";
import { sendSpan } from "./spans.js";

/** Ids remembered per subject, to drop a message that is published twice. */
const idsMax = 10_000;

/** The bus of a single process: queues in memory. Messages are encoded and decoded, so that nobody shares an object with the sender. */
export class InProcessBus implements Bus {
  private readonly options: BusOptions;
  // biome-ignore lint/suspicious/noExplicitAny: deliveries of all message types live side by side; their subject ties the type.
  private readonly deliveries = new Map<string, Map<string, Delivery<any>>>();
  private readonly ids = new Map<string, Set<string>>();
  private closed = false;

  constructor(options: BusOptions) {
    this.options = options;
  }

  async publish<M>(subject: Subject<M>, message: M, options: PublishOptions = {}): Promise<void> {
    this.refuseIfClosed();
    const telemetry = this.options.telemetry ?? noTelemetry;
    const span = sendSpan(telemetry, subject.name, options.traceParents);
    const bytes = subject.encode(message);
    if (this.isNew(subject.name, options.id)) {
      for (const delivery of this.deliveries.get(subject.name)?.values() ?? [])
        delivery.push({ bytes, traceParent: span.traceParent });
    }
    span.end();
  }

  async subscribe<M>(
    subject: Subject<M>,
    durable: string,
    handler: (messages: M[]) => Promise<void>,
    options: SubscribeOptions<M> = {},
  ): Promise<Subscription> {
    this.refuseIfClosed();
    const ofSubject = this.deliveries.get(subject.name) ?? new Map<string, Delivery<M>>();
    this.deliveries.set(subject.name, ofSubject);
    const delivery: Delivery<M> = ofSubject.get(durable) ?? new Delivery(subject, durable, this.options);
    ofSubject.set(durable, delivery);
    if (delivery.attached)
      throw new Error(`${durable} hears ${subject.name} already; stop that subscription first or use another name`);
    delivery.attach(handler, options);
    return { stop: () => delivery.detach() };
  }

  async close(): Promise<void> {
    this.closed = true;
    const all = [...this.deliveries.values()].flatMap((ofSubject) => [...ofSubject.values()]);
    await Promise.all(all.map((delivery) => delivery.detach()));
  }

  private isNew(subject: string, id: string | undefined): boolean {
    if (id === undefined) return true;
    const known = this.ids.get(subject) ?? new Set<string>();
    this.ids.set(subject, known);
    if (known.has(id)) return false;
    known.add(id);
    const [oldest] = known;
    if (known.size > idsMax && oldest !== undefined) known.delete(oldest);
    return true;
  }

  private refuseIfClosed(): void {
    if (this.closed) throw new Error("the bus is closed");
  }
}
