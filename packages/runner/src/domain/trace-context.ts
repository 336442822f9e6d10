import type { runner } from "@berth/contracts";

/** What W3C's three headers carry; each is empty for none. */
export interface RunTrace {
  readonly traceParent: string;
  readonly traceState: string;
  readonly baggage: string;
}

/** What a run goes on with, and hands to what it calls: its own span if it has one, else what came with the work. */
export function traceContextOf({ traceParent, run }: runner.Work, span?: string): RunTrace {
  return { traceParent: span || traceParent, traceState: run?.traceState ?? "", baggage: run?.baggage ?? "" };
}

/** Tells a command, by the variables that OpenTelemetry names for it. A task's own are replaced where there is something to tell. */
export function addTraceContext(environment: Record<string, string>, context: RunTrace): void {
  if (context.traceParent !== "") {
    environment.TRACEPARENT = context.traceParent;
    // One that the task brings along would belong to another trace.
    if (context.traceState === "") delete environment.TRACESTATE;
    else environment.TRACESTATE = context.traceState;
  }
  if (context.baggage !== "") environment.BAGGAGE = context.baggage;
}
