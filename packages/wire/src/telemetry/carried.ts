import { propagation, trace } from "@opentelemetry/api";
import { formatTraceParent, parseTraceParent } from "./traceparent.js";

/** What W3C's three headers carry from one program to the next; each is empty for none. */
export interface TraceContext {
  /** The span that goes on. */
  readonly traceParent: string;
  /** What tracing systems keep with the trace; only with a trace parent. At most 512 characters, 32 members. */
  readonly traceState: string;
  /** Names and values of the application's own. At most 8,192 bytes. */
  readonly baggage: string;
}

/** Nothing. */
export const noTraceContext: TraceContext = { traceParent: "", traceState: "", baggage: "" };

const traceStateMost = { characters: 512, members: 32, longMember: 128 };
const baggageBytesMost = 8_192;

/**
 * Reads a trace context as W3C asks: what breaks the rules is left out and is never an error. A trace parent that is none is as good as
 * absent, and its trace state with it. A trace state that isn't well-formed or has more than 32 members is left out whole; of one with more
 * than 512 characters whole members go, those above 128 characters first and then from its end. Of baggage those members go that
 * are none, and those that no longer fit into 8,192 bytes.
 */
export function readTraceContext(given: Partial<TraceContext>): TraceContext {
  const traceParent = traceParentOf(given.traceParent?.trim() ?? "");
  return {
    traceParent,
    traceState: traceParent === "" ? "" : traceStateOf(given.traceState ?? ""),
    baggage: baggageOf(given.baggage ?? ""),
  };
}

/** A later version than this one knows is passed on as this one. */
function traceParentOf(text: string): string {
  const span = parseTraceParent(text);
  if (!span) return "";
  return text.startsWith("00-") ? text : formatTraceParent(span);
}

const key = /^(?:[a-z0-9][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})$/;
/** Printable ASCII without comma and equals sign, not ending with a space. */
const value = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

function traceStateOf(text: string): string {
  const members = membersOf(text);
  const wellFormed = members.every((member) => {
    const at = member.indexOf("=");
    return at > 0 && key.test(member.slice(0, at)) && value.test(member.slice(at + 1));
  });
  if (!wellFormed || members.length > traceStateMost.members) return "";
  while (members.join(",").length > traceStateMost.characters) {
    const long = members.findLastIndex(({ length }) => length > traceStateMost.longMember);
    members.splice(long >= 0 ? long : members.length - 1, 1);
  }
  return members.join(",");
}

/** A token, an equals sign, and printable ASCII: value and properties are the application's. */
const baggageMember = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+[ \t]*=[\x20-\x2b\x2d-\x7e\t]*$/;

function baggageOf(text: string): string {
  const kept: string[] = [];
  let bytes = 0;
  for (const member of membersOf(text)) {
    const more = member.length + (kept.length === 0 ? 0 : 1);
    if (!baggageMember.test(member) || bytes + more > baggageBytesMost) continue;
    bytes += more;
    kept.push(member);
  }
  return kept.join(",");
}

function membersOf(text: string): string[] {
  return text
    .split(",")
    .map((member) => member.replace(/^[ \t]+|[ \t]+$/g, ""))
    .filter((member) => member !== "");
}

/** The trace context of what is active in this program, by whichever OpenTelemetry SDK it uses. */
export function activeTraceContext(): TraceContext {
  const span = trace.getActiveSpan()?.spanContext();
  const baggage = propagation.getActiveBaggage()?.getAllEntries() ?? [];
  if (!span && baggage.length === 0) return noTraceContext;
  return readTraceContext({
    traceParent: span ? formatTraceParent(span) : "",
    traceState: span?.traceState?.serialize() ?? "",
    baggage: baggage
      .map(([name, { value, metadata }]) => {
        const properties = metadata?.toString() ?? "";
        return `${name}=${encodeURIComponent(value)}${properties === "" ? "" : `;${properties}`}`;
      })
      .join(","),
  });
}
