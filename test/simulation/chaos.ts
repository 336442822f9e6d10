import { plainLimit } from "@berth/pool-manager/internal/domain/limits";
import { staleMessage } from "./observer.js";
import { someHandlers } from "./plan.js";
import { withProof } from "./proof.js";
import type { Simulation } from "./simulate.js";

/** Sets the faults of the plan going; they end by themselves when everything is healed. */
export function chaos(simulation: Simulation): void {
  const { plan, world, network, disk } = simulation;
  const { faults, settings } = plan;
  const { random, incidents } = world;
  const { ttlMs } = settings;
  const every = (meanMs: number, act: () => void): void => {
    if (meanMs === 0) return;
    world.after(random.spread(meanMs), () => {
      if (simulation.healed) return;
      act();
      every(meanMs, act);
    });
  };
  const places = [
    ...plan.runners.map(({ name }) => name),
    ...simulation.schedulers.map(({ name }) => name),
    "registry",
  ];

  every(faults.cutEveryMs, () => {
    const place = random.pick(places);
    const forMs = random.spread(ttlMs);
    const both = random.chance(0.4);
    if (both || random.chance(0.5)) network.cut(place, "pm", forMs);
    else network.cut("pm", place, forMs);
    if (both) network.cut("pm", place, forMs);
  });
  every(faults.storeAwayEveryMs, () => disk.goAway(random.spread(ttlMs / 2)));
  every(faults.managerKillEveryMs, () => {
    const manager = simulation.managers.at(-1);
    if (!manager) return;
    incidents.add("manager killed");
    simulation.endManager(manager);
  });
  every(faults.managerPauseEveryMs, () => {
    const process = simulation.managers.at(-1)?.process;
    if (!process) return;
    world.trace(`pause ${process.name}`);
    incidents.add("manager paused");
    process.pause();
    world.after(random.spread(ttlMs), () => process.resume(random.chance(0.5)));
  });
  every(faults.takeoverEveryMs, () => {
    incidents.add("takeover");
    // The former leader is stopped first, most of the time, and wakes up when another one leads.
    const process = simulation.managers.at(-1)?.process;
    if (process && random.chance(0.7)) {
      process.pause();
      world.after(random.spread(ttlMs), () => process.resume(random.chance(0.5)));
    }
    simulation.startManager();
  });
  every(faults.runnerKillEveryMs, () => {
    const runner = random.pick(simulation.runners);
    incidents.add("runner killed");
    runner.crash();
    const startAgain = (): void => {
      runner.start();
      // A process that dies while it attaches may leave an attachment on the way.
      if (random.chance(0.7) || simulation.healed) return;
      world.after(random.between(2, 40), () => {
        runner.crash();
        world.after(random.between(1, 100), startAgain);
      });
    };
    world.after(random.chance(0.5) ? random.between(0, 100) : random.spread(ttlMs), startAgain);
  });
  every(faults.runnerPauseEveryMs, () => {
    const { process } = random.pick(simulation.runners);
    incidents.add("runner paused");
    world.trace(`pause ${process.name}`);
    process.pause();
    world.after(random.spread(ttlMs), () => process.resume(random.chance(0.5)));
  });
  every(faults.runnerDrainEveryMs, () => {
    const runner = random.pick(simulation.runners);
    incidents.add("runner drained");
    runner.drain();
    world.after(ttlMs * 3, () => runner.start());
  });
  every(faults.schedulerRestartEveryMs, () => {
    incidents.add("scheduler restarted");
    random.pick(simulation.schedulers).start();
  });
  every(faults.cancelEveryMs, () => {
    incidents.add("cancelled");
    simulation.registry.cancel(random.pick(plan.tasks).task);
  });
  every(faults.limitChangeEveryMs, () => {
    incidents.add("limit changed");
    const name = random.pick(["global", "named", "tenant:t", "tenant:u", "pool"]);
    if (name === "pool") {
      const patch = random.chance(0.3)
        ? { paused: random.chance(0.5) }
        : { maxConcurrency: random.int(0, 4), reason: "simulated" };
      return simulation.ask("admin", { kind: "setPool", name: random.pick(plan.pools).name, patch });
    }
    const { version: _version, requestId: _requestId, ...spec } = plainLimit(name, random.int(0, 6));
    simulation.ask("admin", { kind: "setLimit", spec });
  });
  every(faults.wallStepEveryMs, () => {
    incidents.add("wall clock stepped");
    simulation.stepSomeWallClock();
  });
  every(faults.staleEveryMs, () => sayStale(simulation));
  every(faults.handlersEveryMs, () => {
    incidents.add("handlers changed");
    random.pick(simulation.runners).offer(someHandlers(random));
  });
}

/** Somebody who lost the right to it long ago says that a run has ended. */
function sayStale(simulation: Simulation): void {
  const { world, observer, plan } = simulation;
  const { random } = world;
  if (observer.occupying.size === 0) return;
  const { id, token, runner, incarnation } = random.pick([...observer.occupying.values()]);
  const outcome = {
    result: "SUCCEEDED" as const,
    exitCode: 7,
    endMs: 7,
    signal: "",
    message: staleMessage,
    resultJson: "",
    permanent: false,
    outputBytes: 0,
  };
  if (random.chance(0.3)) {
    world.incidents.add("forged completion");
    const proof = random.chance(0.5)
      ? undefined
      : withProof(Buffer.from("guessed"), { lease: id, token, outcome }).proof;
    return simulation.ask("ghost", {
      kind: "complete",
      runner,
      items: [{ lease: id, token, outcome, ...(proof && { proof }) }],
    });
  }
  const wrongToken = random.chance(0.5);
  const item = { lease: id, token: wrongToken ? token - random.int(1, 3) : token, outcome };
  const other = wrongToken ? runner : `${random.pick(plan.runners).name}-not`;
  world.trace(`stale ${id}`);
  world.incidents.add("stale word");
  simulation.ask("ghost", {
    kind: "complete",
    runner: other,
    ...(random.chance(0.5) && { incarnation }),
    items: [item],
  });
  if (random.chance(0.5)) return;
  // Of other data, or pruned long ago: nobody has it, and it is said with nothing else.
  world.incidents.add("unknown lease");
  simulation.ask("ghost", { kind: "complete", runner, incarnation, items: [{ lease: "other-1", token: 1, outcome }] });
}
