export { type DescribeOptions, describe, describedBytesMax, isA } from "@berth/wire/errors";
export { PortInUse } from "./port-in-use.js";
