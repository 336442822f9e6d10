import { promises as dns } from "node:dns";
import { isIP } from "node:net";
import { experimental, Metadata, status } from "@grpc/grpc-js";
import { systemClock } from "../clock/index.js";
import { parseAddresses } from "../config/addresses.js";

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
  private readonly target: string;
  private readonly listener: experimental.ResolverListener;
  private round = 0;
  private answeredMs = Number.NEGATIVE_INFINITY;
  private waiting: NodeJS.Timeout | undefined;

  constructor(target: experimental.GrpcUri, listener: experimental.ResolverListener) {
    this.target = target.path;
    this.listener = listener;
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
      this.answer();
    }, pauseMs).unref();
  }

  destroy(): void {
    this.round++;
    clearTimeout(this.waiting);
    this.waiting = undefined;
  }

  private answer(): void {
    const round = ++this.round;
    void lookUp(this.target).then(({ endpoints, problem }) => {
      // A newer question is under way, or nobody wants to know any more.
      if (round !== this.round) return;
      this.answeredMs = systemClock.monoMs();
      const answer =
        endpoints.length > 0
          ? experimental.statusOrFromValue(endpoints)
          : experimental.statusOrFromError<Endpoint[]>({
              code: status.UNAVAILABLE,
              details: problem,
              metadata: new Metadata(),
            });
      this.listener(answer, {}, null, problem);
    });
  }
}

async function lookUp(target: string): Promise<{ endpoints: Endpoint[]; problem: string }> {
  const found = await Promise.all(
    parseAddresses(target).map(async ({ host, port }) => {
      if (isIP(host)) return { endpoints: [{ addresses: [{ host, port }] }], problem: "" };
      try {
        const ips = await dns.lookup(host, { all: true });
        return { endpoints: ips.map(({ address }) => ({ addresses: [{ host: address, port }] })), problem: "" };
      } catch (error) {
        return { endpoints: [], problem: `the name ${host} can't be resolved (${(error as Error).message})` };
      }
    }),
  );
  return {
    endpoints: found.flatMap(({ endpoints }) => endpoints),
    problem: found
      .map(({ problem }) => problem)
      .filter((problem) => problem !== "")
      .join("; "),
  };
}

let registered = false;

/** Makes our scheme known to grpc-js. Safe to call again. */
export function registerPlaces(): void {
  if (registered) return;
  registered = true;
  experimental.registerResolver(placesScheme, PlacesResolver);
}
