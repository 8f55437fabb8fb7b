"""A user's locustfile in this process: its import, its environment, and its clients.

The file is not changed. Locust's two HTTP clients are, in this process: each request is announced
to a `ClientWatch` before it is sent, and once there is a response.
"""

import logging
import os
import random
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn, Protocol
from urllib.parse import urlsplit

import gevent
from locust import FastHttpUser, HttpUser, User, argument_parser, events
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession
from locust.env import Environment
from locust.user.task import DefaultTaskSet
from locust.util.load_locustfile import load_locustfile

from twinbench.job import Locustfile
from twinbench.text import did_you_mean, one_line

CALL = "twinbench_call"  # attribute of greenlets and responses
# Prints and logs of a locustfile go to a file; more than this is dropped before a load begins.
MAX_LOG_BYTES = 10_000_000
# Beginning of the messages that Locust logs where it goes on after an exception in a listener.
UNCAUGHT = "Uncaught exception in"
MAX_ERROR = 150  # characters; as long as one in a table can be


class LocustfileError(Exception):
    """Locustfile that cannot be used: a phrase that follows its path."""


class OtherHostError(Exception):
    """Request of a locustfile to another address than the target's."""


@dataclass(slots=True, eq=False)
class Call:
    """Request of a user of a locustfile. No `response` yet: 0 and None.

    `label`: method and name, as known before it is sent; `starting`: by a user that starts.
    """

    label: str
    user: User | None
    sent_ns: int = 0
    done_ns: int = 0
    response: Any = None
    starting: bool = False


class ClientWatch(Protocol):
    """Receiver of what Locust's clients do. `host` is the target's address."""

    host: str

    def begin(self, call: Call) -> None:
        """Return when the request may be sent."""

    def end(self, call: Call) -> None:
        """Take its response."""

    def abort(self, call: Call) -> None:
        """Forget a request that raised an exception."""


def private_pipes() -> tuple[IO[bytes], IO[str]]:
    """Return stdin and stdout of this process, of which a locustfile gets neither.

    What it prints goes to stderr, which is a log.
    """
    reader, writer = os.fdopen(os.dup(0), "rb", buffering=0), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    if os.fstat(2).st_size > MAX_LOG_BYTES:
        os.ftruncate(2, 0)

    def close_pipes() -> None:
        os.dup2(nothing, reader.fileno())
        os.dup2(nothing, writer.fileno())

    # A file that forks has two of this process, greenlets included: only one is to be heard.
    os.register_at_fork(after_in_child=close_pipes)
    return reader, writer


def import_users(of: Locustfile) -> list[type[User]]:
    """Import a locustfile, as the command `locust` does in its folder; return its user classes.

    Raises LocustfileError.
    """
    os.chdir(of.path.parent)
    try:
        found, _ = load_locustfile(str(of.path))
    except (Exception, SystemExit) as error:  # noqa: BLE001  # a user's code may raise anything
        raise LocustfileError(f"cannot be imported: {_import_error(error, of.path)}") from None
    # A class without tasks is one that others are made from.
    names = of.users or [name for name in found if found[name].tasks] or list(found)
    for name in names:
        if name not in found:
            near = did_you_mean(name, list(found)) or ", nor any other"
            raise LocustfileError(f"holds no user class '{name}'{near}")
        if not issubclass(found[name], HttpUser | FastHttpUser):
            others = [n for n in names if issubclass(found[n], HttpUser | FastHttpUser)]
            leave = f"; leave it out: users = {others}" if others and not of.users else ""
            raise LocustfileError(
                f"holds the user class '{name}', which is neither an HttpUser nor a FastHttpUser:"
                f" what it sends cannot be measured{leave}"
            )
    if not names:
        raise LocustfileError("holds no user class (a class made from HttpUser or FastHttpUser)")
    return [found[name] for name in names]


def client_names(users: list[type[User]]) -> list[str]:
    """Return the names of Locust's clients that these users have."""
    clients = (FastHttpUser, HttpUser)
    return [each.__name__ for each in clients if any(issubclass(user, each) for user in users)]


def seed_random(seed: int) -> None:
    """Have the file draw the same random values for each target."""
    random.seed(seed)
    if "faker" in sys.modules:  # it has a generator of its own
        sys.modules["faker"].Faker.seed(seed)


def make_environment(of: Locustfile, users: list[type[User]], host: str, count: int) -> Environment:
    """Return an environment with a runner, after the `init` listeners of the file.

    Raises LocustfileError.
    """
    parser: Any = argument_parser.get_parser(default_config_files=[])
    parser.error = _refuse_options
    options = parser.parse_args([])
    for user in users:
        # A path, as in http://localhost:8000/api, is a part of every request.
        user.host = host + urlsplit(user.host or "").path.rstrip("/")
    hosts = {user.host for user in users}
    options.host, options.num_users, options.headless = host, count, True
    options.tags = options.exclude_tags = None
    try:
        environment = Environment(
            user_classes=users,
            events=events,
            host=hosts.pop() if len(hosts) == 1 else None,  # where given, it is that of all users
            locustfile=of.path.name,
            parsed_options=options,
        )
    except ValueError as error:  # such as only weights of zero
        raise LocustfileError(f"cannot be run: {error}") from None
    runner = environment.create_local_runner()
    runner.target_user_count = count  # known to the listeners of test_start
    events.init.fire(environment=environment, runner=runner, web_ui=None)
    return environment


def _refuse_options(message: str) -> NoReturn:
    raise LocustfileError(f"adds a command-line option without a default: {message}")


def watch_clients(watch: ClientWatch, users: list[type[User]]) -> None:
    """Announce all requests of Locust's clients to `watch`.

    A URL with the `host` of one of these users, as the file has it, is one of the target.
    """
    declared = [urlsplit(user.host) for user in users if user.host]
    origins = tuple({f"{host.scheme}://{host.netloc}" for host in declared if host.netloc})
    clients: tuple[Any, ...] = (HttpSession, FastHttpSession)
    for client in clients:
        client.request = _announced(client.request, watch, origins)
        # What sends: its response is that of Locust's request event.
        client._send_request_safe_mode = _stamped(client._send_request_safe_mode)


def _announced(
    original: Callable[..., Any], watch: ClientWatch, origins: tuple[str, ...]
) -> Callable[..., Any]:
    def request(
        client: Any, method: str, url: Any, name: str | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        address = _address(client, url.decode() if isinstance(url, bytes) else url)
        for origin in origins:
            if _is_below(address, origin):
                address = watch.host + address.removeprefix(origin)
        if not _is_below(address, watch.host):
            raise OtherHostError(
                f"{method} {address} is not a request to the target: write a path that begins"
                " with '/'"
            )
        path = address.removeprefix(watch.host)
        label = f"{method} {name or client.request_name or path}"
        call = Call(label, client.user)
        watch.begin(call)
        setattr(gevent.getcurrent(), CALL, call)
        try:
            # FastHttpUser names a request by its URL: not by the address of the target.
            url = address.removeprefix(client.base_url) or "/"
            response = original(client, method, url, name, *args, **kwargs)
        except BaseException:
            watch.abort(call)
            raise
        call.response, call.done_ns = response, call.done_ns or time.perf_counter_ns()
        watch.end(call)
        return response

    return request


def _address(client: Any, url: str) -> str:
    """Return the address of a request. A path without a slash is for a host that ends with one."""
    is_path = not url.lower().startswith(("/", "?", "http://", "https://"))
    address: str = client._build_url(f"/{url}" if is_path else url)
    return address


def _is_below(address: str, origin: str) -> bool:
    path = address.removeprefix(origin)
    return path != address and (not path or path.startswith(("/", "?")))


def _stamped(original: Callable[..., Any]) -> Callable[..., Any]:
    def send(client: Any, *args: Any, **kwargs: Any) -> Any:
        call = getattr(gevent.getcurrent(), CALL, None)
        if call:
            call.sent_ns = time.perf_counter_ns()
        response = original(client, *args, **kwargs)
        setattr(response, CALL, call)
        return response

    return send


def call_of(response: Any) -> Call | None:
    """Return the request of a response; None if another client sent it."""
    return getattr(response, CALL, None)


def failure_text(status: int, exception: Any) -> str:
    """Return why Locust counts a response as failed; empty if it does not."""
    if exception is None:
        return ""
    ours = type(exception).__module__.partition(".")[0] == "locust"
    if status >= 400 and not (ours and type(exception).__name__ == "CatchResponseError"):
        return f"status {status}"
    return one_line(str(exception) or type(exception).__name__, MAX_ERROR)


def before_tasks(wait: Callable[[DefaultTaskSet], None]) -> None:
    """Have each user call `wait` after its on_start, before its first task."""
    task_set: Any = DefaultTaskSet
    original = task_set.run

    def run(tasks: DefaultTaskSet) -> None:
        wait(tasks)
        original(tasks)

    task_set.run = run


class ExceptionLog(logging.Handler):
    """Count of the exceptions in a locustfile's code after which Locust goes on."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.count, self.first = 0, ""
        # Instead of Locust's, which would write a traceback for each.
        logging.getLogger().handlers = [self]

    def emit(self, record: logging.LogRecord) -> None:
        """Take a message of Locust; others are the file's own."""
        error = sys.exc_info()[1]
        if record.name == "locust.runners":  # which logs an error of its own where a user ends all
            return
        if error and (record.name.startswith("locust.") or str(record.msg).startswith(UNCAUGHT)):
            self.count += 1
            self.first = self.first or exception_text(error)


def exception_text(error: BaseException) -> str:
    """Return type and message of an exception, and its last line in the file."""
    text = f"{type(error).__name__}: {error}".removesuffix(": ")
    return one_line(text, MAX_ERROR) + own_line(traceback.extract_tb(error.__traceback__))


def own_line(frames: traceback.StackSummary) -> str:
    """Return the last line of these in the file's folder, as ` (file, line n)`; empty if none."""
    own = [frame for frame in frames if _is_own(frame.filename)]
    return f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""


def _import_error(error: BaseException, path: Path) -> str:
    if isinstance(error, SyntaxError):
        return f"{error.msg} ({Path(error.filename or path).name}, line {error.lineno})"
    text = exception_text(error)
    if isinstance(error, ModuleNotFoundError):
        text += f"; install it where twinbench is: {sys.executable} -m pip install {error.name}"
    return text


def _is_own(filename: str) -> bool:
    """Return whether a file is in the folder of the locustfile, which is the current one."""
    return Path(filename).resolve().is_relative_to(Path.cwd())
