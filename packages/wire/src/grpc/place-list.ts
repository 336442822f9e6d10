import { isIP } from "node:net";
import type { Clock, Timer } from "../clock/index.js";
import type { Address } from "../config/addresses.js";
import { describe } from "../errors/index.js";

/** Finds the IP addresses of a name. Rejects if it has none, with `code` ENOTFOUND if that is certain. May never settle. */
export type LookUp = (host: string) => Promise<readonly string[]>;

/** How long an answer waits for the first name that resolves. Names that take longer are used when they come. */
export const lookUpMsMax = 2_000;

/** What is known of a list of places: all their IP addresses in its order, and why some are missing. */
export interface Places {
  readonly addresses: readonly Address[];
  /** For people; empty if nothing is missing. */
  readonly problem: string;
}

interface Place {
  readonly host: string;
  readonly port: number;
  known: readonly string[];
  /** It surely has none now; what was known of it serves only where nothing else is known. */
  gone: boolean;
  asking: boolean;
  problem: string;
}

/**
 * The places of a service, some of them names. Each asking is answered once: with the first name that resolves, or after `lookUpMsMax` with what
 * was known before, or with the problem. Whatever changes later is told when it comes, so that a name that resolves slowly, or never, holds
 * back none of the others, and no address that was found is dropped.
 */
export class PlaceList {
  private readonly places: readonly Place[];
  private readonly lookUp: LookUp;
  private readonly clock: Clock;
  private readonly tell: (places: Places) => void;
  private told = "";
  private owed = false;
  private bound: Timer | undefined;
  private resting = true;

  constructor(addresses: readonly Address[], lookUp: LookUp, clock: Clock, tell: (places: Places) => void) {
    this.places = addresses.map(({ host, port }) => {
      return { host, port, known: isIP(host) ? [host] : [], gone: false, asking: false, problem: "" };
    });
    this.lookUp = lookUp;
    this.clock = clock;
    this.tell = tell;
  }

  /** Looks all names up, except those whose look-up is still under way. */
  ask(): void {
    this.resting = false;
    this.owed = true;
    const names = this.places.filter(({ host }) => !isIP(host));
    for (const place of names) if (!place.asking) void this.askFor(place);
    if (names.length < this.places.length) return this.answer();
    this.bound?.cancel();
    this.bound = this.clock.setTimer(lookUpMsMax, () => this.answer(), { unref: true });
  }

  /** Tells nothing until it is asked again. */
  rest(): void {
    this.resting = true;
    this.bound?.cancel();
  }

  private async askFor(place: Place): Promise<void> {
    place.asking = true;
    place.problem = `no answer for ${lookUpMsMax} ms`;
    try {
      place.known = await this.lookUp(place.host);
      place.gone = false;
      place.problem = "";
    } catch (error) {
      place.gone = (error as { code?: string }).code === "ENOTFOUND";
      place.problem = describe(error);
    }
    place.asking = false;
    const found = place.problem === "";
    if (found || !this.owed || this.places.every(({ asking }) => !asking)) this.answer();
  }

  private answer(): void {
    if (this.resting) return;
    const addresses = this.addresses();
    const text = JSON.stringify(addresses);
    // News that nothing is there is no news to somebody who didn't ask: it would end what stands.
    if (!this.owed && (addresses.length === 0 || text === this.told)) return;
    this.bound?.cancel();
    this.owed = false;
    this.told = text;
    const missing = this.places.filter(({ problem }) => problem !== "");
    const problem = missing.map((place) => `the name ${place.host} can't be resolved (${place.problem})`).join("; ");
    this.tell({ addresses, problem });
  }

  private addresses(): Address[] {
    const all = this.places.flatMap(({ known, port, gone }) => known.map((host) => ({ host, port, gone })));
    const there = all.filter(({ gone }) => !gone);
    return (there.length > 0 ? there : all).map(({ host, port }) => ({ host, port }));
  }
}

/** Shares each look-up with all who ask for that name meanwhile: one that hangs holds a thread of the process, of which there are four. */
export function shared(lookUp: LookUp): LookUp {
  const running = new Map<string, Promise<readonly string[]>>();
  return (host) => {
    const known = running.get(host);
    if (known !== undefined) return known;
    const asked = lookUp(host).finally(() => running.delete(host));
    running.set(host, asked);
    return asked;
  };
}
