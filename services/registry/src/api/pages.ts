import { ReasonError } from "@berth/chassis/grpc";

/** Page size to use: the default for 0, the largest for more; negative is refused. */
export function pageSize(asked: number): number {
  if (asked < 0)
    throw new ReasonError("INVALID_FIELD", `page_size: ${asked} is negative: 0 (default 100) to 1000`, {
      fields: [{ field: "page_size", description: `${asked} is negative` }],
    });
  return asked === 0 ? 100 : Math.min(asked, 1_000);
}

/** An opaque token that holds where to go on. */
export function pageToken(place: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(place)).toString("base64url");
}

/** The place in a token; undefined for the first page. */
export function pagePlace(token: string): readonly (string | number)[] | undefined {
  if (token === "") return undefined;
  try {
    const place: unknown = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
    if (Array.isArray(place) && place.every((part) => typeof part === "string" || Number.isSafeInteger(part)))
      return place;
  } catch {
    // Falls through to the refusal.
  }
  throw new ReasonError(
    "INVALID_FIELD",
    "page_token: isn't one of ours; pass on next_page_token unchanged, or leave it empty",
    {
      fields: [{ field: "page_token", description: "isn't one of ours" }],
    },
  );
}
