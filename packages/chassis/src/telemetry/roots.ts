import { ROOT_CONTEXT, type SpanContext, SpanKind, TraceFlags } from "@opentelemetry/api";
import {
  type IdGenerator,
  RandomIdGenerator,
  type Sampler,
  SamplingDecision,
  type SamplingResult,
} from "@opentelemetry/sdk-trace-base";

/**
 * Root spans whose ids are known before they begin. What lasts longer than a process, such as a task, can't keep a span open: its ids and whether it is
 * sampled are chosen once, kept, and handed to whatever is done under it; the root itself is written when all is over, by whoever is there then.
 */
export class Roots implements IdGenerator, Sampler {
  private readonly random = new RandomIdGenerator();
  private readonly sampler: Sampler;
  /** The root that is being written; the SDK asks for its ids and for the decision in the midst of `startSpan`. */
  private given: SpanContext | undefined;

  constructor(sampler: Sampler) {
    this.sampler = sampler;
  }

  generateTraceId = (): string => this.given?.traceId ?? this.random.generateTraceId();
  generateSpanId = (): string => this.given?.spanId ?? this.random.generateSpanId();

  /** What was decided when the ids were chosen holds, even if the sampler has been set otherwise meanwhile. */
  shouldSample(...asked: Parameters<Sampler["shouldSample"]>): SamplingResult {
    return this.given ? { decision: SamplingDecision.RECORD_AND_SAMPLED } : this.sampler.shouldSample(...asked);
  }

  toString(): string {
    return this.sampler.toString();
  }

  /** Chooses the ids of a root, and whether its trace is sampled. */
  choose(name: string): SpanContext {
    const traceId = this.random.generateTraceId();
    const { decision } = this.sampler.shouldSample(ROOT_CONTEXT, traceId, name, SpanKind.INTERNAL, {}, []);
    const traceFlags = decision === SamplingDecision.RECORD_AND_SAMPLED ? TraceFlags.SAMPLED : TraceFlags.NONE;
    return { traceId, spanId: this.random.generateSpanId(), traceFlags };
  }

  /** Runs `begin`, whose span gets the given ids. */
  as<T>(root: SpanContext, begin: () => T): T {
    this.given = root;
    try {
      return begin();
    } finally {
      this.given = undefined;
    }
  }
}
