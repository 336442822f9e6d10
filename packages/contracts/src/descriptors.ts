import { fromBinary } from "@bufbuild/protobuf";
import { type DescriptorProto, FileDescriptorSetSchema, type MethodDescriptorProto } from "@bufbuild/protobuf/wkt";
import { descriptorSetBase64 } from "./gen/descriptors.js";

/** Everything that `proto/` describes, by full name. */
export interface Described {
  /** Messages, also nested ones, such as `.berth.pool.v1.Lease`. */
  readonly messages: ReadonlyMap<string, DescriptorProto>;
  /** Methods, such as `berth.pool.v1.PoolService/GetStatus`. */
  readonly methods: ReadonlyMap<string, MethodDescriptorProto>;
}

/** Reads the descriptors. */
export function describe(): Described {
  const messages = new Map<string, DescriptorProto>();
  const methods = new Map<string, MethodDescriptorProto>();
  const note = (scope: string, message: DescriptorProto): void => {
    const name = `${scope}.${message.name}`;
    messages.set(name, message);
    for (const nested of message.nestedType) note(name, nested);
  };
  for (const file of fromBinary(FileDescriptorSetSchema, Buffer.from(descriptorSetBase64, "base64")).file) {
    for (const message of file.messageType) note(`.${file.package}`, message);
    for (const service of file.service)
      for (const method of service.method) methods.set(`${file.package}.${service.name}/${method.name}`, method);
  }
  return { messages, methods };
}
