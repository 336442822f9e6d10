// Submits two tasks to a Berth that runs (`npm start`, or `npx berth up`) and waits for them. Run it with: node examples/sdk.mjs
import { createClient } from "@berth/client";

const client = createClient({ dataFolder: process.env.BERTH_DATA_FOLDER ?? "./berth-data" });
const { set } = await client.submit([
  { id: "build", run: ["node", "--version"] },
  { id: "test", run: "echo tested with $BERTH_TASK", needs: ["build"], priority: 10 },
]);
const done = await client.wait(set);
console.log(set, done.taskCounts); // { SUCCEEDED: 2 }
client.close();
