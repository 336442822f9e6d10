import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";

/**
 * From now on sees every connection that comes in on this port of ours. Returns how to end that. grpc-js keeps its listening socket to itself;
 * this is how Node lets others see what any server of the process takes.
 */
export function onAccepted(port: number, see: (socket: Socket) => void): () => void {
  const take = (message: unknown): void => {
    const { socket } = message as { readonly socket: Socket };
    if (socket.localPort === port) see(socket);
  };
  subscribe("net.server.socket", take);
  return () => unsubscribe("net.server.socket", take);
}
