export {
  type Channel,
  type ClientOptions,
  createChannel,
  createClient,
  givenContext,
  metadataOf,
  PushStream,
  type PushStreamOptions,
  type Reason,
  type ReasonDetails,
  ReasonError,
  reasonStatus,
} from "@berth/wire/grpc";
export { type GrpcBounds, grpcBoundsShape } from "./bounds.js";
export { FieldCheck, isName, limitPattern, namePattern, quote, taskIdPattern, type Violation } from "./field-check.js";
export { type PageBounds, pageAsked, pageOf, pageToken } from "./pages.js";
export { GrpcServer, type GrpcServerOptions } from "./server.js";
