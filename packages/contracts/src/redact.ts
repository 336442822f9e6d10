import {
  type DescriptorProto,
  type FieldDescriptorProto,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import { type Described, describe } from "./descriptors.js";

type Message = Record<string, unknown>;
/** Makes a copy without the marked fields; what holds none of them is shared with the original. */
type Redactor = (message: Message) => Message;
/** Changes one field of the copy that is made. */
type Step = (copy: Message) => void;

let described: Described | undefined;
const redactors = new Map<string, Redactor | undefined>();

/**
 * What takes the fields that `proto/` marks with `debug_redact` out of the answers of a method, such as `berth.pool.v1.PoolService/GetStatus`:
 * they become empty. Undefined where no answer has such a field, so that it costs nothing.
 */
export function redactorOf(method: string): (<Answer>(answer: Answer) => Answer) | undefined {
  described ??= describe();
  const output = described.methods.get(method)?.outputType;
  if (output === undefined) return undefined;
  return redactorOfMessage(described, output) as (<Answer>(answer: Answer) => Answer) | undefined;
}

function redactorOfMessage(all: Described, type: string): Redactor | undefined {
  if (redactors.has(type)) return redactors.get(type);
  const message = all.messages.get(type);
  if (!message || !reaches(all, type, new Set())) {
    redactors.set(type, undefined);
    return undefined;
  }
  // Known before its fields are looked at: a message may hold its like.
  const steps: Step[] = [];
  const redactor: Redactor = (original) => {
    const copy = { ...original };
    for (const step of steps) step(copy);
    return copy;
  };
  redactors.set(type, redactor);
  for (const field of message.field) {
    const step = stepOf(all, message, field);
    if (step) steps.push(step);
  }
  return redactor;
}

/** True if a marked field is in the message or in what it holds. */
function reaches(all: Described, type: string, seen: Set<string>): boolean {
  if (seen.has(type)) return false;
  seen.add(type);
  const fields = all.messages.get(type)?.field ?? [];
  return fields.some((field) => isMarked(field) || (field.type === Type.MESSAGE && reaches(all, field.typeName, seen)));
}

function stepOf(all: Described, message: DescriptorProto, field: FieldDescriptorProto): Step | undefined {
  const key = field.jsonName;
  const held = message.oneofDecl[field.oneofIndex];
  const inOneof = held !== undefined && Object.hasOwn(field, "oneofIndex") && !field.proto3Optional;
  const blank = isMarked(field) ? blankOf(field) : undefined;
  const inner = field.type === Type.MESSAGE ? redactorOfMessage(all, field.typeName) : undefined;
  if (blank === undefined && inner === undefined) return undefined;
  const change = (value: unknown): unknown => {
    if (blank !== undefined) return blank();
    if (Array.isArray(value)) return value.map((item) => inner?.(item as Message));
    return value === undefined ? undefined : inner?.(value as Message);
  };
  if (!inOneof) {
    return (copy) => {
      copy[key] = change(copy[key]);
    };
  }
  const group = camelCase(held.name);
  return (copy) => {
    const chosen = copy[group] as { $case: string; value: unknown } | undefined;
    if (chosen?.$case === key) copy[group] = { $case: key, value: change(chosen.value) };
  };
}

function isMarked(field: FieldDescriptorProto): boolean {
  return field.options?.debugRedact === true;
}

function blankOf({ name, type, label }: FieldDescriptorProto): () => unknown {
  if (label === Label.REPEATED) return () => [];
  if (type === Type.STRING) return () => "";
  if (type === Type.BYTES) return () => Buffer.alloc(0);
  if (type === Type.INT64) return () => 0n;
  if (type === Type.MESSAGE) return () => undefined;
  throw new Error(`debug_redact on ${name}: there is no rule yet for what a field of its type becomes`);
}

function camelCase(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
