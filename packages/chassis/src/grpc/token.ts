import { timingSafeEqual } from "node:crypto";
import type { CallContext } from "nice-grpc-common";

/** Tells whether a call brings the token; every call does where none is asked for. */
export function bringsToken(token: string | undefined): (context: CallContext) => boolean {
  if (token === undefined) return () => true;
  const expected = Buffer.from(`Bearer ${token}`);
  return ({ metadata }) => {
    const given = Buffer.from(metadata.get("authorization") ?? "");
    return given.length === expected.length && timingSafeEqual(given, expected);
  };
}
