export {
  BackOff,
  type BackOffBounds,
  type Clock,
  delay,
  ManualClock,
  systemClock,
  type Timer,
} from "@berth/wire/clock";
