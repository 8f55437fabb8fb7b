"""Trial of a locustfile: one user of each class, on_start and every task twice.

For the preflight. Tasks run in the order of the file, not at random, and without wait times, so
that two targets are sent the same requests. Each request is reported, and the next one is sent when
the harness says so.
"""

import base64
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import gevent
from gevent import GreenletExit
from locust import User, events
from locust.exception import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopTest,
    StopUser,
)
from locust.user.task import LOCUST_STATE_RUNNING, DefaultTaskSet, TaskSet

from twinbench.job import Trial, TrialEnd, TrialReport, TrialRequest
from twinbench.load.locustfile import (
    Call,
    ExceptionLog,
    LocustfileError,
    OtherHostError,
    call_of,
    exception_text,
    failure_text,
    import_users,
    make_environment,
    private_pipes,
    seed_random,
    watch_clients,
)

# A task that fails may need what a later one makes: only one that always fails is a failure. And
# what is cached after a first request shows in a second one.
PASSES = 2
# Of each user class; a task without end would not let the others run.
MAX_REQUESTS = 200
MAX_S = 30.0
# Tasks sleep as users would read: a trial does not need to. It yields, and polls a few times.
MAX_SLEEP_S = 0.01
ON_START = "on_start"
NEXT_TASK = (InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately)


class TrialRun:
    """A trial, and what Locust's clients do in it."""

    def __init__(self, trial: Trial) -> None:
        self._reader, self._writer = private_pipes()
        self._trial = trial
        self.host = trial.host
        self._place = ""
        self._requests: Counter[str] = Counter()  # by place
        self._left, self._end = MAX_REQUESTS, 0.0
        self._timer: Any = None
        self._outcomes: dict[str, list[str]] = defaultdict(list)  # by label and by place
        self._not_run: list[str] = []
        self._refused = ""
        self._log = ExceptionLog()

    def run(self) -> TrialEnd:
        """Run the trial. Raises LocustfileError."""
        of, seed = self._trial.locustfile, self._trial.seed
        gevent.sleep = time.sleep = _short(gevent.sleep)
        seed_random(seed)
        # Before the file's own listeners, which may raise an exception.
        events.request.add_listener(self._on_request)
        users = import_users(of)
        watch_clients(self, users)
        environment = make_environment(of, users, self.host, len(users))
        seed_random(seed)
        events.test_start.fire(environment=environment)
        events.spawning_complete.fire(user_count=len(users))
        for user in environment.user_classes:
            self._left, self._end = MAX_REQUESTS, time.monotonic() + MAX_S
            self._run_user(user, environment)
            if self._left == MAX_REQUESTS and not self._refused and not any(self._failed()):
                raise LocustfileError(f"has a user class '{user.__name__}' that sends no request")
        failed = list(self._failed())
        if self._log.first and not failed:
            failed = [f"a listener raised {self._log.first}"]
        return TrialEnd(refused=self._refused, failed=failed, not_run=self._not_run)

    def send(self, report: TrialReport) -> None:
        self._writer.write(report.model_dump_json() + "\n")
        self._writer.flush()

    def _run_user(self, of: type[User], environment: Any) -> None:
        remaining = dict.fromkeys(_places(of))
        try:
            user = of(environment)
            user._state = LOCUST_STATE_RUNNING
            tasks = user._taskset_instance = DefaultTaskSet(user)
            self._call(f"{of.__name__}.{ON_START}", user.on_start)
            for _ in range(PASSES):
                for task in _tasks(of):
                    self._visit(task, tasks, user, of.__name__, remaining)
            user.on_stop()
        except (StopUser, StopTest, GreenletExit):
            pass
        except Exception as raised:  # noqa: BLE001  # in constructors, which are the file's
            self._outcomes[of.__name__].append(f"{of.__name__} raised {exception_text(raised)}")
        finally:
            self._not_run += remaining

    def _visit(
        self, task: Any, parent: TaskSet, argument: Any, place: str, remaining: dict[str, None]
    ) -> None:
        """Run a task; of a TaskSet all tasks, once each."""
        place = f"{place}.{_name(task)}"
        if not _is_task_set(task):
            remaining.pop(place, None)
            self._call(place, lambda: task(argument))
            return
        task_set = task(argument if isinstance(argument, User) else parent)
        self._call(f"{place}.{ON_START}", task_set.on_start)
        for inner in _tasks(task):
            self._visit(inner, task_set, task_set, place, remaining)
        self._call(f"{place}.on_stop", task_set.on_stop)

    def _call(self, place: str, code: Any) -> None:
        """Run code of the file, and keep what it raises."""
        self._place = place
        error = ""
        try:
            code()
        except NEXT_TASK:
            pass
        except (StopUser, StopTest):
            raise
        except OtherHostError as raised:
            self._refused = self._refused or f"{place}: {raised}"
        except Exception as raised:  # noqa: BLE001  # a user's code may raise anything
            error = f"{place} raised {exception_text(raised)}"
        self._outcomes[place].append(error)

    def _failed(self) -> Iterator[str]:
        """Yield what failed each time: of tasks their exceptions, of requests their answers."""
        for label, errors in self._outcomes.items():
            if all(errors) and label not in self._trial.locustfile.expected_failures:
                yield errors[0]

    # What Locust's clients call.

    def begin(self, call: Call) -> None:
        """Refuse more requests than a trial has."""
        if not self._left or time.monotonic() > self._end:
            raise GreenletExit
        self._left -= 1
        call.sent_ns = time.perf_counter_ns()
        limit_s = self._trial.request_s
        # Locust's clients take it for an error of the connection.
        self._timer = gevent.Timeout(limit_s, TimeoutError(f"no response within {limit_s:g} s"))
        self._timer.start()

    def end(self, call: Call) -> None:
        """Report a response, and wait until the harness has looked at the server."""
        self._timer.close()
        self._requests[self._place] += 1
        response = call.response
        report = TrialRequest(
            place=f"{self._place}, request {self._requests[self._place]}",
            label=call.label,
            status=response.status_code or 0,
            headers=list((response.headers or {}).items()),
            body=base64.b64encode(response.content or b"").decode(),
            took_s=(call.done_ns - call.sent_ns) / 1e9,
        )
        self.send(TrialReport(request=report))
        if not self._reader.readline():
            os._exit(0)  # the harness has ended

    def abort(self, call: Call) -> None:
        """Go on after a request that raised an exception."""
        self._timer.close()

    def _on_request(
        self, request_type: str, name: str, response: Any = None, exception: Any = None, **_: Any
    ) -> None:
        if call_of(response) is None:
            return
        label, status = f"{request_type} {name}", response.status_code or 0
        why = failure_text(status, exception)
        said = f"was answered with {status}" if why == f"status {status}" else f"failed: {why}"
        meant = f' (if that is meant: expected_failures = ["{label}"])'
        self._outcomes[label].append(f"{label} {said}{meant}" if why else "")


def _short(original: Any) -> Any:
    def sleep(seconds: float = 0, *args: Any, **kwargs: Any) -> None:
        original(min(seconds, MAX_SLEEP_S), *args, **kwargs)

    return sleep


def _is_task_set(task: Any) -> bool:
    return isinstance(task, type) and issubclass(task, TaskSet)


def _tasks(of: Any) -> list[Any]:
    """Return the tasks of a user class or TaskSet, each once; a MarkovTaskSet has transitions."""
    markov = [value for value in vars(of).values() if hasattr(value, "transitions")]
    return list(dict.fromkeys(of.tasks or markov))


def _places(of: Any, place: str = "") -> Iterator[str]:
    place = f"{place}.{_name(of)}".removeprefix(".")
    if not isinstance(of, type):
        yield place
    else:
        for task in _tasks(of):
            yield from _places(task, place)


def _name(task: Any) -> str:
    return str(getattr(task, "__name__", "task"))


def main() -> None:
    """Run one trial."""
    trial = Trial.model_validate_json(sys.stdin.buffer.readline())
    run = TrialRun(trial)
    try:
        end = run.run()
    except LocustfileError as error:
        end = TrialEnd(refused=str(error))
    run.send(TrialReport(end=end))
    os._exit(0)


if __name__ == "__main__":
    main()
