import type { CompatServiceDefinition } from "nice-grpc";
import { ReasonError } from "./reasons.js";

/** Takes the place of a request whose bytes aren't the message that the method takes. */
export class UnreadableRequest {
  readonly cause: unknown;

  constructor(cause: unknown) {
    this.cause = cause;
  }

  /** What the caller is told. */
  toError(method: string): ReasonError {
    const why = this.cause instanceof Error ? this.cause.message : String(this.cause);
    const message = `the request isn't a message that ${method} takes (${why}): send it as the protos of this version say; nothing was done`;
    return new ReasonError("INVALID_FIELD", message, { cause: this.cause });
  }
}

interface Message {
  decode(input: Uint8Array): unknown;
}

interface Method {
  readonly requestStream: boolean;
  readonly requestType: Message;
}

/**
 * The service with requests that never fail to decode: what can't be read becomes an {@link UnreadableRequest}, which the call's
 * middleware answers. gRPC by itself answers INTERNAL without a reason, as if the fault were ours. Streams of requests keep that: on them
 * each message would have to be looked at once more.
 */
export function readable<Service extends CompatServiceDefinition>(definition: Service): Service {
  const { methods } = definition as unknown as { methods: Record<string, Method> };
  const wrapped = Object.entries(methods).map(([name, method]) => {
    if (method.requestStream) return [name, method];
    const { requestType } = method;
    const decode = (input: Uint8Array): unknown => {
      try {
        return requestType.decode(input);
      } catch (error) {
        return new UnreadableRequest(error);
      }
    };
    return [name, { ...method, requestType: { ...requestType, decode } }];
  });
  return { ...definition, methods: Object.fromEntries(wrapped) };
}
