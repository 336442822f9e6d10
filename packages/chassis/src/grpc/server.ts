import { health as healthContract, needs, reflectionAlpha, reflection as reflectionContract } from "@berth/contracts";
import { type CompatServiceDefinition, createServer, type Server, type ServiceImplementation } from "nice-grpc";
import { errorDetailsServerMiddleware } from "nice-grpc-error-details";
import type { Registry } from "prom-client";
import { delay, systemClock } from "../clock/index.js";
import type { Logger } from "../log/index.js";
import { noTelemetry, type Telemetry } from "../telemetry/index.js";
import { type GrpcBounds, grpcBounds } from "./bounds.js";
import { callMiddleware } from "./call-middleware.js";
import { boundConnections } from "./connection-bound.js";
import { Health } from "./health.js";
import { serverChannelOptions, silentCallerMsMax } from "./options.js";
import { Reflection } from "./reflection.js";
import { cutSilentCallers } from "./silent-callers.js";
import { boundStreams } from "./stream-bound.js";
import { bringsToken } from "./token.js";
import { readable } from "./unreadable.js";

/** Settings of a server. */
export interface GrpcServerOptions {
  /** Where to log. */
  readonly logger: Logger;
  /** Where the `grpc_server_*` metrics go. */
  readonly metrics: Registry;
  /** Token that mutations must bring as `authorization: Bearer <token>`; undefined asks for none. */
  readonly token?: string;
  /** Tracing; default none. */
  readonly telemetry?: Telemetry;
  /** Asked before every answer and every message of a stream: nothing, or a promise that rejects if it may not leave. Default: all may. */
  readonly fence?: () => Promise<void> | undefined;
  /** Bounds of streams and connections; default those of the schema. */
  readonly bounds?: Partial<GrpcBounds>;
}

/** The port is taken by another process. */
export class PortInUse extends Error {
  override readonly name = "PortInUse";
}

/** A gRPC server with health, reflection, metrics, tracing and Berth's errors. */
export class GrpcServer {
  private readonly server: Server;
  private readonly health = new Health();
  private readonly reflection = new Reflection();
  private readonly stopping = new AbortController();
  private readonly bounds: GrpcBounds;
  private unwatch = (): void => undefined;
  private stopped: Promise<void> | undefined;

  constructor(options: GrpcServerOptions) {
    const { logger, metrics, token, telemetry = noTelemetry, fence } = options;
    const middleware = callMiddleware({ logger, metrics, token, telemetry, fence, stopping: this.stopping.signal });
    this.bounds = grpcBounds(options.bounds);
    this.server = createServer(serverChannelOptions)
      .use(errorDetailsServerMiddleware)
      .use(middleware)
      .use(boundStreams(this.bounds, bringsToken(token), metrics));
    this.add(healthContract.HealthDefinition, this.health);
    this.add(reflectionContract.ServerReflectionDefinition, this.reflection);
    this.add(
      reflectionAlpha.ServerReflectionDefinition,
      this.reflection as unknown as reflectionAlpha.ServerReflectionServiceImplementation,
    );
  }

  /** Adds a service. Before `listen` only. @throws Error for a method that the table of what each needs doesn't name. */
  add<Service extends CompatServiceDefinition & { readonly fullName: string }>(
    definition: Service,
    implementation: ServiceImplementation<Service>,
  ): this {
    for (const { name } of Object.values(definition.methods as Record<string, { readonly name: string }>))
      if (needs[`${definition.fullName}/${name}`] === undefined)
        throw new Error(`${definition.fullName}/${name} isn't served: name in contracts' access.ts what it needs`);
    this.server.add(readable(definition), implementation);
    this.health.addService(definition.fullName);
    this.reflection.addService(definition.fullName);
    return this;
  }

  /**
   * Listens and returns the port; port 0 takes a free one. Not serving, by the health service, until `setServing(true)`.
   *
   * @throws PortInUse naming the port and what to do.
   */
  async listen(host: string, port: number): Promise<number> {
    try {
      const taken = await this.server.listen(`${host}:${port}`);
      const ends = [boundConnections(taken, this.bounds.connectionsMax), cutSilentCallers(taken, silentCallerMsMax)];
      this.unwatch = () => ends.forEach((end) => end());
      return taken;
    } catch (error) {
      if (error instanceof Error && /EADDRINUSE|No address added/.test(error.message)) {
        throw new PortInUse(
          `gRPC can't listen: ${host}:${port} is in use by another process: stop it (is a Berth running?), or choose another port`,
          {
            cause: error,
          },
        );
      }
      throw error;
    }
  }

  /** Sets what the health service answers. */
  setServing(serving: boolean): void {
    this.health.setServing(serving);
  }

  /** Stops taking calls, ends the streams, waits up to `graceMs` for unary calls, then cuts what is left. Safe to call twice. */
  stop(graceMs = 2_000): Promise<void> {
    this.stopped ??= this.stopOnce(graceMs);
    return this.stopped;
  }

  private async stopOnce(graceMs: number): Promise<void> {
    this.setServing(false);
    this.health.endWatches();
    this.stopping.abort();
    const ended = new AbortController();
    const gracefully = this.server.shutdown().finally(() => ended.abort());
    await Promise.race([gracefully, delay(systemClock, graceMs, ended.signal)]);
    this.server.forceShutdown();
    this.unwatch();
  }
}
