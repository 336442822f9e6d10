/** What a pool offers, as far as a submission is checked against it. */
export interface CataloguePool {
  readonly pool: string;
  readonly skills: readonly string[];
  /** CPU to give out, in thousandths of a core; 0 where it isn't counted. */
  readonly cpuMillis: number;
  /** Memory to give out, in bytes; 0 where it isn't counted. */
  readonly memoryBytes: number;
}

/** The pool-manager's pools and limits at one version. */
export interface Catalogue {
  readonly version: number;
  readonly pools: readonly CataloguePool[];
  /** Largest capacity by name: that of now, or that which an expiring change goes back to. */
  readonly limits: Readonly<Record<string, number>>;
}

/** A catalogue with its lookups. */
export class CatalogueIndex {
  readonly catalogue: Catalogue;
  private readonly pools = new Map<string, CataloguePool>();
  private readonly bySkill = new Map<string, string[]>();
  private readonly limits: Map<string, number>;
  /** Limits that belong to sets. */
  readonly ofSets: readonly string[];

  constructor(catalogue: Catalogue) {
    this.catalogue = catalogue;
    this.limits = new Map(Object.entries(catalogue.limits));
    this.ofSets = [...this.limits.keys()].filter((name) => name.startsWith("set:"));
    for (const pool of catalogue.pools) {
      this.pools.set(pool.pool, pool);
      for (const skill of pool.skills) {
        const offering = this.bySkill.get(skill);
        if (offering) offering.push(pool.pool);
        else this.bySkill.set(skill, [pool.pool]);
      }
    }
  }

  /** The pool of that name. */
  pool(name: string): CataloguePool | undefined {
    return this.pools.get(name);
  }

  /** Names of the pools that offer a skill, in the order of the catalogue. */
  offering(skill: string): readonly string[] {
    return this.bySkill.get(skill) ?? [];
  }

  /** Capacity of a limit. */
  capacity(limit: string): number | undefined {
    return this.limits.get(limit);
  }

  /** All pool names, for messages. */
  get poolNames(): string[] {
    return [...this.pools.keys()];
  }
}
