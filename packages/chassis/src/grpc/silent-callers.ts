import { cutWhenSilent } from "@berth/wire/grpc";
import { onAccepted } from "./accepted.js";

/** From now on cuts the connections that come in on this port of ours and whose peer is silent for `mostMs`. Returns how to end that. */
export function cutSilentCallers(port: number, mostMs: number): () => void {
  return onAccepted(port, (socket) => cutWhenSilent(socket, mostMs));
}
