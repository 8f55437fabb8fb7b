"""The load generator as a child process: one job a line on stdin, one summary a line on stdout.

Locust is used as a library to run the users. The records go to a file, after the window.
"""

import gc
import itertools
import json
import sys
import time
from pathlib import Path

import gevent
import psutil
from gevent.event import Event
from gevent.fileobject import FileObjectThread
from locust.env import Environment
from locust.runners import LocalRunner
from pydantic import BaseModel

from loadtests.draw import draw
from loadtests.recorder import Recorder
from loadtests.users import ScenarioUser
from loadtests.wire import NO_ANSWER, Answer
from twinbench.plan import Request

# How often the driver looks whether the server still answers.
LOOK_S = 0.05
# How long the users may take to connect before the load begins without the rest.
LONGEST_GATHERING_S = 5.0
# The warm-up goes on for so long, at the most, until every user has had an answer: some apps
# never serve all of 256 users while the others keep them busy, and that is told as it is.
LONGEST_WARM_UP_S = 1.5
NO_ANSWER_AT_END = "no answer when the load ended"


class Job(BaseModel):
    """One cell, as the driver needs it."""

    host: str
    requests: list[Request]
    taken: dict[str, str]
    users: int
    warmup_s: float
    measure_s: float
    collapse_s: float
    seed: int
    server_pid: int
    records: Path


class Summary(BaseModel):
    """What the driver says of a cell; the records say the rest.

    `window_ns` is the measuring window on the monotonic clock, `good` the right answers in it.
    CPU seconds are those spent inside it, by the server with all its processes, and by this
    process. `users_unserved` had no answer yet when the window began; `unanswered` requests had
    none when the load ended.
    """

    window_ns: tuple[int, int]
    good: int
    collapsed: bool
    users_unserved: int
    unanswered: int
    server_cpu_s: float
    generator_cpu_s: float


def run(job: Job) -> Summary:
    """Put the load of `job` on its server, write the records, and sum up."""
    recorder = Recorder()
    user_class = _user_class(job, recorder)
    environment = Environment(user_classes=[user_class], host=job.host)
    runner = environment.create_local_runner()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        _gather(runner, user_class, job.users)
        recorder.last_answer_ns = time.perf_counter_ns()
        user_class.go.set()
        collapsed = _warm_up(job, runner, recorder)
        unserved = sum(not user.answers for user in _users(runner))
        began = _readings(job, recorder)
        collapsed = collapsed or _hold(job.measure_s, job.collapse_s, recorder)
        ended = _readings(job, recorder)
        user_class.stopping = True
        collapsed = collapsed or _drain(job.collapse_s, recorder)
        unanswered = _keep_unanswered(_users(runner), recorder)
    finally:
        runner.quit()
        gc.enable()
        gc.unfreeze()
    recorder.write(job.records)
    return Summary(
        window_ns=(began[0], ended[0]),
        good=ended[3] - began[3],
        collapsed=collapsed,
        users_unserved=unserved,
        unanswered=unanswered,
        server_cpu_s=round(ended[1] - began[1], 4),
        generator_cpu_s=round(ended[2] - began[2], 4),
    )


def _user_class(job: Job, recorder: Recorder) -> type[ScenarioUser]:
    attributes = {
        "drawn": draw(job.requests, job.host, job.seed, job.taken),
        "keeper": recorder,
        "born": itertools.count(),
        "go": Event(),
    }
    return type("CellUser", (ScenarioUser,), attributes)


def _gather(runner: LocalRunner, user_class: type[ScenarioUser], users: int) -> None:
    """Start the users and wait until each has connected, or failed to."""
    runner.start(users, spawn_rate=users, wait=False)
    end_ns = time.perf_counter_ns() + int(LONGEST_GATHERING_S * 1e9)
    while user_class.waiting < users and time.perf_counter_ns() < end_ns:
        gevent.sleep(LOOK_S / 10)


def _warm_up(job: Job, runner: LocalRunner, recorder: Recorder) -> bool:
    """Warm up until every user has had an answer, `warmup_s` at least; True on collapse.

    Until then a server may still be filling its pools (256 connections, 256 threads), and
    those who wait for that are not yet in the records.
    """
    end_ns = time.perf_counter_ns() + int(LONGEST_WARM_UP_S * 1e9)
    collapsed = _hold(job.warmup_s, job.collapse_s, recorder)
    while not collapsed and time.perf_counter_ns() < end_ns:
        if all(user.answers for user in _users(runner)):
            break
        collapsed = _hold(LOOK_S, job.collapse_s, recorder)
    return collapsed


def _users(runner: LocalRunner) -> list[ScenarioUser]:
    return [greenlet.args[0] for greenlet in runner.user_greenlets]


def _hold(seconds: float, collapse_s: float, recorder: Recorder) -> bool:
    """Let the load run for `seconds`; at once True if the server stops answering."""
    end_ns = time.perf_counter_ns() + int(seconds * 1e9)
    while (left_ns := end_ns - time.perf_counter_ns()) > 0:
        gevent.sleep(min(LOOK_S, left_ns / 1e9))
        if _silent(collapse_s, recorder):
            return True
    return False


def _drain(collapse_s: float, recorder: Recorder) -> bool:
    """Wait until every request in flight is answered; True if the server stops answering.

    Bounded even if answers trickle: what is unanswered after twice the limit stays so.
    """
    end_ns = time.perf_counter_ns() + int(2 * collapse_s * 1e9)
    while recorder.in_flight and time.perf_counter_ns() < end_ns:
        if _silent(collapse_s, recorder):
            return True
        gevent.sleep(LOOK_S / 10)
    return False


def _silent(collapse_s: float, recorder: Recorder) -> bool:
    return time.perf_counter_ns() - recorder.last_answer_ns > collapse_s * 1e9


def _keep_unanswered(users: list[ScenarioUser], recorder: Recorder) -> int:
    """Record what is still in flight as having had no answer; how many these are."""
    now_ns = time.perf_counter_ns()
    pending = [user.pending for user in users if user.pending]
    for request, sent_ns in pending:
        answer = Answer(sent_ns, 0, now_ns, NO_ANSWER, 0, NO_ANSWER_AT_END)
        recorder.add(request, answer, expected=200)
    return len(pending)


def _readings(job: Job, recorder: Recorder) -> tuple[int, float, float, int]:
    """The clock in ns, CPU seconds of the server and of this process, good answers so far."""
    server_cpu_s = _cpu_s(job.server_pid)
    return time.perf_counter_ns(), server_cpu_s, time.process_time(), recorder.good


def _cpu_s(pid: int) -> float:
    """CPU seconds spent so far by process `pid` and its children; 0 if it is gone."""
    total = 0.0
    try:
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            times = process.cpu_times()
            total += times.user + times.system
    except psutil.NoSuchProcess:
        pass
    return total


def main() -> None:
    lines = FileObjectThread(sys.stdin.buffer, "rb")
    for line in lines:
        summary = run(Job.model_validate(json.loads(line)))
        sys.stdout.write(summary.model_dump_json() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
