export { visible, visibleLine } from "@berth/wire/visible";
