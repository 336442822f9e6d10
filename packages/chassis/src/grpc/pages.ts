import { FieldCheck } from "./field-check.js";

/** Sizes of a method's pages. */
export interface PageBounds {
  /** Items of a page whose size isn't said. */
  readonly usual: number;
  /** Most items; more are taken for so many. */
  readonly most: number;
}

/** Where a list goes on: what orders it, of the last item given. */
type Place<Shape extends readonly ("string" | "number")[]> = {
  -readonly [Key in keyof Shape]: Shape[Key] extends "string" ? string : number;
};

const usualBounds: PageBounds = { usual: 100, most: 1_000 };
const sizeMax = 2 ** 31 - 1;
/** Longest token that is read: places are a name and a number or two. */
const tokenMax = 1_024;

/**
 * Reads which page is asked for: at most how many items, and the place behind which it begins, undefined for the first page. `shape` says
 * what the parts of a place are. What is wrong is noted in `check`, or thrown where there is none.
 */
export function pageAsked<const Shape extends readonly ("string" | "number")[]>(
  { pageSize, pageToken }: { readonly pageSize: number; readonly pageToken: string },
  shape: Shape,
  { usual, most }: PageBounds = usualBounds,
  check?: FieldCheck,
): { readonly max: number; readonly behind: Place<Shape> | undefined } {
  const found = check ?? new FieldCheck();
  const behind = pageToken === "" ? undefined : placeIn(pageToken, shape);
  const known = pageToken === "" || behind !== undefined;
  found
    .range("page_size", pageSize, 0, sizeMax)
    .that(
      known,
      "page_token",
      "isn't one that this method gave: pass on next_page_token as it came, or leave it empty",
    );
  if (!check) found.throwIfAny();
  return { max: pageSize === 0 ? usual : Math.min(most, pageSize), behind };
}

/** Cuts a page out of what was found, `max` items and whatever shows that there are more, with the token of the next page. */
export function pageOf<Item>(
  found: readonly Item[],
  max: number,
  place: (last: Item) => readonly (string | number)[],
): { readonly items: readonly Item[]; readonly nextPageToken: string } {
  const items = found.slice(0, max);
  const last = items.at(-1);
  return { items, nextPageToken: found.length > max && last !== undefined ? pageToken(place(last)) : "" };
}

/** The token of a place, opaque to callers. */
export function pageToken(place: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(place)).toString("base64url");
}

function placeIn<const Shape extends readonly ("string" | "number")[]>(
  token: string,
  shape: Shape,
): Place<Shape> | undefined {
  if (token.length > tokenMax) return undefined;
  try {
    const place: unknown = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
    if (!Array.isArray(place) || place.length !== shape.length) return undefined;
    const fits = place.every(
      (part, at) => typeof part === shape[at] && (shape[at] === "string" || Number.isSafeInteger(part)),
    );
    return fits ? (place as Place<Shape>) : undefined;
  } catch {
    return undefined;
  }
}
