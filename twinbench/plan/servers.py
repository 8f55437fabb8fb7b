"""HTTP servers that a target may name: command lines, and what plans choose of each.

A server but uvicorn is started as its own documentation says, `python -m NAME OPTIONS APP`.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from twinbench.plan.requests import SystemText

ServerName = Literal["uvicorn", "granian", "hypercorn", "gunicorn"]
# A value of an option: a flag is true; a list repeats the option, where uvicorn takes a list.
Option = SystemText | bool | int | float | list[SystemText] | list[list[SystemText]]
NONE: Mapping[str, Any] = MappingProxyType({})


class HttpServer(NamedTuple):
    """HTTP server.

    `arguments` are those that twinbench gives it, for `{port}` and `{workers}`; plans must not
    give those of `reserved`. `choices`: values of the keys `loop` and `http`; `options` that
    these keys stand for. `backlog`: its default for connections that wait to be accepted.
    """

    backlog: int
    reserved: frozenset[str]
    choices: Mapping[str, tuple[str, ...]] = NONE
    options: Mapping[str, str] = NONE
    arguments: tuple[str, ...] = ()
    defaults: Mapping[str, Option] = NONE


ADDRESS = "127.0.0.1:{port}"
OWN_KEYS = {"workers", "limit_concurrency", "loop", "http"}
# They would start the server in another way, or end it within a measurement.
RELOAD_AND_DAEMON = {"reload", "daemon"}
# From `--help` of granian 2.8, hypercorn 0.18, gunicorn 27, and uvicorn.Config of uvicorn 0.54.
HTTP_SERVERS: Mapping[ServerName, HttpServer] = {
    "uvicorn": HttpServer(
        backlog=2048,
        reserved=frozenset(
            {
                *("app", "host", "port", "uds", "fd", "workers", "reload", "limit_concurrency"),
                *("loop", "http", "log_level", "access_log"),
            }
        ),
        choices={"loop": ("auto", "asyncio", "uvloop"), "http": ("auto", "h11", "httptools")},
        options={"loop": "loop", "http": "http"},
    ),
    "granian": HttpServer(
        backlog=1024,
        reserved=frozenset({"host", "port", "uds", "workers", "loop", "http", *RELOAD_AND_DAEMON}),
        # No HTTP/2: the load is HTTP/1.1.
        choices={"loop": ("auto", "asyncio", "rloop", "uvloop"), "http": ("auto", "1")},
        options={"loop": "loop", "http": "http"},
        arguments=("--host", "127.0.0.1", "--port", "{port}", "--workers", "{workers}"),
        defaults={"interface": "asgi"},
    ),
    "hypercorn": HttpServer(
        backlog=100,
        reserved=frozenset({"bind", "workers", "worker-class", *RELOAD_AND_DAEMON}),
        choices={"loop": ("asyncio", "uvloop", "trio")},
        options={"loop": "worker-class"},
        arguments=("--bind", ADDRESS, "--workers", "{workers}"),
    ),
    "gunicorn": HttpServer(
        backlog=2048,
        reserved=frozenset({"bind", "workers", *RELOAD_AND_DAEMON}),
        arguments=("--bind", ADDRESS, "--workers", "{workers}"),
    ),
}


def check_server(
    name: ServerName, chosen: Mapping[str, str | None], options: Mapping[str, Option]
) -> None:
    """Raise ValueError if the server has no such choice of `loop` or `http`, or no such option."""
    server = HTTP_SERVERS[name]
    for key, value in chosen.items():
        choices = server.choices.get(key, ())
        if value is not None and not choices:
            raise ValueError(f"{name} has no {key} to choose; its options are server_options")
        if value is not None and value not in choices:
            raise ValueError(f"{key} of {name} is one of {', '.join(choices)}, not '{value}'")
    for option, given in options.items():
        if option in server.reserved:
            by = "is a key of the target" if option in OWN_KEYS else "is set by twinbench"
            raise ValueError(f"server_options: '{option}' {by}; leave it out")
        if name != "uvicorn" and not _is_argument(given):
            raise ValueError(
                f"server_options: '{option}' is an option of a command line: a text, a number,"
                " a list of texts, or true for a flag"
            )


def _is_argument(value: Option) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return value is not False


def options_of(
    name: ServerName, chosen: Mapping[str, str | None], options: Mapping[str, Option]
) -> dict[str, Option]:
    """Return the options of a server, those of `loop` and `http` among them."""
    server = HTTP_SERVERS[name]
    keys = {server.options[key]: value for key, value in chosen.items() if value is not None}
    return {**server.defaults, **keys, **options}


def command_line(
    name: ServerName, app: str, port: int, workers: int, options: Mapping[str, Option]
) -> list[str]:
    """Return the arguments of a Python interpreter that serve `app` with a server but uvicorn."""
    given = [part.format(port=port, workers=workers) for part in HTTP_SERVERS[name].arguments]
    return ["-m", name, *given, *_arguments(options), app]


def _arguments(options: Mapping[str, Option]) -> Iterator[str]:
    for option, value in options.items():
        for item in value if isinstance(value, list) else [value]:
            # In one argument: a value may begin with a dash.
            yield f"--{option}" if item is True else f"--{option}={item}"
