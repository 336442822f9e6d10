import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import { type Clock, systemClock } from "../clock/index.js";
import type { Logger } from "../log/index.js";
import { refusalOf } from "./guard.js";
import { renderMetrics } from "./metrics.js";

/** Answers one path. It may allow methods other than GET. What it throws becomes a 500 without detail, and a line in the log. */
export type RouteHandler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** Whether a process can do its work, and what each of its checks says: `ok` or what is wrong. */
export interface Readiness {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, string>>;
}

/** What to serve. */
export interface HttpOptions {
  /** Address to listen on. Default: 127.0.0.1. */
  readonly host?: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly logger: Logger;
  readonly metrics: Registry;
  /** Asked for every `/readyz`. */
  readonly ready: () => Readiness;
  /** Further paths, matched exactly. They win over the built-in ones. */
  readonly routes?: Readonly<Record<string, RouteHandler>>;
  /** Awaited before `/metrics` is answered, to bring figures up to date. */
  readonly beforeMetrics?: () => Promise<void>;
  /** Names besides this machine's under which the server may be asked for: `berth.example` (with our port) or `berth.example:80`. */
  readonly allowedHosts?: readonly string[];
  readonly clock?: Clock;
}

/** A server that listens. */
export interface HttpServer {
  readonly port: number;
  /** Lets answers that have begun finish, for at most two seconds. Safe to call twice. */
  stop(): Promise<void>;
}

/** Something else listens on the port already. */
export class PortInUse extends Error {
  override readonly name = "PortInUse";
  readonly code = "PORT_IN_USE";
  readonly port: number;

  constructor(what: string, host: string, port: number) {
    super(
      `${what} can't listen: ${host}:${port} is in use by another process: stop it (is a Berth running?), or choose another port`,
    );
    this.port = port;
  }
}

const headerBytesMax = 16_384;
const headersMax = 100;
const connectionsMax = 512;
const headersTimeoutMs = 5_000;
const requestTimeoutMs = 30_000;
const keepAliveTimeoutMs = 5_000;
/** Milliseconds that an answer may still take once the server stops. */
const stopGraceMs = 2_000;

/**
 * Serves `/healthz` (the process is alive), `/readyz` (it can work; 503 if not) and `/metrics`, to readers that ask for it by its own
 * name.
 *
 * @throws PortInUse naming the port.
 */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { host = "127.0.0.1", logger } = options;
  const routes = new Map<string, RouteHandler>([
    ...Object.entries(builtIn(options)),
    ...Object.entries(options.routes ?? {}),
  ]);
  const limits = {
    maxHeaderSize: headerBytesMax,
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
  };
  const server = createServer(limits, (request, response) => {
    answer(request, response, routes, options.allowedHosts ?? []).catch((error: unknown) => {
      logger.error({ error, path: request.url }, "a request failed");
      if (response.headersSent) response.destroy();
      else send(response, 500, "text/plain; charset=utf-8", "Internal error; the log says more.\n");
    });
  });
  server.maxHeadersCount = headersMax;
  server.maxConnections = connectionsMax;
  await listen(server, host, options.port);
  let stopped: Promise<void> | undefined;
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => {
      stopped ??= close(server, options.clock ?? systemClock);
      return stopped;
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  routes: Map<string, RouteHandler>,
  allowedHosts: readonly string[],
): Promise<void> {
  // Nothing here needs a body; what is sent anyway is thrown away so that the connection can be used again.
  response.on("finish", () => request.resume());
  const refusal = refusalOf(request, allowedHosts);
  if (refusal !== undefined) return send(response, 403, "text/plain; charset=utf-8", `${refusal}\n`);
  const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
  const handler = routes.get(path);
  if (!handler) {
    const known = [...routes.keys()].join(", ");
    return send(
      response,
      404,
      "text/plain; charset=utf-8",
      `There is nothing at ${path.slice(0, 200)}. Here are: ${known}.\n`,
    );
  }
  await handler(request, response);
}

function builtIn({ ready, metrics, beforeMetrics }: HttpOptions): Record<string, RouteHandler> {
  return {
    "/healthz": getOnly((_, response) => send(response, 200, "text/plain; charset=utf-8", "ok\n")),
    "/readyz": getOnly((_, response) => {
      const now = ready();
      send(response, now.ready ? 200 : 503, "application/json", `${JSON.stringify(now)}\n`);
    }),
    "/metrics": getOnly(async (request, response) => {
      await beforeMetrics?.();
      const { type, body } = await renderMetrics(metrics, request.headers.accept);
      send(response, 200, type, body);
    }),
  };
}

function getOnly(handler: RouteHandler): RouteHandler {
  return (request, response) => {
    if (request.method === "GET" || request.method === "HEAD") return handler(request, response);
    response.setHeader("Allow", "GET, HEAD");
    return send(response, 405, "text/plain; charset=utf-8", "Only GET and HEAD are answered here.\n");
  };
}

/** Node leaves the body out by itself when the request was HEAD. */
function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    "Content-Type": type,
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
  });
  response.end(body);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(error.code === "EADDRINUSE" ? new PortInUse("HTTP", host, port) : error);
    });
    server.listen({ host, port, exclusive: true }, resolve);
  });
}

function close(server: Server, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const force = clock.setTimer(stopGraceMs, () => server.closeAllConnections());
    server.close(() => {
      force.cancel();
      resolve();
    });
    server.closeIdleConnections();
  });
}
