export { type DescribeOptions, describe, describedBytesMax, isA } from "@berth/wire/errors";
