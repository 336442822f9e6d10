import { descriptorSetBase64, pool, registry, runner, scheduler } from "@berth/contracts";
import {
  create,
  createFileRegistry,
  type DescField,
  type DescMessage,
  fromBinary,
  type Message,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { unkeepable } from "./texts.js";
import { readable, UnreadableRequest } from "./unreadable.js";

const files = createFileRegistry(fromBinary(FileDescriptorSetSchema, Buffer.from(descriptorSetBase64, "base64")));
const definitions = [registry, pool, runner, scheduler]
  .flatMap((room) => Object.values(room))
  .filter((each): each is typeof registry.RegistryServiceDefinition => {
    return typeof each === "object" && "fullName" in each && "methods" in each;
  });

/** One text of a request: the message that holds it alone, and its path. */
interface Place {
  readonly path: string;
  readonly fill: (text: string) => Message;
}

/** Every text in a message, to the depth at which messages hold themselves again. */
function places(type: DescMessage, above: readonly string[] = []): Place[] {
  if (above.filter((name) => name === type.typeName).length > 0) return [];
  const within = [...above, type.typeName];
  return type.fields.flatMap((field) =>
    inField(field, within).map(({ path, fill }) => ({
      path: `${field.name}${path}`,
      fill: (text: string) => {
        const value = fill(text);
        const set =
          field.oneof === undefined
            ? { [field.localName]: value }
            : { [field.oneof.localName]: { case: field.localName, value } };
        return create(type, set as never);
      },
    })),
  );
}

function inField(field: DescField, above: readonly string[]): { path: string; fill: (text: string) => unknown }[] {
  const below = (type: DescMessage) => places(type, above).map(({ path, fill }) => ({ path: `.${path}`, fill }));
  switch (field.fieldKind) {
    case "scalar":
      return field.scalar === 9 ? [{ path: "", fill: (text) => text }] : [];
    case "message":
      return below(field.message);
    case "list":
      if (field.listKind === "message")
        return below(field.message).map(({ path, fill }) => ({ path: `[0]${path}`, fill: (text) => [fill(text)] }));
      return field.listKind === "scalar" && field.scalar === 9 ? [{ path: "[0]", fill: (text) => [text] }] : [];
    case "map": {
      const value = field.mapKind === "enum" ? 1 : field.scalar === 3 ? 1n : "v";
      const key = { path: '["a\\u0000b"]', fill: (text: string) => ({ [text]: value }) };
      const under = { path: '["k.k"]', fill: (text: string) => ({ "k.k": text }) };
      return typeof value === "string" ? [key, under] : [key];
    }
    default:
      return [];
  }
}

const methods = definitions.flatMap((definition) => {
  const { methods } = readable(definition);
  return Object.values(methods).map((method) => {
    const service = files.getService(definition.fullName);
    const input = service?.methods.find(({ name }) => name === method.name)?.input;
    if (input === undefined) throw new Error(`${definition.fullName}/${method.name} isn't in the descriptors`);
    return { name: `${definition.fullName}/${method.name}`, input, decode: method.requestType.decode };
  });
});

describe("a text with NUL", () => {
  const all = methods.flatMap(({ name, input, decode }) =>
    places(input).map((place) => ({ name, input, decode: decode as (input: Uint8Array) => unknown, ...place })),
  );

  it("has been tried in every request", () => {
    expect(all.length).toBeGreaterThan(100);
  });

  it.each(all)(
    "is refused in $name $path, or kept whole where a workload wrote it",
    ({ name, input, path, fill, decode }) => {
      const message = fill("a\0b") as MessageShape<typeof input>;
      const read = decode(toBinary(input, message));
      if (/(^|\.)message$/.test(path)) return expect(JSON.stringify(read, plain)).toContain('"message":"a\\u0000b"');
      expect(read).toBeInstanceOf(UnreadableRequest);
      const error = (read as UnreadableRequest).toError(name);
      expect(error).toMatchObject({
        reason: "INVALID_FIELD",
        details: { fields: [{ field: path.replace(/\.paths\b/, "") }] },
      });
      expect(error.message).toContain("NUL");
    },
  );
});

describe("a map's key __proto__", () => {
  const decode = readable(registry.RegistryServiceDefinition).methods.submitTasks.requestType.decode;
  const encoded = (run: object): Uint8Array => {
    const type = files.getMessage("berth.registry.v1.SubmitTasksRequest");
    if (type === undefined) throw new Error("SubmitTasksRequest isn't in the descriptors");
    const tasks = [{ id: "a", run }];
    return toBinary(type, create(type, { tasks } as never));
  };

  it("is refused instead of lost", () => {
    const run = { env: Object.defineProperty({}, "__proto__", { value: "x", enumerable: true }) };
    const read = decode(encoded(run));
    expect(read).toBeInstanceOf(UnreadableRequest);
    expect((read as unknown as UnreadableRequest).toError("SubmitTasks").message).toContain('the key "__proto__"');
  });

  it("is nothing special in a text or in bytes", () => {
    const stdin = Buffer.from("\n\t__proto__\n\t__proto__");
    const read = decode(encoded({ stdin, cwd: "__proto__", env: { A: "\n\t__proto__", ___proto__: "x" } }));
    expect(read.tasks[0]?.run).toMatchObject({ cwd: "__proto__", env: { A: "\n\t__proto__" } });
  });
});

function plain(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

describe("what a look at texts costs", () => {
  it("is one pass over the bytes where no byte is 0: the fields of such a message aren't walked through", () => {
    const untouchable = new Proxy({}, { ownKeys: () => expect.fail("it was walked through") });
    const type = { encode: () => ({ finish: () => new Uint8Array() }) };
    expect(unkeepable(untouchable, Uint8Array.of(10, 1, 97), type)).toBeUndefined();
    expect(() => unkeepable(untouchable, Uint8Array.of(10, 1, 0), type)).toThrow("it was walked through");
  });
});
