import fc from "fast-check";
import { expect, it } from "vitest";
import { describedBytesMax, describe as describeError, isA } from "./index.js";

const fails = () => {
  throw new Error("not to be looked at");
};

/** An object of which one property throws when it is looked at. */
function trapped(target: object, property: string): object {
  return Object.defineProperty(target, property, { get: fails });
}

const hostile = fc.oneof(
  fc.anything({ withBigInt: true, withNullPrototype: true, withDate: true, withSparseArray: true }),
  fc.constantFrom<unknown>(undefined, null, Symbol("one"), Symbol(), Number.NaN, "", Object.create(null), () => 1),
  fc
    .constantFrom(0, 1, 2)
    .map((which) => [10n ** 100_000n, "x".repeat(10_000_000), new Error("ü".repeat(5_000_000))][which]),
  fc
    .constantFrom("message", "name", "stack", "cause", "toString")
    .map((property) => trapped(new Error("text"), property)),
  fc.constantFrom("message", "toString", "then").map((property) => trapped({}, property)),
  fc.constant(0).map(() => {
    const circle: Error & { cause?: unknown } = new Error("round");
    circle.cause = circle;
    return circle;
  }),
  fc.constantFrom<unknown>({ toString: () => 7 }, { message: 7 }, { message: {} }, { toString: fails }, [fails]),
  fc.string({ unit: "binary", maxLength: 5_000 }).map((text) => new Error(text)),
);

/** Made where they are needed: the generator itself can't look at them. */
const unlookable: readonly (() => unknown)[] = [
  ...(["get", "has", "getPrototypeOf", "ownKeys", "getOwnPropertyDescriptor"] as const).map(
    (trap) => () => new Proxy(new Error("behind"), { [trap]: fails }),
  ),
  () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
];

it("whatever is thrown is described: in words, bounded, without throwing", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        hostile.map((thrown) => () => thrown),
        fc.constantFrom(...unlookable),
      ),
      fc.boolean(),
      (make, named) => {
        const thrown = make();
        const text = describeError(thrown, { named });
        expect(typeof text).toBe("string");
        expect(text).not.toBe("");
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(describedBytesMax);
        expect(text).not.toMatch(/\p{Surrogate}/u);
        expect(typeof isA(thrown, Error)).toBe("boolean");
      },
    ),
    { numRuns: 1_000 },
  );
});

it("an error, and a thrown object with a message, show their message", () => {
  expect(describeError(new TypeError("no such thing"))).toBe("no such thing");
  expect(describeError(new TypeError("no such thing"), { named: true })).toBe("TypeError: no such thing");
  expect(describeError({ message: "from afar" })).toBe("from afar");
  expect(describeError({ message: "from afar" }, { named: true })).toBe("from afar");
  expect(describeError({ code: 7, why: "none" })).toBe('{ code: 7, why: "none" }');
  expect(describeError(new RangeError(""))).toBe("RangeError");
  expect(describeError(undefined)).toBe("undefined");
  expect(describeError("text")).toBe("text");
});

it("causes are named behind the error, as far as a bound", () => {
  const deepest = new Error("refused");
  const error = new Error("fetch failed", { cause: new Error("no connection", { cause: deepest }) });
  expect(describeError(error, { named: true })).toBe(
    "Error: fetch failed; cause: Error: no connection; cause: Error: refused",
  );
});
