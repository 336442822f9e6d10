"""Submits tasks to a Berth from Python, watches them to their end, and reads a typed error.

Needs Python's grpcio and protobuf, and the generated code beside it (see README.md here):

    python3 client.py 127.0.0.1:50051 berth-data/token
"""

import sys
import uuid

import grpc
import rpc_status_pb2 as rpc
from berth.registry.v1 import registry_service_pb2 as wire
from berth.registry.v1 import registry_service_pb2_grpc as stubs
from berth.registry.v1 import task_pb2
from berth.runner.v1 import run_pb2

FINAL = {"SUCCEEDED", "FAILED", "CANCELLED", "SKIPPED"}
SECONDS = 30


def spec(task, argv, **more):
    run = run_pb2.Run(command=run_pb2.Command(argv=argv))
    return task_pb2.TaskSpec(id=task, run=run, **more)


def state_of(task):
    return task_pb2.Task.State.Name(task.state).removeprefix("STATE_")


def submit(registry, token, tasks):
    """The request id is made before sending, so a call that got no answer may be repeated: nothing is submitted twice."""
    request = wire.SubmitTasksRequest(tasks=tasks, request_id=str(uuid.uuid4()))
    for attempt in range(3):
        try:
            return registry.SubmitTasks(request, metadata=token, timeout=SECONDS)
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE or attempt == 2:
                raise


def wait(registry, answer):
    """Every task of the set as it is now, then every change, until all are final."""
    states = {}
    request = wire.WatchTasksRequest(filter=wire.TaskFilter(set=answer.set))
    for change in registry.WatchTasks(request):
        for task in change.tasks:
            states[task.task] = state_of(task)
        if len(states) == answer.task_count and set(states.values()) <= FINAL:
            return states


def typed(error):
    """Reason and fields of an error, from its details."""
    raw = dict(error.trailing_metadata()).get("grpc-status-details-bin", b"")
    reason, fields = "", []
    for detail in rpc.Status.FromString(raw).details:
        info, request = rpc.ErrorInfo(), rpc.BadRequest()
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(request):
            fields = [violation.field for violation in request.field_violations]
    return reason, fields


def main(address, token_file):
    with open(token_file, encoding="utf8") as file:
        token = (("authorization", f"Bearer {file.read().strip()}"),)
    with grpc.insecure_channel(address) as channel:
        registry = stubs.RegistryServiceStub(channel)
        tasks = [spec("hello", ["echo", "hello"]), spec("then", ["true"], needs=["hello"])]
        answer = submit(registry, token, tasks)
        for task, state in sorted(wait(registry, answer).items()):
            print(task.removeprefix(f"{answer.set}/"), state)
        try:
            submit(registry, token, [spec("../up", ["true"])])
        except grpc.RpcError as error:
            print(error.code().name, *typed(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
