import { crc32 } from "node:zlib";
import { runner } from "@berth/contracts";

/** A line of a segment. */
export type SpoolRecord =
  /** An outcome that must reach the pool-manager. */
  | { readonly kind: "outcome"; readonly completion: runner.Completion }
  /** Leases whose outcomes are confirmed. Not fsynced: losing it costs a repeat. */
  | { readonly kind: "confirmed"; readonly leases: readonly string[] };

/** One line: checksum of the rest in hexadecimal, a space, JSON, a line feed. */
export function encodeRecord(record: SpoolRecord): string {
  const json = JSON.stringify(
    record.kind === "outcome" ? { outcome: runner.Completion.toJSON(record.completion) } : { confirmed: record.leases },
  );
  return `${checksum(json)} ${json}\n`;
}

/** Reads one line without its line feed; undefined if the checksum doesn't fit. */
export function decodeRecord(line: string): SpoolRecord | undefined {
  const json = line.slice(9);
  if (line[8] !== " " || line.slice(0, 8) !== checksum(json)) return undefined;
  const value = JSON.parse(json) as { outcome?: unknown; confirmed?: string[] };
  if (value.confirmed) return { kind: "confirmed", leases: value.confirmed };
  return { kind: "outcome", completion: runner.Completion.fromJSON(value.outcome) };
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}
