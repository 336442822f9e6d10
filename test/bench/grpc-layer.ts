import { createChannel, createClient, GrpcServer, PushStream } from "@berth/chassis/grpc";
import { silentLogger } from "@berth/chassis/log";
import { pool } from "@berth/contracts";
import {
  Client,
  credentials,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import { Registry } from "prom-client";

/**
 * What the gRPC layer costs: the same batched echo stream over plain grpc-js and over the chassis (nice-grpc and its middleware), in
 * one process and one run. Prints items a second for each and their ratio.
 */
export async function benchGrpcLayer(): Promise<void> {
  for (const itemsPerMessage of [1, 100, 500]) {
    const messages = Math.max(200, Math.round(40_000 / Math.sqrt(itemsPerMessage) / 10));
    const request = requestOf(itemsPerMessage);
    const rates = { plain: [] as number[], chassis: [] as number[] };
    for (let round = 0; round < 5; round++) {
      rates.plain.push((await plain(request, messages)) * itemsPerMessage);
      rates.chassis.push((await chassis(request, messages)) * itemsPerMessage);
    }
    const [plainRate, chassisRate] = [median(rates.plain), median(rates.chassis)];
    const ratio = (chassisRate / plainRate).toFixed(2);
    console.log(
      `grpc-layer items/message=${itemsPerMessage} plain=${Math.round(plainRate)}/s chassis=${Math.round(chassisRate)}/s ratio=${ratio}`,
    );
  }
}

const windowMessages = 32;

function requestOf(items: number): pool.StreamBidsRequest {
  const bid = pool.Bid.fromPartial({
    task: "bench/task-000001",
    attempt: 1,
    pools: ["default"],
    tenant: "a",
    rank: 1n,
  });
  return pool.StreamBidsRequest.fromPartial({ bids: Array.from({ length: items }, () => bid) });
}

function echoOf(request: pool.StreamBidsRequest): pool.StreamBidsResponse {
  return pool.StreamBidsResponse.fromPartial({
    results: request.bids.map(({ task, attempt }) => ({ task, attempt, verdict: pool.BidResult_Verdict.GRANTED })),
  });
}

const path = "/berth.pool.v1.BidService/StreamBids";
const definition: ServiceDefinition = {
  streamBids: {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: (value: pool.StreamBidsRequest) => Buffer.from(pool.StreamBidsRequest.encode(value).finish()),
    requestDeserialize: (bytes: Buffer) => pool.StreamBidsRequest.decode(bytes),
    responseSerialize: (value: pool.StreamBidsResponse) => Buffer.from(pool.StreamBidsResponse.encode(value).finish()),
    responseDeserialize: (bytes: Buffer) => pool.StreamBidsResponse.decode(bytes),
  },
};

async function plain(request: pool.StreamBidsRequest, messages: number): Promise<number> {
  const server = new Server();
  server.addService(definition, {
    streamBids: (call: ServerDuplexStream<pool.StreamBidsRequest, pool.StreamBidsResponse>) => {
      call.on("data", (message) => call.write(echoOf(message)));
      call.on("end", () => call.end());
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const codec = definition.streamBids as NonNullable<(typeof definition)["streamBids"]>;
  const call = client.makeBidiStreamRequest(path, codec.requestSerialize, codec.responseDeserialize);
  // Shutting the server down below ends the call with an error that means nothing here.
  call.on("error", () => {});
  const beganMs = performance.now();
  await new Promise<void>((resolve) => {
    let [sent, received] = [0, 0];
    const send = (): void => {
      while (sent < messages && sent - received < windowMessages) {
        call.write(request);
        sent++;
      }
    };
    call.on("data", () => {
      if (++received === messages) resolve();
      else send();
    });
    send();
  });
  const seconds = (performance.now() - beganMs) / 1_000;
  call.end();
  client.close();
  server.forceShutdown();
  return messages / seconds;
}

async function chassis(request: pool.StreamBidsRequest, messages: number): Promise<number> {
  const server = new GrpcServer({ logger: silentLogger, metrics: new Registry() });
  server.add(pool.BidServiceDefinition, {
    async *streamBids(requests: AsyncIterable<pool.StreamBidsRequest>) {
      for await (const message of requests) yield echoOf(message);
    },
    placeBids: async () => pool.PlaceBidsResponse.fromPartial({}),
  });
  const port = await server.listen("127.0.0.1", 0);
  const channel = createChannel(`127.0.0.1:${port}`);
  const client = createClient(pool.BidServiceDefinition, channel);
  const requests = new PushStream<pool.StreamBidsRequest>();
  const beganMs = performance.now();
  let [sent, received] = [0, 0];
  const send = (): void => {
    while (sent < messages && sent - received < windowMessages) {
      requests.push(request);
      sent++;
    }
  };
  send();
  for await (const _ of client.streamBids(requests)) {
    if (++received === messages) break;
    send();
  }
  const seconds = (performance.now() - beganMs) / 1_000;
  requests.end();
  channel.close();
  await server.stop(100);
  return messages / seconds;
}

function median(values: readonly number[]): number {
  return [...values].sort((left, right) => left - right)[Math.floor(values.length / 2)] ?? 0;
}
