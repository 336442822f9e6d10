// What docker-compose.yml asks a container of ours. Exit code 0: it does what it is there for.
//   node deploy/healthcheck.mjs http://127.0.0.1:9151       a service: ready, or a standby that waits
//   node deploy/healthcheck.mjs runner NAME                 a runner: attached to the pool-manager, and not silent
const [what = "", name = ""] = process.argv.slice(2);

async function service(url) {
  const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(3_000) });
  const { checks = {} } = await response.json();
  return response.ok || String(checks.leadership).startsWith("standby");
}

async function runner(id) {
  const { createClient } = await import("@berth/client");
  const { BERTH_REGISTRY_ADDRESS: registry = "", BERTH_POOL_MANAGER_ADDRESS: poolManager = "" } = process.env;
  const client = createClient({ addresses: { registry, poolManager }, timeoutMs: 3_000 });
  try {
    const { runners } = await client.pools.getStatus({});
    return runners.some((each) => each.runner === id && each.state !== "STATE_LOST");
  } finally {
    client.close();
  }
}

try {
  process.exitCode = (await (what === "runner" ? runner(name) : service(what))) ? 0 : 1;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
