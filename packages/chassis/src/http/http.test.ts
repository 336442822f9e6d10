import { type IncomingHttpHeaders, request } from "node:http";
import { connect } from "node:net";
import { Counter, Gauge, Histogram, type OpenMetricsContentType, Registry } from "prom-client";
import { afterEach, describe, expect, it } from "vitest";
import { ManualClock } from "../clock/index.js";
import { silentLogger } from "../log/index.js";
import { type HttpOptions, type HttpServer, renderMetrics, startHttp } from "./index.js";

const servers: HttpServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

async function start(options: Partial<HttpOptions> = {}): Promise<HttpServer> {
  const server = await startHttp({
    port: 0,
    logger: silentLogger,
    metrics: new Registry(),
    ready: () => ({ ready: true, checks: {} }),
    ...options,
  });
  servers.push(server);
  return server;
}

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

function ask(
  server: HttpServer,
  path: string,
  options: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port: server.port, path, agent: false, ...options }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    sent.on("error", reject);
    sent.end();
  });
}

describe("built-in paths", () => {
  it("say that the process is alive", async () => {
    expect(await ask(await start(), "/healthz")).toMatchObject({ status: 200, body: "ok\n" });
  });

  it("say whether it can work, with its checks", async () => {
    let ready = false;
    const server = await start({ ready: () => ({ ready, checks: { engine: ready ? "ok" : "loading" } }) });
    const before = await ask(server, "/readyz");
    expect(before.status).toBe(503);
    expect(JSON.parse(before.body)).toEqual({ ready: false, checks: { engine: "loading" } });
    ready = true;
    expect((await ask(server, "/readyz?verbose=1")).status).toBe(200);
  });

  it("answer HEAD without a body", async () => {
    const answer = await ask(await start(), "/healthz", { method: "HEAD" });
    expect(answer).toMatchObject({ status: 200, body: "" });
    expect(answer.headers["content-length"]).toBe("3");
  });

  it("refuse other methods", async () => {
    const answer = await ask(await start(), "/metrics", { method: "POST" });
    expect(answer.status).toBe(405);
    expect(answer.headers.allow).toBe("GET, HEAD");
  });

  it("name what there is when nothing is at a path", async () => {
    expect(await ask(await start(), "/nope")).toMatchObject({
      status: 404,
      body: "There is nothing at /nope. Here are: /healthz, /readyz, /metrics.\n",
    });
  });
});

describe("routes", () => {
  it("answer their own paths and methods", async () => {
    const server = await start({
      routes: { "/federate": (incoming, response) => void response.writeHead(200).end(incoming.method) },
    });
    expect(await ask(server, "/federate?match[]=up", { method: "POST" })).toMatchObject({ status: 200, body: "POST" });
  });

  it("that throw give a 500 without detail", async () => {
    const server = await start({
      routes: {
        "/broken": async () => {
          throw new Error("password=hunter2");
        },
      },
    });
    const answer = await ask(server, "/broken");
    expect(answer.status).toBe(500);
    expect(answer.body).not.toContain("hunter2");
  });
});

describe("Host and Origin", () => {
  it.each(["localhost", "127.0.0.1", "LOCALHOST", "[::1]"])("%s with the port is this server", async (name) => {
    const server = await start();
    expect((await ask(server, "/healthz", { headers: { host: `${name}:${server.port}` } })).status).toBe(200);
  });

  it.each(["evil.example", "127.0.0.1.evil.example", "127.0.0.1", "localhost:1"])("%j is not", async (host) => {
    const answer = await ask(await start(), "/metrics", { headers: { host } });
    expect(answer.status).toBe(403);
    expect(answer.body).toMatch(/^Host ".*" isn't this server's\. Ask for http:\/\/127\.0\.0\.1:\d+, or add the name/);
  });

  it("takes configured names, with our port or their own", async () => {
    const server = await start({ allowedHosts: ["berth.example", "gate.example:8080"] });
    expect((await ask(server, "/healthz", { headers: { host: `berth.example:${server.port}` } })).status).toBe(200);
    expect((await ask(server, "/healthz", { headers: { host: "gate.example:8080" } })).status).toBe(200);
    expect((await ask(server, "/healthz", { headers: { host: "gate.example" } })).status).toBe(403);
  });

  it("an Origin must be the same place", async () => {
    const server = await start();
    const own = `http://127.0.0.1:${server.port}`;
    expect((await ask(server, "/healthz", { headers: { origin: own } })).status).toBe(200);
    for (const origin of ["http://evil.example", "null", "http://127.0.0.1:1"]) {
      expect(await ask(server, "/healthz", { headers: { origin } })).toMatchObject({
        status: 403,
        body: expect.stringMatching(/^Origin /),
      });
    }
  });
});

describe("listening", () => {
  it("names a port that is in use and what to do", async () => {
    const { port } = await start();
    await expect(start({ port })).rejects.toMatchObject({
      code: "PORT_IN_USE",
      message: `HTTP can't listen: 127.0.0.1:${port} is in use by another process: stop it (is a Berth running?), or choose another port`,
    });
  });

  it("stops twice, and with a connection that says nothing", async () => {
    const clock = new ManualClock();
    const server = await start({ clock });
    const silent = connect(server.port, "127.0.0.1");
    await new Promise<void>((resolve) => silent.once("connect", resolve));
    const closed = new Promise<void>((resolve) => silent.once("close", () => resolve()));
    silent.on("error", () => undefined);
    const stopped = [server.stop(), server.stop(), closed];
    await clock.advance(2_000);
    await Promise.all(stopped);
  });
});

describe("/metrics", () => {
  function registry(): Registry {
    const metrics = new Registry();
    (metrics as unknown as Registry<OpenMetricsContentType>).setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    const registers = [metrics];
    const labelNames = ["pool", "trace_id"] as const;
    const counter = new Counter({
      name: "berth_grants_total",
      help: 'Grants: "all"\nof them',
      labelNames,
      registers,
      enableExemplars: true,
    });
    counter.inc({ labels: { pool: 'a"b\\c\n' }, value: 3, exemplarLabels: { trace_id: "abc" } });
    new Counter({ name: "dispatcher_total_assignments", help: "Assignments", registers }).inc(2);
    new Gauge({ name: "berth_uptime_seconds", help: "Seconds", registers }).set(Number.POSITIVE_INFINITY);
    new Histogram({ name: "berth_wait_seconds", help: "Waits", buckets: [1, 2], registers }).observe(1.5);
    return metrics;
  }

  it("is text by default", async () => {
    const answer = await ask(await start({ metrics: registry() }), "/metrics");
    expect(answer.headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(answer.body).toBe(
      [
        '# HELP berth_grants_total Grants: "all"\\nof them',
        "# TYPE berth_grants_total counter",
        'berth_grants_total{pool="a\\"b\\\\c\\n"} 3',
        "# HELP dispatcher_total_assignments Assignments",
        "# TYPE dispatcher_total_assignments counter",
        "dispatcher_total_assignments 2",
        "# HELP berth_uptime_seconds Seconds",
        "# TYPE berth_uptime_seconds gauge",
        "berth_uptime_seconds +Inf",
        "# HELP berth_wait_seconds Waits",
        "# TYPE berth_wait_seconds histogram",
        'berth_wait_seconds_bucket{le="1"} 0',
        'berth_wait_seconds_bucket{le="2"} 1',
        'berth_wait_seconds_bucket{le="+Inf"} 1',
        "berth_wait_seconds_sum 1.5",
        "berth_wait_seconds_count 1",
        "",
      ].join("\n"),
    );
  });

  it("is OpenMetrics with exemplars for those who accept it, and leaves the names alone", async () => {
    const metrics = registry();
    const server = await start({ metrics });
    const text = (await ask(server, "/metrics")).body;
    const open = await ask(server, "/metrics", {
      headers: { accept: "application/openmetrics-text;version=1.0.0,text/plain;q=0.5" },
    });
    expect(open.headers["content-type"]).toMatch(/^application\/openmetrics-text/);
    expect(open.body).toMatch(
      /# TYPE berth_grants counter\nberth_grants_total\{pool=.*\} 3 # \{trace_id="abc"\} 3 \d+/,
    );
    expect(open.body).toContain("# TYPE dispatcher_total_assignments unknown\ndispatcher_total_assignments 2\n");
    expect(open.body).toMatch(/# EOF\n$/);
    expect((await ask(server, "/metrics")).body).toBe(text);
  });

  it("waits for figures to be brought up to date", async () => {
    const metrics = new Registry();
    const gauge = new Gauge({ name: "berth_now", help: "Now", registers: [metrics] });
    const beforeMetrics = async (): Promise<void> => gauge.set(7);
    expect((await ask(await start({ metrics, beforeMetrics }), "/metrics")).body).toContain("berth_now 7\n");
  });

  it("carries default labels", async () => {
    const metrics = new Registry();
    metrics.setDefaultLabels({ service: "registry" });
    new Gauge({ name: "berth_now", help: "Now", registers: [metrics] }).set(1);
    expect((await renderMetrics(metrics)).body).toContain('berth_now{service="registry"} 1');
  });
});
