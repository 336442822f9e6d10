import { FieldCheck } from "@berth/chassis/grpc";

/** One field of a resource that may be set: everything that the wire knows of it, in one place. */
export interface Field<Wire, Spec> {
  /** Its name in an update_mask. */
  readonly path: string;
  /** Notes what is wrong with it, by itself. */
  readonly check: (check: FieldCheck, wire: Wire) => void;
  /** True if an update without a mask takes it. */
  readonly populated: (wire: Wire) => boolean;
  /** What it sets. */
  readonly read: (wire: Wire) => Partial<Spec>;
  /** How it is shown. */
  readonly write: (spec: Spec) => Partial<Wire>;
}

/** Everything that a resource says. */
export function specOf<Wire, Spec>(fields: readonly Field<Wire, Spec>[], wire: Wire): Partial<Spec> {
  return Object.assign({}, ...fields.map(({ read }) => read(wire)));
}

/** How a resource is shown. */
export function wireOf<Wire, Spec>(fields: readonly Field<Wire, Spec>[], spec: Spec): Partial<Wire> {
  return Object.assign({}, ...fields.map(({ write }) => write(spec)));
}

/** What an update sets: the fields that the mask names; all for "*"; without a mask those that are populated. */
export function patchOf<Wire, Spec>(
  fields: readonly Field<Wire, Spec>[],
  wire: Wire,
  mask: readonly string[] | undefined,
): Partial<Spec> {
  const paths = fields.map(({ path }) => path);
  const unknown = (mask ?? []).filter((path) => path !== "*" && !paths.includes(path));
  new FieldCheck()
    .that(
      unknown.length === 0,
      "update_mask",
      `${unknown.join(", ")} can't be updated: choose from ${paths.join(", ")}`,
    )
    .throwIfAny();
  const taken = (field: Field<Wire, Spec>): boolean =>
    !mask || mask.length === 0 ? field.populated(wire) : mask.includes("*") || mask.includes(field.path);
  return specOf(fields.filter(taken), wire);
}
