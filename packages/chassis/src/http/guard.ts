import type { IncomingMessage } from "node:http";

/**
 * Decides whether a request may be answered; gives the reason if not.
 *
 * A web page that a user visits can send requests to this machine, and by a name that suddenly resolves to it (DNS rebinding) read the
 * answers too. Such requests carry the page's own name in Host or Origin. So Host must be a name of this machine or a configured one,
 * with our port; and Origin, where there is one, must be the same place.
 */
export function refusalOf(request: IncomingMessage, allowedHosts: readonly string[]): string | undefined {
  const { host, origin } = request.headers;
  const port = request.socket.localPort ?? 0;
  const known = [...names(request), ...allowedHosts].map((name) => withPort(name.toLowerCase(), port));
  if (host === undefined || !known.includes(withPort(host.toLowerCase(), 80))) {
    return `Host ${JSON.stringify(host ?? "")} isn't this server's. Ask for http://127.0.0.1:${port}, or add the name to the allowed hosts.`;
  }
  if (origin !== undefined && !sameOrigin(origin, host)) {
    return `Origin ${JSON.stringify(origin)} isn't this server's. Pages from other sites can't read from here.`;
  }
  return undefined;
}

/** This machine's names, and the address that was really connected to: a literal address can't be rebound. */
function names(request: IncomingMessage): string[] {
  const address = request.socket.localAddress?.replace(/^::ffff:/, "");
  const local = ["localhost", "127.0.0.1", "[::1]"];
  if (address === undefined) return local;
  return [...local, address.includes(":") ? `[${address}]` : address];
}

function withPort(name: string, port: number): string {
  return /:\d+$/.test(name) ? name : `${name}:${port}`;
}

function sameOrigin(origin: string, host: string): boolean {
  // An https Origin on our Host is a proxy that ends TLS in front of us.
  return (
    origin.toLowerCase() === `http://${host.toLowerCase()}` || origin.toLowerCase() === `https://${host.toLowerCase()}`
  );
}
