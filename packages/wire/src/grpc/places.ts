import { promises as dns } from "node:dns";
import { experimental, Metadata, status } from "@grpc/grpc-js";
import { systemClock } from "../clock/index.js";
import { parseAddresses } from "../config/addresses.js";
import { type LookUp, PlaceList, type Places, shared } from "./place-list.js";

/** Scheme of our targets. grpc-js itself knows a list of IP addresses, or one name, but no list of names. */
export const placesScheme = "berth-places";

/** Least time between two look-ups. */
const askAgainMs = 1_000;

type Endpoint = experimental.Endpoint;

/**
 * Resolves a list of `host:port`, names or addresses, to all their IP addresses in the order of the list. The channel tries them in this order
 * and stays with the first that answers; when that breaks, it asks again and begins anew. A name that can't be resolved counts for nothing
 * as long as another one can. Names are looked up at every asking: a service may have come back at another address.
 */
class PlacesResolver implements experimental.Resolver {
  private readonly list: PlaceList;
  private readonly listener: experimental.ResolverListener;
  private answeredMs = Number.NEGATIVE_INFINITY;
  private waiting: NodeJS.Timeout | undefined;

  constructor(target: experimental.GrpcUri, listener: experimental.ResolverListener, lookUp: LookUp) {
    this.listener = listener;
    this.list = new PlaceList(parseAddresses(target.path), lookUp, systemClock, (places) => this.answer(places));
  }

  static getDefaultAuthority(target: experimental.GrpcUri): string {
    return target.path.split(",", 1)[0] ?? "";
  }

  updateResolution(): void {
    if (this.waiting) return;
    // The channel asks whenever all places refuse, which the answer may make it do at once.
    const pauseMs = Math.max(0, this.answeredMs + askAgainMs - systemClock.monoMs());
    this.waiting = setTimeout(() => {
      this.waiting = undefined;
      this.list.ask();
    }, pauseMs).unref();
  }

  /** Between two connections: the channel may ask again later. */
  destroy(): void {
    this.list.rest();
    clearTimeout(this.waiting);
    this.waiting = undefined;
  }

  private answer({ addresses, problem }: Places): void {
    this.answeredMs = systemClock.monoMs();
    const endpoints = addresses.map(({ host, port }): Endpoint => ({ addresses: [{ host, port }] }));
    const metadata = new Metadata();
    const answer =
      endpoints.length > 0
        ? experimental.statusOrFromValue(endpoints)
        : experimental.statusOrFromError<Endpoint[]>({ code: status.UNAVAILABLE, details: problem, metadata });
    this.listener(answer, {}, null, problem);
  }
}

/** Makes a scheme known to grpc-js whose names are found by `lookUp`. */
export function registerScheme(scheme: string, lookUp: LookUp): void {
  class Resolver extends PlacesResolver {
    constructor(target: experimental.GrpcUri, listener: experimental.ResolverListener) {
      super(target, listener, lookUp);
    }
  }
  experimental.registerResolver(scheme, Resolver);
}

let registered = false;

/** Makes our scheme known to grpc-js. Safe to call again. */
export function registerPlaces(): void {
  if (registered) return;
  registered = true;
  const lookUp = shared(async (host) => (await dns.lookup(host, { all: true })).map(({ address }) => address));
  registerScheme(placesScheme, lookUp);
}
