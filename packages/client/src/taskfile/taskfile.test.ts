import { describe, expect, it } from "vitest";
import { createClient } from "../client.js";
import { parseTaskFile } from "./index.js";

const parse = (text: string) => parseTaskFile(text, "tasks.yaml");

function problemsOf(text: string): string {
  try {
    parse(text);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("no problem was found");
}

describe("the task file", () => {
  it("reads every key", () => {
    const file = parse(`
name: a name
tasks:
  - id: first
    run: [echo, "hello  world"]
  - id: second
    run: wc -l < README.md
    needs: [first]
    pool: big
    labels: { os: linux }
    priority: 5
    tenant: blue
    resources: { cpu: 0.5, memory: 512MiB }
    limits: { "api:llm": 2 }
    timeout: { run: 10m, start: 1h, silence: 30s }
    retry: { attempts: 5, backoff: 1s, multiplier: 1.5, maxBackoff: 1m }
    env: { PORT: 8080, DEBUG: true }
    secrets: [API_KEY]
    cwd: sub
    stdin: text
  - id: third
    handler: thumbnail
    payload: { width: 100 }
    skill: images
`);
    expect(file.name).toBe("a name");
    const [first, second, third] = file.tasks;
    expect(first?.run?.kind).toEqual({ $case: "command", value: { argv: ["echo", "hello  world"], shell: "" } });
    expect(second).toMatchObject({
      id: "second",
      needs: ["first"],
      pool: "big",
      labels: { os: "linux" },
      priority: 5,
      tenant: "blue",
      cpuMillis: 500n,
      memoryBytes: 536_870_912n,
      limits: { "api:llm": 2n },
      scheduleToStartTimeout: { seconds: 3_600n, nanos: 0 },
      retry: { maxAttempts: 5, backoff: { seconds: 1n }, multiplier: 1.5, maxBackoff: { seconds: 60n } },
      run: {
        kind: { $case: "command", value: { argv: [], shell: "wc -l < README.md" } },
        env: { PORT: "8080", DEBUG: "true" },
        secrets: ["API_KEY"],
        cwd: "sub",
        startToCloseTimeout: { seconds: 600n },
        heartbeatTimeout: { seconds: 30n },
      },
    });
    expect(second?.run?.stdin.toString()).toBe("text");
    expect(third?.run?.kind).toMatchObject({ $case: "handler", value: { name: "thumbnail" } });
    const kind = third?.run?.kind;
    expect(kind?.$case === "handler" && kind.value.payloadJson.toString()).toBe('{"width":100}');
  });

  it("merges maps of the defaults, and lets the task win", () => {
    const { tasks } = parse(`
defaults: { pool: small, env: { A: "1", B: "1" }, limits: [disk], retry: 1, timeout: 5s }
tasks:
  - { id: a, run: "true", env: { B: "2" }, limits: { "api:llm": 2 }, timeout: 1m }
  - { id: b, run: "true", skill: images }
`);
    expect(tasks[0]).toMatchObject({ pool: "small", limits: { disk: 1n, "api:llm": 2n }, retry: { maxAttempts: 1 } });
    expect(tasks[0]?.run).toMatchObject({ env: { A: "1", B: "2" }, startToCloseTimeout: { seconds: 60n } });
    expect(tasks[1]).toMatchObject({ pool: "", skill: "images" });
  });

  it("leaves to the server what neither task nor defaults say", () => {
    const [task] = parse("tasks: [{ id: a, run: [a] }]").tasks;
    expect(task).toMatchObject({ pool: "", priority: 0, retry: undefined, scheduleToStartTimeout: undefined });
    expect(task?.run).toMatchObject({ startToCloseTimeout: undefined, heartbeatTimeout: undefined });
  });

  it("says when a need is met", () => {
    const [, , , cleanUp] = parse(`
tasks:
  - { id: a, run: x }
  - { id: b, run: x }
  - { id: c, run: x }
  - { id: d, run: x, needs: [a, { task: b, when: ended }, { task: c, when: failed }] }
`).tasks;
    expect(cleanUp?.needs).toEqual(["a", "b", "c"]);
    expect(cleanUp?.needConditions).toEqual({ b: "NEED_CONDITION_ENDED", c: "NEED_CONDITION_FAILED" });
  });

  it.each([
    [
      "a need of no known kind",
      "tasks:\n  - { id: a, run: x }\n  - { id: b, run: x, needs: [{ task: a, when: maybe }] }\n",
      [":3:", "when"],
    ],
    [
      "a need that isn't a task id",
      "tasks:\n  - { id: a, run: x }\n  - { id: b, run: x, needs: [../n] }\n",
      [":3:", "needs[0]", "isn't a task id"],
    ],
    [
      "a need whose task isn't a task id",
      "tasks:\n  - { id: b, run: x, needs: [{ task: ../n, when: ended }] }\n",
      [":2:", "needs[0].task", "isn't a task id"],
    ],
    ["an unknown key", "tasks:\n  - id: a\n    run: x\n    prioritty: 3\n", [":4:", "prioritty"]],
    ["a bad priority", "tasks:\n  - id: a\n    run: x\n    priority: 1001\n", [":4:", "priority", "1000"]],
    ["a name with ..", "tasks:\n  - id: ../a\n    run: x\n", [":2:", "task id"]],
    ["not a number", "tasks:\n  - id: a\n    run: x\n    priority: .nan\n", [":4:", "priority"]],
    ["a huge weight", "tasks:\n  - id: a\n    run: x\n    limits: { api: 1e300 }\n", [":4:", "limits"]],
    ["neither run nor handler", "tasks:\n  - id: a\n", [":2:", "neither run nor handler"]],
    [
      "an id given twice",
      "tasks:\n  - { id: a, run: x }\n  - { id: a, run: x }\n",
      [":3:", '"a" is the id of tasks[0] already'],
    ],
    [
      "an unknown need",
      "tasks:\n  - { id: build, run: x }\n  - { id: b, run: x, needs: [biuld] }\n",
      [":3:", 'did you mean "build"'],
    ],
    [
      "a circle",
      "tasks:\n  - { id: a, run: x, needs: [b] }\n  - { id: b, run: x, needs: [a] }\n",
      [":2:", "a needs b needs a"],
    ],
    ["broken YAML", "tasks:\n  - id: a\n   run: x\n", ["tasks.yaml:"]],
    ["a duration without unit", "tasks:\n  - { id: a, run: x, timeout: 10 }\n", [":2:", "such as 10m"]],
    ["no tasks", "name: x\n", ["tasks"]],
  ])("names line and column of %s", (_, text, parts) => {
    const message = problemsOf(text);
    for (const part of parts) expect(message).toContain(part);
  });

  it("lets tasks need what only the set has, where asked to", () => {
    const text = "tasks: [{ id: b, run: x, needs: [a] }]";
    expect(parseTaskFile(text, "f", { openSet: true }).tasks).toHaveLength(1);
  });
});

describe("what a scalar was written as", () => {
  it("is what a run gets in its environment, its arguments and its labels", () => {
    const text =
      "{id: a, run: [echo, 1.10, 0755], labels: {v: 1.10}, env: {A: 1.10, B: 0755, C: 12345678901234567890, D: 0x1F, E: True}}";
    const [task] = parse(`tasks: [${text}]`).tasks;
    expect(task?.run?.env).toEqual({ A: "1.10", B: "0755", C: "12345678901234567890", D: "0x1F", E: "True" });
    expect(task?.run?.kind).toMatchObject({ value: { argv: ["echo", "1.10", "0755"] } });
    expect(task?.labels).toEqual({ v: "1.10" });
  });

  it("is refused in a payload that can't hold it, with line and column", () => {
    const text = "tasks:\n  - id: a\n    handler: h\n    payload: {n: 12345678901234567890}\n";
    expect(problemsOf(text)).toMatch(/^tasks\.yaml:4:18: 12345678901234567890 can't be kept exactly/);
  });

  it("is refused as a key __proto__, from a file and from a program", () => {
    expect(problemsOf("tasks: [{id: a, run: x, env: {__proto__: x}}]")).toMatch(
      /^tasks\.yaml:1:31: the key "__proto__"/,
    );
    const client = createClient({ addresses: { registry: "127.0.0.1:1" } });
    const payload = JSON.parse('{"a": [{"__proto__": {}}]}');
    expect(() => client.submit([{ id: "a", handler: "h", payload }])).toThrow(
      'tasks[0].payload.a.0.__proto__: the key "__proto__" would be lost',
    );
    client.close();
  });
});
