import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { expect, it } from "vitest";
import { descriptorSetBase64, needs } from "./index.js";

const methods = fromBinary(FileDescriptorSetSchema, Buffer.from(descriptorSetBase64, "base64")).file.flatMap((file) =>
  file.service.flatMap((service) => service.method.map(({ name }) => `${file.package}.${service.name}/${name}`)),
);

it("every method says what it needs, and nothing else does", () => {
  expect(methods.length).toBeGreaterThan(0);
  expect(Object.keys(needs).sort()).toEqual(methods.sort());
});
