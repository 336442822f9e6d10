import { health } from "@berth/contracts";
import { PushStream, ReasonError } from "@berth/wire/grpc";
import type { CallContext } from "nice-grpc-common";

const Status = health.HealthCheckResponse_ServingStatus;

/** Changes that may wait for one watch. */
const changesMax = 100;

/** grpc.health.v1 over one answer for the whole process, under "" and under the name of each service. */
export class Health implements health.HealthServiceImplementation {
  private serving = false;
  private readonly services = new Set([""]);
  private readonly watchers = new Set<PushStream<health.HealthCheckResponse>>();
  private readonly unknown = new Set<PushStream<health.HealthCheckResponse>>();

  /** Adds a service that can be asked for. */
  addService(fullName: string): void {
    this.services.add(fullName);
  }

  /** Sets the answer and tells the watchers. */
  setServing(serving: boolean): void {
    if (this.serving === serving) return;
    this.serving = serving;
    for (const watcher of this.watchers)
      if (!watcher.push(this.answer())) watcher.fail(new ReasonError("READER_TOO_SLOW", "too slow: watch anew"));
  }

  /** Ends every watch. */
  endWatches(): void {
    for (const watcher of [...this.watchers, ...this.unknown]) watcher.end();
  }

  async check(request: health.HealthCheckRequest): Promise<health.HealthCheckResponse> {
    if (!this.services.has(request.service))
      throw new ReasonError("NOT_FOUND", `no service ${JSON.stringify(request.service)} here`);
    return this.answer();
  }

  async list(): Promise<health.HealthListResponse> {
    return { statuses: Object.fromEntries([...this.services].map((service) => [service, this.answer()])) };
  }

  async *watch(request: health.HealthCheckRequest, context: CallContext): AsyncGenerator<health.HealthCheckResponse> {
    const known = this.services.has(request.service);
    const changes = new PushStream<health.HealthCheckResponse>({ maxItems: changesMax });
    // A watch of an unknown service stays open, as the protocol wants it: a client would begin anew at once otherwise.
    (known ? this.watchers : this.unknown).add(changes);
    context.signal.addEventListener("abort", () => changes.end(), { once: true });
    try {
      yield known ? this.answer() : { status: Status.SERVICE_UNKNOWN };
      yield* changes;
    } finally {
      (known ? this.watchers : this.unknown).delete(changes);
    }
  }

  private answer(): health.HealthCheckResponse {
    return { status: this.serving ? Status.SERVING : Status.NOT_SERVING };
  }
}
