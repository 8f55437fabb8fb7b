"""Trial of a locustfile: one user of each class, on_start and every task twice.

For the preflight. Tasks run in the order of the file, not at random, and without wait times, so
that two targets are sent the same requests. Each request is reported, and the next one is sent when
the harness says so.
"""

import base64
import os
import signal
import sys
import time
import traceback
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
    own_line,
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
# Without a request for as long, an import or a task hangs; less than the harness waits.
MAX_IMPORT_S, MAX_SILENCE_S = 50, 30
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
        self.place = "its import"  # what runs now
        self._requests: Counter[str] = Counter()  # by place
        self._left, self._end = MAX_REQUESTS, 0.0
        self._timer: Any = None
        self._outcomes: dict[str, list[str]] = defaultdict(list)  # by label and by place
        self._not_run: list[str] = []
        self._refused = ""
        self._log = ExceptionLog()

    def run(self) -> TrialEnd:
        """Run the trial. Raises LocustfileError."""
        os.register_at_fork(after_in_parent=self._forked)
        signal.signal(signal.SIGALRM, self._hangs)
        # A signal is not handled while gevent has nothing to run.
        ticks = gevent.get_hub().loop.timer(1.0, 1.0)
        ticks.start(lambda: None)
        signal.alarm(MAX_IMPORT_S)
        of, seed = self._trial.locustfile, self._trial.seed
        gevent.sleep = time.sleep = _short(gevent.sleep)
        seed_random(seed)
        # Before the file's own listeners, which may raise an exception.
        events.request.add_listener(self._on_request)
        users = import_users(of)
        self.place = "a listener"
        watch_clients(self, users)
        environment = make_environment(of, users, self.host, len(users))
        runner: Any = environment.runner
        runner.quit = runner.stop = _end_test
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
        self.place = place
        signal.alarm(MAX_SILENCE_S)
        error = ""
        try:
            code()
        except NEXT_TASK:
            pass
        except StopUser:
            raise
        except StopTest as raised:
            where = exception_text(raised).removeprefix(type(raised).__name__)
            self._outcomes[place].append(f"{place} ended the test{where}")
            raise
        except OtherHostError as raised:
            self._refused = self._refused or f"{place}: {raised}"
        except Exception as raised:  # noqa: BLE001  # a user's code may raise anything
            error = f"{place} raised {exception_text(raised)}"
        self._outcomes[place].append(error)

    def _hangs(self, _: int, frame: Any) -> None:
        """End the trial with the line at which it hangs."""
        where = own_line(traceback.extract_stack(frame))
        failed = [f"{self.place} took too long without a request{where}"]
        self.send(TrialReport(end=TrialEnd(failed=failed)))
        os._exit(0)

    def _forked(self) -> None:
        """Fail: the responses of its users would arrive in another process as well."""
        if "." in self.place:
            label = f"{self.place} forks the process, and its connections with it"
            self._outcomes[label].append(label)

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
        signal.alarm(0)  # a request has limits of its own
        call.sent_ns = time.perf_counter_ns()
        limit_s = self._trial.request_s
        # Locust's clients take it for an error of the connection.
        self._timer = gevent.Timeout(limit_s, TimeoutError(f"no response within {limit_s:g} s"))
        self._timer.start()

    def end(self, call: Call) -> None:
        """Report a response, and wait until the harness has looked at the server."""
        self._timer.close()
        self._requests[self.place] += 1
        response = call.response
        report = TrialRequest(
            place=f"{self.place}, request {self._requests[self.place]}",
            label=call.label,
            status=response.status_code or 0,
            headers=list((response.headers or {}).items()),
            body=base64.b64encode(response.content or b"").decode(),
            took_s=(call.done_ns - call.sent_ns) / 1e9,
        )
        self.send(TrialReport(request=report))
        if not self._reader.readline():
            os._exit(0)  # the harness has ended
        signal.alarm(MAX_SILENCE_S)

    def abort(self, call: Call) -> None:
        """Go on after a request that raised an exception."""
        self._timer.close()
        signal.alarm(MAX_SILENCE_S)

    def _on_request(
        self, request_type: str, name: str, response: Any = None, exception: Any = None, **_: Any
    ) -> None:
        if call_of(response) is None:
            return
        label, status = f"{request_type} {name}", response.status_code or 0
        why = failure_text(status, exception)
        what = f"was answered with {status}" if why == f"status {status}" else f"failed: {why}"
        meant = f' (if that is meant: expected_failures = ["{label}"])'
        self._outcomes[label].append(f"{label} {what}{meant}" if why else "")


def _end_test() -> None:
    raise StopTest


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
    except (SystemExit, KeyboardInterrupt) as error:  # of the file: they are no Exception
        end = TrialEnd(failed=[f"{run.place} raised {exception_text(error)}"])
    run.send(TrialReport(end=end))
    os._exit(0)


if __name__ == "__main__":
    main()
