"""Targets and services of a plan."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)

from twinbench.plan.fields import (
    Connections,
    ExpectedDifferences,
    Label,
    Name,
    Note,
    NotEmpty,
    Processes,
)
from twinbench.plan.requests import (
    PLACEHOLDER,
    Count,
    Status,
    Strict,
    SystemPath,
    SystemText,
    UrlPath,
    ValueName,
    VarValue,
)
from twinbench.plan.servers import HTTP_SERVERS, Option, ServerName, check_server, options_of
from twinbench.text import did_you_mean

OK = 200
URL_FORM = "write it as http://HOST:PORT"
# Keys of a server that twinbench starts, and of those the ones of a server with an import string.
OF_STARTED = ("cwd", "python", "env", "prepare", "workers", "limit_concurrency")
OF_APP = ("import_from", "server", "server_options", "loop", "http")
# In env, command and prepare of targets and services: the address of a service that runs.
SERVICE_ADDRESS = re.compile(r"\{services\.([^{}]*)\}")
# In the same: the URL of a fresh database, with a driver as SQLAlchemy names it.
POSTGRES = re.compile(r"\{postgres(?:\+([a-z0-9_]+))?\}")
ANY_POSTGRES = re.compile(r"\{postgres[^{}]*\}")
SERVICE_PARTS = ("url", "host", "port")
# `ready` of a service: the port, if it names one (a free one: {port}), and the path.
READY = re.compile(r"(?:http://(?:127\.0\.0\.1|localhost):(\{port\}|\d{1,5}))?(/[!\"$-z|~]*)?")
MAX_PORT = 65_535
NO_PORT = (
    'is not known: write {port} in command or env, or ready = "http://127.0.0.1:PORT/..." if it is'
    " fixed"
)


def _variable_name(name: str) -> str:
    if not name or "=" in name:
        raise ValueError("the name of a variable must not be empty or hold '='")
    return name


def _import_string(app: str) -> str:
    module, colon, attribute = app.partition(":")
    if not colon or not all(map(str.isidentifier, [*module.split("."), *attribute.split(".")])):
        raise ValueError("write it as module:attribute, such as shop.main:app")
    return app


def _command(command: list[str]) -> list[str]:
    if command and not command[0].strip():
        raise ValueError("its first text, which names a program, is empty")
    return command


def _server_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # such as a port of six digits
        raise ValueError(f"'{url}' is no URL; {URL_FORM}") from None
    if parts.scheme == "https":
        raise ValueError(f"TLS is not measured; {URL_FORM}, where the server speaks plain HTTP")
    if parts.scheme != "http" or not parts.hostname or port == 0 or "@" in parts.netloc:
        raise ValueError(URL_FORM)
    if ":" in parts.hostname:
        raise ValueError("an IPv6 address; give one that has an IPv4 address too")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"has a path, which belongs to the path of each request; {URL_FORM}")
    return f"http://{parts.netloc}"


def _option(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    try:
        return validate(value)
    except ValidationError:  # one for each type that it might have
        raise ValueError("an option is a text, a number, true or a list of texts") from None


OptionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$", max_length=60)]
ServerUrl = Annotated[SystemText, AfterValidator(_server_url)]
ImportString = Annotated[SystemText, AfterValidator(_import_string)]
Command = Annotated[list[SystemText], NotEmpty, AfterValidator(_command)]
VariableName = Annotated[SystemText, AfterValidator(_variable_name)]


class Started(Strict):
    """What targets and services have in common: an app or a command, and when it is ready."""

    name: Name
    app: ImportString | None = None
    command: Command | None = None
    cwd: SystemPath | None = Field(
        default=None,
        description="where it runs and is imported from; left out: it runs in a fresh, empty"
        " folder, and is imported from where twinbench was started",
    )
    python: SystemPath | None = Field(
        default=None, description="the interpreter of its environment"
    )
    env: dict[VariableName, SystemText] = Field(
        default={}, description="{scratch} in a value: a fresh folder for every server"
    )
    ready: str | None = None
    ready_status: Status = OK

    @model_validator(mode="after")
    def _status_has_a_path(self) -> Self:
        if self.ready_status != OK and not self.ready:
            raise ValueError("ready_status needs ready, the path that is requested")
        return self


class Target(Started):
    """App under test: an import string, a command that serves on `{port}`, or a running server."""

    title: Label = Field(default="", description="shown in reports; left out: the name")
    note: Note = Field(default="", description="what a reader should know beside the title")
    url: ServerUrl | None = Field(
        default=None, description="of a server that runs already: it is neither started nor ended"
    )
    pid: Count | None = Field(
        default=None, description="of a running server: its process, for telemetry from outside"
    )
    import_from: SystemPath | None = Field(
        default=None,
        description="the folder from which an app without cwd is imported; left out: where"
        " twinbench was started",
    )
    server: ServerName | None = Field(
        default=None, description="that serves the app; left out: uvicorn"
    )
    server_options: dict[OptionName, Annotated[Option, WrapValidator(_option)]] = Field(
        default={},
        description="of uvicorn: arguments of uvicorn.Config; of others: options of their command"
        " line, without the dashes",
    )
    loop: SystemText | None = Field(default=None, description="the server's event loop")
    http: SystemText | None = Field(default=None, description="the server's HTTP implementation")
    python: SystemPath | None = Field(
        default=None,
        description="the interpreter of its environment, whose programs are found first by command"
        " and prepare",
    )
    prepare: Annotated[list[SystemText], AfterValidator(_command)] = Field(
        default=[],
        description="a command that is run to its end before each fresh server, in its folder and"
        " environment, such as a migration of the database in {scratch}",
    )
    vars: dict[ValueName, VarValue] = Field(
        default={}, description="values of names in braces, in requests and setup of its scenarios"
    )
    ready: UrlPath | None = Field(
        default=None,
        description="a path that is requested until the response has `ready_status`; left out: any"
        " response to GET / will do, of an app with one worker its start",
    )
    workers: Processes = 1
    limit_concurrency: Connections | None = None
    backlog: Connections | None = Field(
        default=None,
        description="of a command or a running server: connections that may wait to be accepted;"
        " left out: 5",
    )
    telemetry: bool = Field(
        default=True,
        strict=True,
        description="sample event loop, threads and connections while it is measured",
    )
    expected_differences: ExpectedDifferences = Field(
        default=None,
        description="why it differs from the baseline: altogether, which is not compared then,"
        " or in the aspects that are named (settings: environment too)",
    )

    @model_validator(mode="after")
    def _starts_in_one_way(self) -> Self:
        given = [way for way in (self.app, self.command, self.url) if way is not None]
        if len(given) != 1:
            raise ValueError("give one of app, command and url")
        if self.backlog and self.app:
            raise ValueError("backlog is for a command or a url; that of an app is known")
        return self

    @model_validator(mode="after")
    def _keys_are_of_its_kind(self) -> Self:
        if self.pid and not self.url:
            raise ValueError("pid is for a url; that of other servers is known")
        if self.import_from and self.cwd:
            raise ValueError("an app is imported from its cwd: leave that or import_from out")
        of_others = (OF_STARTED if self.url else ()) + (() if self.app else OF_APP)
        for key in of_others:
            if getattr(self, key) != type(self).model_fields[key].default:
                kind = "an app" if key in OF_APP else "a server that twinbench starts"
                raise ValueError(f"{key} is for {kind}; leave it out")
        if self.server_name:
            check_server(self.server_name, self._chosen, self.server_options)
        if self.limit_concurrency and self.server_name not in ("", "uvicorn"):
            raise ValueError(f"limit_concurrency is of uvicorn; {self.server} has server_options")
        return self

    @field_validator("ready")
    @classmethod
    def _ready_is_a_path(cls, path: str | None) -> str | None:
        if path and PLACEHOLDER.search(path):
            raise ValueError("placeholders are not filled in here")
        return path

    @property
    def server_name(self) -> ServerName | Literal[""]:
        """The server that serves its app; empty if it has none."""
        return (self.server or "uvicorn") if self.app else ""

    @property
    def all_server_options(self) -> dict[str, Option]:
        """Options of its server, those of `loop` and `http` among them."""
        if not self.server_name:
            return {}
        return options_of(self.server_name, self._chosen, self.server_options)

    @property
    def known_backlog(self) -> int | None:
        """Connections that may wait to be accepted, as far as the plan says."""
        if not self.server_name:
            return self.backlog
        given = self.server_options.get("backlog")
        return given if isinstance(given, int) else HTTP_SERVERS[self.server_name].backlog

    @property
    def telemetry_from(self) -> Literal["inside", "outside", "none"]:
        """Where its telemetry is from: inside one process with uvicorn, or its process tree."""
        if self.url and not self.pid:
            return "none"
        inside = self.server_name == "uvicorn" and self.workers == 1 and self.telemetry
        return "inside" if inside else "outside"

    @property
    def _chosen(self) -> dict[str, str | None]:
        return {"loop": self.loop, "http": self.http}


class Service(Started):
    """Helper process that runs before the targets start and until the run ends."""

    command: Command | None = Field(
        default=None, description="{port}, here or in env: a free port on which it listens"
    )
    ready: SystemText | None = Field(
        default=None,
        description="a path that is requested until the response has `ready_status`, or a URL for a"
        " command whose port is fixed; left out: a command must accept connections, an app start",
    )

    @model_validator(mode="after")
    def _starts_in_one_way(self) -> Self:
        if (self.app is None) == (self.command is None):
            raise ValueError("give either app or command")
        if self.app and self.fixed_port:
            raise ValueError("an app is served at a free port: give a path as ready")
        if self.ready and not self.has_address:
            raise ValueError(f"its port {NO_PORT}")
        return self

    @field_validator("ready")
    @classmethod
    def _ready_is_a_path_or_url(cls, ready: str | None) -> str | None:
        if ready is not None and not (ready and READY.fullmatch(ready)):
            raise ValueError('write it as "/path" or "http://127.0.0.1:PORT/path"')
        if _port(ready) > MAX_PORT:
            raise ValueError(f"a port is at most {MAX_PORT}")
        return ready

    @property
    def fixed_port(self) -> int:
        """The port that `ready` names; 0 if a free one is chosen."""
        return _port(self.ready)

    @property
    def has_address(self) -> bool:
        """Whether it listens on a port that is known."""
        texts = [*(self.command or ()), *self.env.values()]
        return bool(self.app or self.fixed_port or any("{port}" in text for text in texts))

    def as_target(self) -> Target:
        """Return a target that is started in the same way."""
        found = READY.fullmatch(self.ready) if self.ready else None
        path = (found[2] or "/") if found else None
        return Target.model_validate({**dict(self), "ready": path, "telemetry": False})


class Compare(Strict):
    """How versions of a target are made ready to be compared."""

    install: Annotated[list[SystemText], AfterValidator(_command)] | None = Field(
        default=None,
        description="a command that is run in the folder of each version, in a fresh environment;"
        " []: both run in that of the plan; left out: what the lock of the version says",
    )


def _port(ready: str | None) -> int:
    found = READY.fullmatch(ready or "")
    return int(found[1]) if found and found[1] and found[1].isdigit() else 0


def check_addresses(of: Started, who: str, before: Sequence[Service]) -> None:
    """Refuse an address in `of` that no service has which is started before it."""
    prepare = of.prepare if isinstance(of, Target) else ()
    known = [
        f"{{services.{service.name}.{part}}}"
        for service in before
        if service.has_address
        for part in SERVICE_PARTS
    ]
    for text in (*(of.command or ()), *prepare, *of.env.values()):
        for found in ANY_POSTGRES.finditer(text):
            if not POSTGRES.fullmatch(found[0]):
                raise ValueError(
                    f"{who} holds {found[0]}: write it as {{postgres}} or {{postgres+DRIVER}}"
                )
            if isinstance(of, Service):
                raise ValueError(f"{who} holds {found[0]}, which is a database of a target")
        for found in SERVICE_ADDRESS.finditer(text):
            if found[0] not in known:
                silent = next((s for s in before if found[1].startswith(f"{s.name}.")), None)
                if silent and not silent.has_address:
                    raise ValueError(
                        f"{who} holds {found[0]}, but the port of '{silent.name}' {NO_PORT}"
                    )
                raise ValueError(
                    f"{who} holds {found[0]}, which is no address of a service that is started"
                    f" before it{did_you_mean(found[0], known)}"
                )
