import { ReasonError } from "@berth/wire/grpc";
import type { CompatServiceDefinition } from "nice-grpc";
import { describe } from "../errors/index.js";
import { unkeepable } from "./texts.js";

/** Takes the place of a request whose bytes aren't the message that the method takes, or whose texts can't be kept. */
export class UnreadableRequest {
  readonly cause: unknown;

  constructor(cause: unknown) {
    this.cause = cause;
  }

  /** What the caller is told. */
  toError(method: string): ReasonError {
    if (this.cause instanceof ReasonError) return this.cause;
    const why = describe(this.cause);
    const message = `the request isn't a message that ${method} takes (${why}): send it as the protos of this version say; nothing was done`;
    return new ReasonError("INVALID_FIELD", message, { cause: this.cause });
  }
}

interface Message {
  decode(input: Uint8Array): unknown;
  encode(message: unknown): { finish(): Uint8Array };
}

interface Method {
  readonly requestType: Message;
}

/**
 * The service with requests that never fail to decode: what can't be read becomes an {@link UnreadableRequest}, which the call's
 * middleware answers. gRPC by itself answers INTERNAL without a reason, as if the fault were ours.
 */
export function readable<Service extends CompatServiceDefinition>(definition: Service): Service {
  const { methods } = definition as unknown as { methods: Record<string, Method> };
  const wrapped = Object.entries(methods).map(([name, method]) => {
    const { requestType } = method;
    const decode = (input: Uint8Array): unknown => {
      try {
        const message = requestType.decode(input);
        const wrong = unkeepable(message, input, requestType);
        return wrong === undefined ? message : new UnreadableRequest(wrong);
      } catch (error) {
        return new UnreadableRequest(error);
      }
    };
    return [name, { ...method, requestType: { ...requestType, decode } }];
  });
  return { ...definition, methods: Object.fromEntries(wrapped) };
}

/** A stream of requests that ends with the error of the first that can't be read. */
export async function* readableOnly<Request>(
  requests: AsyncIterable<Request>,
  method: string,
): AsyncGenerator<Request> {
  for await (const request of requests) {
    if (request instanceof UnreadableRequest) throw request.toError(method);
    yield request;
  }
}
