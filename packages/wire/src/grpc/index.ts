export { type Channel, type ClientOptions, createChannel, createClient } from "./client.js";
export { bothEndsOptions } from "./options.js";
export { PushStream, type PushStreamOptions } from "./push-stream.js";
export { type Reason, type ReasonDetails, ReasonError, reasonStatus } from "./reasons.js";
export { cutWhenSilent } from "./silence.js";
export { givenContext, metadataOf } from "./trace-context.js";
