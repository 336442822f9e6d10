import { ClientError, type ServerError, Status } from "nice-grpc-common";
import {
  BadRequest,
  type ErrorDetails,
  ErrorInfo,
  QuotaFailure,
  RetryInfo,
  RichClientError,
  RichServerError,
} from "nice-grpc-error-details";
import { describe } from "../errors/index.js";

/**
 * Every reason that Berth gives for an error, with its gRPC status: the one table. What to do by status: UNAVAILABLE, repeat the
 * call; ABORTED, read again and repeat; FAILED_PRECONDITION, wait for another state; RESOURCE_EXHAUSTED, repeat after the delay given.
 */
export const reasonStatus = {
  /** A field of the request is wrong; the details name field, value and bound. */
  INVALID_FIELD: Status.INVALID_ARGUMENT,
  /** There is nothing of that name. */
  NOT_FOUND: Status.NOT_FOUND,
  /** There is something of that name. */
  ALREADY_EXISTS: Status.ALREADY_EXISTS,
  /** The request id was used before for a request with other content. */
  REQUEST_ID_REUSED: Status.ALREADY_EXISTS,
  /** The state forbids it now. */
  WRONG_STATE: Status.FAILED_PRECONDITION,
  /** A newer process of the same runner is attached, or none is: attach again. */
  STALE_INCARNATION: Status.FAILED_PRECONDITION,
  /** The runner was silent for its whole TTL: everything it ran must die before it attaches as a new incarnation. */
  SESSION_EXPIRED: Status.FAILED_PRECONDITION,
  /** The etag given isn't the present one: somebody changed it in between. */
  STALE_ETAG: Status.ABORTED,
  /** The revision to resume from is no longer kept: list, then watch anew. */
  REVISION_GONE: Status.OUT_OF_RANGE,
  /** The request is larger than the server takes; nothing was done. */
  MESSAGE_TOO_LARGE: Status.RESOURCE_EXHAUSTED,
  /** A reader of a stream was too slow; resume where it broke off. */
  READER_TOO_SLOW: Status.RESOURCE_EXHAUSTED,
  /** The connection, or the server, has as many streams open as it takes. */
  TOO_MANY_STREAMS: Status.RESOURCE_EXHAUSTED,
  /** Too much waits already. */
  QUEUE_FULL: Status.RESOURCE_EXHAUSTED,
  /** The disk is nearly full; nothing was changed. */
  NO_SPACE: Status.RESOURCE_EXHAUSTED,
  /** The store can't commit at present; what was asked may still take effect. */
  STORE_STALLED: Status.UNAVAILABLE,
  /** The service is starting, stopping, or no longer leads. */
  NOT_READY: Status.UNAVAILABLE,
  /** A service that this one needs can't be reached. */
  UNREACHABLE: Status.UNAVAILABLE,
  /** The call took longer than its deadline; it may have taken effect. */
  DEADLINE_EXCEEDED: Status.DEADLINE_EXCEEDED,
  /** The token is missing or wrong. */
  UNAUTHENTICATED: Status.UNAUTHENTICATED,
  /** The caller may not do this. */
  FORBIDDEN: Status.PERMISSION_DENIED,
  /** The server doesn't know the method. */
  UNIMPLEMENTED: Status.UNIMPLEMENTED,
  /** The caller went away. */
  CANCELLED: Status.CANCELLED,
  /** A fault of Berth; its log says more. */
  INTERNAL: Status.INTERNAL,
} as const satisfies Record<string, Status>;

/** Why a call failed. */
export type Reason = keyof typeof reasonStatus;

/** What an error says beside its message. */
export interface ReasonDetails {
  /** The fields that are wrong. */
  readonly fields?: readonly { readonly field: string; readonly description: string }[];
  /** Limits that are exhausted. */
  readonly quotas?: readonly { readonly subject: string; readonly description: string }[];
  /** The values of the message, by name. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** When to try again, in milliseconds. */
  readonly retryAfterMs?: number;
  /** What brought it about; logged, never sent. */
  readonly cause?: unknown;
}

const domain = "berth";

/** A refusal that callers can act on: a reason, one line for people, and details. */
export class ReasonError extends Error {
  override readonly name = "ReasonError";
  /** Why. */
  readonly reason: Reason;
  /** The rest. */
  readonly details: ReasonDetails;

  constructor(reason: Reason, message: string, details: ReasonDetails = {}) {
    super(message, { cause: details.cause });
    this.reason = reason;
    this.details = details;
  }

  /** Its gRPC status. */
  get status(): Status {
    return reasonStatus[this.reason];
  }

  /** As the server sends it. */
  toServerError(): ServerError {
    const { fields, quotas, metadata, retryAfterMs } = this.details;
    const extra: ErrorDetails[] = [ErrorInfo.fromPartial({ reason: this.reason, domain, metadata: { ...metadata } })];
    if (fields?.length)
      extra.push(BadRequest.fromPartial({ fieldViolations: fields.map((violation) => ({ ...violation })) }));
    if (quotas?.length)
      extra.push(QuotaFailure.fromPartial({ violations: quotas.map((violation) => ({ ...violation })) }));
    if (retryAfterMs !== undefined) extra.push(RetryInfo.fromPartial({ retryDelay: durationOf(retryAfterMs) }));
    return new RichServerError(this.status, this.message, extra);
  }

  /**
   * Reads any error of a client call. One that Berth sent keeps its reason and details; another becomes the reason nearest to its
   * status.
   */
  static from(error: unknown): ReasonError {
    if (error instanceof ReasonError) return error;
    if (error instanceof RichClientError) return fromRich(error);
    if (error instanceof ClientError) return fromPlain(error);
    if (error instanceof Error && error.name === "AbortError")
      return new ReasonError("CANCELLED", "the call was cancelled", { cause: error });
    return new ReasonError("INTERNAL", describe(error), { cause: error });
  }
}

/** An error that carries no reason of ours: it comes from below, such as from gRPC itself. */
function fromPlain(error: ClientError): ReasonError {
  const [, given, most] = /message larger than max \((\d+) vs\.? (\d+)\)/i.exec(error.details) ?? [];
  if (most === undefined) return new ReasonError(nearestReason(error.code), error.details, { cause: error });
  const message = `the message has ${given} bytes, at most ${most} are taken: send less at once; a large submission goes in several calls into the same set. Nothing was done`;
  return new ReasonError("MESSAGE_TOO_LARGE", message, { cause: error });
}

function fromRich(error: RichClientError): ReasonError {
  if (error.extra.length === 0) return fromPlain(error);
  let reason: Reason = nearestReason(error.code);
  const details: { -readonly [Key in keyof ReasonDetails]: ReasonDetails[Key] } = { cause: error };
  for (const detail of error.extra) {
    if (detail.$type === ErrorInfo.$type && detail.domain === domain) {
      if (detail.reason in reasonStatus) reason = detail.reason as Reason;
      details.metadata = detail.metadata;
    } else if (detail.$type === BadRequest.$type) details.fields = detail.fieldViolations;
    else if (detail.$type === QuotaFailure.$type) details.quotas = detail.violations;
    else if (detail.$type === RetryInfo.$type && detail.retryDelay) {
      details.retryAfterMs = Number(detail.retryDelay.seconds) * 1_000 + detail.retryDelay.nanos / 1e6;
    }
  }
  return new ReasonError(reason, error.details, details);
}

function nearestReason(status: Status): Reason {
  if (status === Status.UNAVAILABLE) return "UNREACHABLE";
  if (status === Status.RESOURCE_EXHAUSTED) return "QUEUE_FULL";
  const found = (Object.keys(reasonStatus) as Reason[]).find((reason) => reasonStatus[reason] === status);
  return found ?? "INTERNAL";
}

function durationOf(milliseconds: number): { seconds: number; nanos: number } {
  const seconds = Math.floor(milliseconds / 1_000);
  return { seconds, nanos: Math.round((milliseconds - seconds * 1_000) * 1e6) };
}
