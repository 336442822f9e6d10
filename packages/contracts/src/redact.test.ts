import {
  type DescriptorProto,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { describe as read } from "./descriptors.js";
import { needs, pool, redactorOf } from "./index.js";

const all = read();
/** What takes part in ending a run; whoever reads without the token isn't told any of it. */
const kept = new Set(["token", "incarnation", "secret", "proof", "lease_key"]);
const shown = "shown";

/** A message with something in every field, once for each choice that it has anywhere. */
function samples(type: string, depth = 0): Record<string, unknown>[] {
  const message = all.messages.get(type) as DescriptorProto;
  const found: Record<string, unknown>[] = [{}];
  for (const field of depth > 6 ? [] : message.field) {
    const values: unknown[] =
      field.type === Type.MESSAGE ? samples(field.typeName, depth + 1) : [kept.has(field.name) ? shown : "other"];
    const wrapped = field.label === Label.REPEATED ? [values] : values;
    const group = Object.hasOwn(field, "oneofIndex") && !field.proto3Optional && message.oneofDecl[field.oneofIndex];
    for (const [i, value] of wrapped.entries()) {
      const target = group || i > 0 ? { ...found[0] } : (found[0] as Record<string, unknown>);
      if (group) target[group.name] = { $case: field.jsonName, value };
      else target[field.jsonName] = value;
      if (target !== found[0]) found.push(target);
    }
  }
  return found;
}

const text = (value: unknown): string => JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? 0 : inner));

describe("without the token nobody is told what takes part in ending a run", () => {
  const open = Object.entries(needs).filter(([method, need]) => need === "open" && method.startsWith("berth."));

  it.each(open.map(([method]) => method))("by %s", (method) => {
    const redact = redactorOf(method);
    for (const sample of samples(all.methods.get(method)?.outputType as string)) {
      const before = text(sample);
      expect(text(redact ? redact(sample) : sample)).not.toContain(shown);
      expect(text(sample)).toBe(before);
    }
  });

  it("and the look for it finds what is there", () => {
    expect(samples(".berth.pool.v1.ListAssignmentsResponse").some((sample) => text(sample).includes(shown))).toBe(true);
  });
});

it("everything else is as it was", () => {
  const redact = redactorOf("berth.pool.v1.PoolService/ListAssignments");
  const lease = pool.Lease.fromPartial({
    lease: "d-1",
    token: 7n,
    incarnation: "i",
    secret: Buffer.from("s"),
    slot: "a",
  });
  expect(redact?.({ leases: [lease] }).leases).toEqual([
    { ...lease, token: 0n, incarnation: "", secret: Buffer.alloc(0) },
  ]);
});
