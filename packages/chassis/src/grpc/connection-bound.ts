import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";

/** What Node.js tells of every connection that any server of the process takes. It is the only way in: gRPC keeps its listening socket to itself. */
const accepted = "net.server.socket";

/** Closes at once what connects to a port beyond `max` connections. Returns the end of it. */
export function boundConnections(port: number, max: number): () => void {
  let open = 0;
  const take = (message: unknown): void => {
    const { socket } = message as { readonly socket: Socket };
    if (socket.localPort !== port) return;
    if (open >= max) {
      socket.destroy();
      return;
    }
    open++;
    socket.once("close", () => open--);
  };
  subscribe(accepted, take);
  return () => unsubscribe(accepted, take);
}
