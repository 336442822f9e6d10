import type { z } from "zod";

/** What the walk over a schema needs to see of one. */
export interface Definition {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly valueType?: z.ZodType;
  readonly element?: z.ZodType;
  readonly options?: readonly z.ZodType[];
}

/** How zod describes a schema to itself. */
export function definition(schema: z.ZodType): Definition {
  return schema.def as unknown as Definition;
}

/** The schema under defaults, optionals and transformations. */
export function bare(schema: z.ZodType): z.ZodType {
  const { innerType, in: input } = definition(schema);
  const inner = innerType ?? input;
  return inner ? bare(inner) : schema;
}

/** A schema's kind, as zod names it: object, record, array, string, number, boolean, union, … */
export function kind(schema: z.ZodType): string {
  return definition(bare(schema)).type;
}

/** The fields of an object. Undefined for another kind. */
export function fields(schema: z.ZodType): Readonly<Record<string, z.ZodType>> | undefined {
  return definition(bare(schema)).shape;
}

/** What a record holds under each name. Undefined for another kind. */
export function recordValue(schema: z.ZodType): z.ZodType | undefined {
  const inner = definition(bare(schema));
  return inner.type === "record" ? inner.valueType : undefined;
}

/** Names that the schema knows at a path; empty where it takes any, or where it can't be told. */
export function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  const [first, ...rest] = path;
  const inner = definition(bare(schema));
  if (inner.type === "union") return [...new Set((inner.options ?? []).flatMap((option) => knownKeys(option, path)))];
  if (first === undefined) return Object.keys(inner.shape ?? {});
  const next = typeof first === "number" ? inner.element : (inner.shape?.[String(first)] ?? inner.valueType);
  return next ? knownKeys(next, rest) : [];
}

/** The schemas of which a value may satisfy one: the schema itself under its wrappings, or the alternatives of a union. */
export function alternatives(schema: z.ZodType): z.ZodType[] {
  const inner = bare(schema);
  return [
    inner,
    ...(definition(inner).type === "union" ? (definition(inner).options ?? []).flatMap(alternatives) : []),
  ];
}

/** What alternatives want under a key or at a place of a list; empty where none says anything. */
export function below(schemas: readonly z.ZodType[], key: string | number): z.ZodType[] {
  return schemas.flatMap((schema) => {
    const { element, shape, valueType } = definition(schema);
    const own = typeof key === "string" && shape !== undefined && Object.hasOwn(shape, key) ? shape[key] : undefined;
    const next = typeof key === "number" ? element : (own ?? valueType);
    return next === undefined ? [] : alternatives(next);
  });
}
