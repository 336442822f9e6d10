import { PushStream } from "@berth/chassis/grpc";
import { type registry, runner } from "@berth/contracts";
import type { Links } from "../api/links.js";

/** The services as a runner sees them, in its own process: answers everything at once, and remembers what it was told. */
export class StandIn implements Links {
  /** TTL that attachments get. */
  ttlMs: number;
  /** True leaves renewals and attachments unanswered. */
  mute = false;
  /** Refuses the present incarnation with the next request. */
  refuse = false;
  /** True leaves completions unanswered. */
  hold = false;
  readonly attachments: runner.AttachRunnerRequest[] = [];
  readonly renewals: runner.RenewLeasesRequest[] = [];
  readonly starts: runner.Start[] = [];
  readonly completions: runner.Completion[] = [];
  readonly chunks: registry.LogChunk[] = [];
  readonly progress: registry.Progress[] = [];
  detached = 0;
  private readonly listeners = new Set<() => void>();
  private responses: PushStream<runner.StreamLeasesResponse> | undefined;
  private workStream: PushStream<runner.StreamWorkResponse> | undefined;
  private revoked: runner.Revocation[] = [];
  /** Called with each outcome instead of remembering it, for benchmarks. */
  onCompletions: ((completions: readonly runner.Completion[]) => void) | undefined;

  constructor(ttlMs = 60_000) {
    this.ttlMs = ttlMs;
  }

  readonly leases = {
    open: (
      requests: AsyncIterable<runner.StreamLeasesRequest>,
      signal: AbortSignal,
    ): AsyncIterable<runner.StreamLeasesResponse> => {
      const responses = new PushStream<runner.StreamLeasesResponse>();
      this.responses = responses;
      signal.addEventListener("abort", () => responses.fail(new Error("aborted")), { once: true });
      void this.serve(requests, responses);
      return responses;
    },
    isRefused: (error: unknown): boolean => error instanceof Error && error.message === "STALE_INCARNATION",
  };

  readonly work = {
    open: (_request: runner.StreamWorkRequest, signal: AbortSignal): AsyncIterable<runner.StreamWorkResponse> => {
      const stream = new PushStream<runner.StreamWorkResponse>();
      this.workStream = stream;
      signal.addEventListener("abort", () => stream.fail(new Error("aborted")), { once: true });
      this.tell();
      return stream;
    },
  };

  readonly logs = {
    append: async ({
      chunks,
      progress,
    }: {
      chunks: registry.LogChunk[];
      progress: registry.Progress[];
    }): Promise<void> => {
      this.chunks.push(...chunks);
      this.progress.push(...progress);
      this.tell();
    },
    isTemporary: (): boolean => true,
  };

  close(): void {
    this.responses?.end();
    this.workStream?.end();
  }

  /** Hands out work, as soon as the runner asks for it. */
  async give(...work: runner.Work[]): Promise<void> {
    await this.until(() => this.workStream !== undefined && !this.workStream.ended);
    this.workStream?.push({ work });
  }

  /** Revokes leases, and repeats it in every renewal until they are completed. */
  revoke(...revocations: runner.Revocation[]): void {
    this.revoked.push(...revocations);
    this.responses?.push({ kind: { $case: "revocations", value: { revocations } } });
  }

  /** Breaks the lease stream. */
  breakStream(): void {
    this.responses?.fail(new Error("broken"));
  }

  /** Output of a task so far, as text. */
  outputOf(task: string, stderr = false): string {
    const own = this.chunks.filter((chunk) => chunk.task === task && chunk.stderr === stderr);
    return Buffer.concat(own.map(({ data }) => data)).toString();
  }

  /** The outcome of a lease, once there is one. */
  async outcome(lease: string): Promise<runner.Outcome> {
    await this.until(() => this.completions.some((completion) => completion.lease === lease));
    return this.completions.find((completion) => completion.lease === lease)?.outcome as runner.Outcome;
  }

  /** Waits until something is true that only messages to this stand-in change. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.listeners.add(resolve));
  }

  private tell(): void {
    const waiting = [...this.listeners];
    this.listeners.clear();
    for (const resolve of waiting) resolve();
  }

  private async serve(
    requests: AsyncIterable<runner.StreamLeasesRequest>,
    responses: PushStream<runner.StreamLeasesResponse>,
  ): Promise<void> {
    for await (const { kind } of requests) {
      if (kind && this.refuse) {
        this.refuse = false;
        responses.fail(new Error("STALE_INCARNATION"));
        return;
      }
      const answer = kind && this.answer(kind);
      if (answer) responses.push({ kind: answer });
      this.tell();
      if (kind?.$case === "detach") responses.end();
    }
  }

  private answer(kind: NonNullable<runner.StreamLeasesRequest["kind"]>): runner.StreamLeasesResponse["kind"] {
    switch (kind.$case) {
      case "attach": {
        if (this.mute) return undefined;
        this.attachments.push(kind.value);
        const value = runner.AttachRunnerResponse.fromPartial({
          runnerTtl: duration(this.ttlMs),
          renewInterval: duration(this.ttlMs / 6),
          results: this.settle(kind.value.inventory),
        });
        return { $case: "attach", value };
      }
      case "renew":
        if (this.mute) return undefined;
        this.renewals.push(kind.value);
        return {
          $case: "renew",
          value: {
            renewal: kind.value.renewal,
            results: this.settle(kind.value.inventory),
            revocations: [...this.revoked],
          },
        };
      case "starts":
        this.starts.push(...kind.value.starts);
        return { $case: "starts", value: {} };
      case "complete":
        return { $case: "complete", value: { results: this.complete(kind.value.completions) } };
      case "detach":
        this.detached += 1;
        return { $case: "detach", value: {} };
    }
  }

  private settle(inventory: readonly runner.LeaseReport[]): runner.CompletionResult[] {
    const ended = inventory.filter(({ outcome }) => outcome !== undefined);
    return this.complete(
      ended.map(({ lease, token, outcome, proof }) => ({ lease, token, outcome, traceParent: "", proof })),
    );
  }

  private complete(completions: readonly runner.Completion[]): runner.CompletionResult[] {
    if (this.hold) return [];
    if (this.onCompletions) this.onCompletions(completions);
    else this.completions.push(...completions);
    if (this.revoked.length > 0)
      this.revoked = this.revoked.filter(({ lease }) => !completions.some((completion) => completion.lease === lease));
    return completions.map(({ lease }) => ({ lease, verdict: runner.CompletionResult_Verdict.APPLIED }));
  }
}

/** A duration on the wire. */
export function duration(ms: number): { seconds: bigint; nanos: number } {
  return { seconds: BigInt(Math.floor(ms / 1000)), nanos: Math.round((ms % 1000) * 1e6) };
}

let lastToken = 0n;

/** Work whose lease, task and slot are named after `name`. */
export function workOf(name: string, run: Parameters<typeof runner.Run.fromPartial>[0]): runner.Work {
  lastToken += 1n;
  return runner.Work.fromPartial({
    secret: Buffer.from(`secret of ${name}`),
    lease: name,
    token: lastToken,
    task: `set/${name}`,
    attempt: 1,
    pool: "pool",
    slot: `slot-${name}`,
    run,
  });
}

/** Work that runs a program. */
export function command(
  name: string,
  argv: string[],
  run: Parameters<typeof runner.Run.fromPartial>[0] = {},
): runner.Work {
  return workOf(name, { ...run, kind: { $case: "command", value: { argv, shell: "" } } });
}

/** Work that runs a line in a shell. */
export function shell(name: string, line: string, run: Parameters<typeof runner.Run.fromPartial>[0] = {}): runner.Work {
  return workOf(name, { ...run, kind: { $case: "command", value: { argv: [], shell: line } } });
}

/** Work that calls a handler. */
export function call(
  name: string,
  handler: string,
  payload: unknown = null,
  run: Parameters<typeof runner.Run.fromPartial>[0] = {},
): runner.Work {
  return workOf(name, {
    ...run,
    kind: { $case: "handler", value: { name: handler, payloadJson: Buffer.from(JSON.stringify(payload)) } },
  });
}
