import { descriptorSetBase64, type reflection } from "@berth/contracts";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type DescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Status } from "nice-grpc-common";

/**
 * gRPC server reflection over the original descriptors. It serves the bytes that buf compiled: @grpc/reflection makes the files anew
 * per package and loses their imports, so that every call through it fails.
 */
export class Reflection {
  private readonly files = new Map<string, { bytes: Uint8Array; imports: readonly string[] }>();
  private readonly symbols = new Map<string, string>();
  private readonly services = new Set<string>();

  constructor() {
    const set = fromBinary(FileDescriptorSetSchema, Buffer.from(descriptorSetBase64, "base64"));
    for (const file of set.file) {
      this.files.set(file.name, { bytes: toBinary(FileDescriptorProtoSchema, file), imports: file.dependency });
      const scope = file.package === "" ? "" : `${file.package}.`;
      const note = (symbol: string): void => void this.symbols.set(symbol, file.name);
      for (const message of file.messageType) noteMessage(message, scope, note);
      for (const each of file.enumType) note(scope + each.name);
      for (const service of file.service) {
        note(scope + service.name);
        for (const method of service.method) note(`${scope}${service.name}.${method.name}`);
      }
    }
  }

  /** Adds a service to the list that the server names. */
  addService(fullName: string): void {
    this.services.add(fullName);
  }

  /** Both versions of the protocol are the same messages under two names. */
  async *serverReflectionInfo(
    requests: AsyncIterable<reflection.ServerReflectionRequest>,
  ): AsyncGenerator<reflection.ServerReflectionResponse> {
    for await (const request of requests) {
      yield { validHost: request.host, originalRequest: request, messageResponse: this.answer(request.messageRequest) };
    }
  }

  private answer(
    request: reflection.ServerReflectionRequest["messageRequest"],
  ): reflection.ServerReflectionResponse["messageResponse"] {
    switch (request?.$case) {
      case "listServices":
        return {
          $case: "listServicesResponse",
          value: { service: [...this.services].sort().map((name) => ({ name })) },
        };
      case "fileByFilename":
        return this.filesFrom(request.value, request.value);
      case "fileContainingSymbol":
        return this.filesFrom(this.symbols.get(request.value), request.value);
      case "fileContainingExtension":
      case "allExtensionNumbersOfType":
      case undefined:
        return {
          $case: "errorResponse",
          value: { errorCode: Status.UNIMPLEMENTED, errorMessage: "there are no extensions here" },
        };
      default:
        return request satisfies never;
    }
  }

  /** A file and everything it imports, so that a caller needs one question only. */
  private filesFrom(name: string | undefined, asked: string): reflection.ServerReflectionResponse["messageResponse"] {
    if (name === undefined || !this.files.has(name)) {
      return {
        $case: "errorResponse",
        value: { errorCode: Status.NOT_FOUND, errorMessage: `${JSON.stringify(asked)} isn't known here` },
      };
    }
    const names = new Set([name]);
    for (const each of names) for (const imported of this.files.get(each)?.imports ?? []) names.add(imported);
    const found = [...names].map((each) => this.files.get(each)?.bytes).filter((bytes) => bytes !== undefined);
    return {
      $case: "fileDescriptorResponse",
      value: { fileDescriptorProto: found.map((bytes) => Buffer.from(bytes)) },
    };
  }
}

function noteMessage(message: DescriptorProto, scope: string, note: (symbol: string) => void): void {
  const name = scope + message.name;
  note(name);
  for (const nested of message.nestedType) noteMessage(nested, `${name}.`, note);
  for (const nested of message.enumType) note(`${name}.${nested.name}`);
}
