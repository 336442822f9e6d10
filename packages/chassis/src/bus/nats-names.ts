/** How the bus's things are called on the server. */
export interface StreamNames {
  /** The stream of an environment, such as `BERTH_production`. */
  readonly stream: string;
  /** All subjects of the environment, such as `production.>`. */
  readonly all: string;
  /** Subject on the server, such as `production.berth.lease`. */
  subject(name: string): string;
  /** Consumer of a durable on a subject, such as `registry__berth_lease`: one durable may hear several subjects. */
  consumer(durable: string, subject: string): string;
}

/** Names under a prefix, which has been checked. Two streams may not share a subject, so the prefix is in the subjects too. */
export function streamNames(prefix: string): StreamNames {
  return {
    stream: `BERTH_${prefix}`,
    all: `${prefix}.>`,
    subject: (name) => `${prefix}.${name}`,
    consumer(durable, subject) {
      if (!/^[A-Za-z0-9_-]{1,64}$/.test(durable))
        throw new Error(`durable ${JSON.stringify(durable)} isn't a name: take 1 to 64 letters, digits, "_" or "-"`);
      return `${durable}__${subject.replaceAll(".", "_")}`;
    },
  };
}
