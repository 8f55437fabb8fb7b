"""Server that runs already: its address, whether it responds, its process."""

import functools
import ipaddress
import socket
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from twinbench.measure.control import POLL_S
from twinbench.measure.processes import RunningProcess
from twinbench.measure.server import Server, ServerFailedError
from twinbench.measure.telemetry import MemoryLimit, ServerSampler
from twinbench.plan import Target

HTTP_PORT = 80
ENDED = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


class RunningServer(Server):
    """Server at the URL of a target, with the interface of a server that is started.

    `retry`: connections that it refuses are tried again, since it may be restarted.
    """

    def __init__(self, target: Target, *, retry: bool) -> None:
        self.target, self._retry = target, retry
        self.cores = ()  # nothing pins it
        self.remarks = []
        self.telemetry = None
        self._why_not_ready, self._preconnects, self._is_prepared = "", True, True
        parts = urlsplit(target.url or "")
        self._host, self.port = parts.hostname or "", parts.port or HTTP_PORT

    @property
    def not_started(self) -> str:
        return f"'{self.target.name}' does not respond at {self.target.url}"

    @property
    def host(self) -> str:
        return self._host

    @property
    def address(self) -> str:
        return resolve(self._host)

    def sampler(self, limit: MemoryLimit) -> ServerSampler:
        """Return a sampler of its process, if the plan names one, without a memory limit."""
        process = RunningProcess(self.target.pid) if self.target.pid else None
        return ServerSampler(process, self.cores, self.telemetry, limit)

    def check_alive(self) -> None:
        """Raise ServerFailedError if its process, as far as it is known, has ended."""
        if not self._runs():
            raise ServerFailedError(f"its process {self.target.pid} has ended")
        if not self._retry:
            self._check_accepts()

    def move_to(self, cores: Sequence[int]) -> None:
        """Leave it on the cores that it has."""

    def last_output(self) -> str:
        return "unknown, because twinbench has not started it"

    def wait_for_output(self) -> None:
        """Return at once: what it prints is not known."""

    def keep_log(self, folder: Path) -> None:
        """Keep nothing: it has its log itself."""

    def stop(self, *, at_once: bool = False) -> None:
        """Leave it running."""

    def _runs(self) -> bool:
        try:
            return not self.target.pid or psutil.Process(self.target.pid).status() not in ENDED
        except psutil.NoSuchProcess:
            return False

    def _check_accepts(self) -> None:
        try:
            socket.create_connection((self.address, self.port), POLL_S).close()
        except OSError as error:
            why = error.strerror or error
            raise ServerFailedError(f"it does not accept connections ({why})") from None


@functools.cache
def resolve(host: str) -> str:
    """Return the IPv4 address of a host, which stays the same for the run. Raises OSError."""
    try:
        return socket.gethostbyname(host)
    except UnicodeError:  # a label that is empty or too long
        raise OSError("not the name of a host") from None


def refusal(target: Target, *, remote: bool) -> str:
    """Return why a running server cannot be measured, and at which key; empty if it can.

    `remote`: it may be on another machine.
    """
    host = urlsplit(target.url or "").hostname or ""
    try:
        own = _is_own(resolve(host))
    except OSError as error:
        return f"url: the address of '{host}' is not known ({error.strerror or error})"
    if not own and not remote:
        return f"url: '{host}' is not this machine; --remote allows it, if you may put load on it"
    return _refusal_of_process(target.pid, own) if target.pid else ""


def _refusal_of_process(pid: int, own: bool) -> str:
    if not own:
        return "pid: a process of another machine cannot be observed; leave it out"
    try:
        psutil.Process(pid).memory_info()
    except psutil.NoSuchProcess:
        return f"pid: there is no process {pid}"
    except psutil.AccessDenied:
        return f"pid: process {pid} may not be observed by this user"
    return ""


def _is_own(address: str) -> bool:
    """Return whether an IPv4 address is one of this machine."""
    found = ipaddress.IPv4Address(address)
    if found.is_loopback or found.is_unspecified:
        return True
    interfaces = psutil.net_if_addrs().values()
    return address in {each.address for interface in interfaces for each in interface}
