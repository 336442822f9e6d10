import { type Channel, createChannel, createClient, ReasonError } from "@berth/chassis/grpc";
import type { Telemetry } from "@berth/chassis/telemetry";
import { registry, runner } from "@berth/contracts";
import { Status } from "nice-grpc-common";
import type { LogPort } from "../output/sender.js";
import type { LeaseLink } from "../session/lease-link.js";

/** Where work comes from. */
export interface WorkLink {
  /** Opens a work stream; it ends or throws when it breaks, and when `signal` aborts. */
  open(request: runner.StreamWorkRequest, signal: AbortSignal): AsyncIterable<runner.StreamWorkResponse>;
}

/** The services a runner talks to. */
export interface Links {
  readonly leases: LeaseLink;
  /** Undefined for a runner that is handed its work by its own program. */
  readonly work: WorkLink | undefined;
  /** Undefined drops output. */
  readonly logs: LogPort | undefined;
  /** Closes the connections. */
  close(): void;
}

/** Addresses of the services, `host:port`. */
export interface Addresses {
  readonly poolManagerAddress: string;
  readonly schedulerAddress?: string | undefined;
  readonly registryAddress?: string | undefined;
  readonly token?: string | undefined;
}

const temporary: ReadonlySet<Status> = new Set([
  Status.UNAVAILABLE,
  Status.DEADLINE_EXCEEDED,
  Status.RESOURCE_EXHAUSTED,
  Status.CANCELLED,
  Status.INTERNAL,
  Status.UNAUTHENTICATED,
]);

/** Connects to the services. */
export function connect(addresses: Addresses, telemetry: Telemetry): Links {
  const channels: Channel[] = [];
  const settings = { telemetry, ...(addresses.token === undefined ? {} : { token: addresses.token }) };
  const open = (address: string): Channel => {
    const channel = createChannel(address);
    channels.push(channel);
    return channel;
  };
  const leases = createClient(runner.LeaseServiceDefinition, open(addresses.poolManagerAddress), settings);
  const { schedulerAddress, registryAddress } = addresses;
  const work =
    schedulerAddress === undefined
      ? undefined
      : createClient(runner.WorkServiceDefinition, open(schedulerAddress), settings);
  const logs =
    registryAddress === undefined
      ? undefined
      : createClient(registry.LogServiceDefinition, open(registryAddress), settings);
  return {
    leases: {
      open: (requests, signal) => leases.streamLeases(requests, { signal }),
      isRefused: (error) => ["STALE_INCARNATION", "SESSION_EXPIRED"].includes(ReasonError.from(error).reason),
    },
    work: work && { open: (request, signal) => work.streamWork(request, { signal }) },
    logs: logs && {
      append: async (batch) => void (await logs.appendLogs(batch)),
      isTemporary: (error) => temporary.has(ReasonError.from(error).status),
    },
    close: () => {
      for (const channel of channels) channel.close();
    },
  };
}
