import { onAccepted } from "./accepted.js";

/** Closes at once what connects to a port beyond `max` connections. Returns the end of it. */
export function boundConnections(port: number, max: number): () => void {
  let open = 0;
  return onAccepted(port, (socket) => {
    if (open >= max) {
      socket.destroy();
      return;
    }
    open++;
    socket.once("close", () => open--);
  });
}
