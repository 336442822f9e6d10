export { type Clock, delay, ManualClock, systemClock, type Timer } from "@berth/wire/clock";
