/** Most bytes of UTF-8 of a described error. */
export const describedBytesMax = 4_096;

/** How an error is described. */
export interface DescribeOptions {
  /** True puts the error's name in front and its causes behind: for people who have to find it in their own code. Default: false. */
  readonly named?: boolean;
}

const causesMax = 4;
const unreadable = "something that can't be described was thrown";

/**
 * What was thrown, in words: the message of an error or of anything with a `message`, otherwise the thing itself. Never empty, at most
 * {@link describedBytesMax} bytes, and it never throws, whatever it is given: anything can be thrown in JavaScript, and whoever
 * handles an error is the last who may fail.
 */
export function describe(thrown: unknown, { named = false }: DescribeOptions = {}): string {
  if (!named) return bounded(wordsOf(thrown, false));
  const parts = [wordsOf(thrown, true)];
  // An iteration with a bound: causes may form a circle, or be made anew by a getter each time.
  for (let cause = causeOf(thrown); cause !== undefined && parts.length <= causesMax; cause = causeOf(cause)) {
    parts.push(`cause: ${wordsOf(cause, true)}`);
  }
  return bounded(parts.join("; "));
}

/** `thrown instanceof type`, and false where asking throws, as it does for a Proxy that doesn't want to be asked. */
export function isA<Type>(
  thrown: unknown,
  type: abstract new (
    // biome-ignore lint/suspicious/noExplicitAny: any class is good here, whatever its constructor takes
    ...parameters: any[]
  ) => Type,
): thrown is Type {
  return attempt(() => thrown instanceof type) === true;
}

function wordsOf(thrown: unknown, named: boolean): string {
  if (typeof thrown === "string") return cut(thrown) || "an empty text was thrown";
  if (typeof thrown !== "object" && typeof thrown !== "function") return primitive(thrown);
  if (thrown === null) return "null";
  const message = textOf(thrown, "message");
  const name = (named || message === "") && isA(thrown, Error) ? textOf(thrown, "name") : "";
  if (name !== "") return message === "" ? name : `${name}: ${message}`;
  return message || plain(thrown) || unreadable;
}

/** A bigint is bounded before it is written out: its digits cost the square of their number. */
function primitive(thrown: unknown): string {
  if (typeof thrown === "bigint" && BigInt.asIntN(4_096, thrown) !== thrown) return "a very large bigint";
  return cut(String(thrown));
}

/** A property that is a text; empty if it is none or can't be had. */
function textOf(thrown: object, property: string): string {
  const value = attempt(() => (thrown as Record<string, unknown>)[property]);
  return typeof value === "string" ? cut(value) : "";
}

function causeOf(thrown: unknown): unknown {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  return attempt(() => (thrown as { cause?: unknown }).cause);
}

/**
 * What an object says of itself, if that is more than "[object Object]"; otherwise its first keys. Not its JSON: that can be
 * gigabytes, and take as long.
 */
function plain(thrown: object): string {
  const own = attempt(() => String(thrown));
  if (typeof own === "string" && own !== "" && !/^\[object \w+\]$/.test(own.slice(0, 64))) return cut(own);
  const keys = attempt(() => Object.keys(thrown));
  if (!keys || keys.length === 0) return "";
  const shown = keys
    .slice(0, 8)
    .map((key) => `${cut(key)}: ${brief(attempt(() => (thrown as Record<string, unknown>)[key]))}`);
  return `{ ${shown.join(", ")}${keys.length > shown.length ? ", …" : ""} }`;
}

function brief(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 200));
  if (typeof value === "function" || (typeof value === "object" && value !== null)) return "…";
  return primitive(value);
}

/** No text longer than can be shown is carried about. */
function cut(text: string): string {
  return text.slice(0, describedBytesMax);
}

/** At most so many bytes, and well-formed: half a character would be no UTF-8. */
function bounded(text: string): string {
  const whole = cut(text).replace(/\p{Surrogate}/gu, "\uFFFD");
  const bytes = Buffer.from(whole);
  if (bytes.length <= describedBytesMax && text.length <= describedBytesMax) return whole;
  let end = Math.min(bytes.length, describedBytesMax - 3);
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return `${bytes.toString("utf8", 0, end)}…`;
}

function attempt<Value>(look: () => Value): Value | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
