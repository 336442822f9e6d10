import { health } from "@berth/contracts";
import { Channel, ChannelCredentials } from "@grpc/grpc-js";
import { createServer } from "nice-grpc";
import { expect, it } from "vitest";
import { createClient } from "./client.js";
import { registerScheme } from "./places.js";

it("a channel with several addresses goes to a name that resolves while another one's look-up hangs", async () => {
  const server = createServer();
  server.add(health.HealthDefinition, {
    check: async () => health.HealthCheckResponse.fromPartial({ status: "NOT_SERVING" }),
    list: async () => health.HealthListResponse.fromPartial({}),
    async *watch() {},
  });
  const port = await server.listen("127.0.0.1:0");
  registerScheme("places-of-test", async (host) => (host === "leader" ? ["127.0.0.1"] : new Promise<never>(() => {})));
  const target = `places-of-test:standby:${port},leader:${port}`;
  const channel = new Channel(target, ChannelCredentials.createInsecure(), {});
  const client = createClient(health.HealthDefinition, channel);
  expect((await client.check({ service: "" })).status).toBe("NOT_SERVING");
  channel.close();
  await server.shutdown();
});
