"""Services of a plan: helper processes, such as an external API that the apps call."""

import contextlib
import socket
from collections.abc import Sequence

from twinbench.measure.control import POLL_S
from twinbench.measure.server import HOST, Server, ServerFailedError, ready_or_stopped
from twinbench.plan import SERVICE_ADDRESS, Service, Target


class Services:
    """Processes of `services`, on `cores`: call `start` before targets are, `stop` at the end."""

    def __init__(self, services: Sequence[Service], cores: Sequence[int], ready_s: float) -> None:
        self._services, self._cores, self._ready_s = services, cores, ready_s
        self._running: list[_ServiceProcess] = []

    def start(self) -> None:
        """Start those that do not run, in order, each once the one before is ready.

        Those after one that has ended are started again, too: they may have its old address.
        Raises ServerFailedError.
        """
        for number, process in enumerate(self._running):
            if process.child.exit_code() is not None:
                self._stop_from(number)
                break
        for service in self._services[len(self._running) :]:
            self._running.append(self._started(service))

    def stop(self) -> None:
        """Stop all, the last one first."""
        self._stop_from(0)

    def why_died(self) -> str:
        """Return which one has died, and how, as a sentence; empty if none has."""
        for process in self._running:
            try:
                process.check_alive()
            except ServerFailedError as error:
                return f"service '{process.target.name}' died: {error}"
        return ""

    def with_addresses(self, target: Target) -> Target:
        """Return `target` with the addresses of the services, which run."""

        def fill(text: str) -> str:
            return SERVICE_ADDRESS.sub(lambda found: addresses[found[0]], text)

        addresses = {
            f"{{services.{process.target.name}.{part}}}": value
            for process in self._running
            for part, value in (("url", process.url), ("host", HOST), ("port", str(process.port)))
        }
        return target.model_copy(
            update={
                "env": {name: fill(value) for name, value in target.env.items()},
                "command": target.command and [*map(fill, target.command)],
                "prepare": [*map(fill, target.prepare)],
            }
        )

    @property
    def counted(self) -> set[str]:
        """Addresses of those that count their requests: apps do."""
        return {f"{HOST}:{process.port}" for process in self._running if process.has_control}

    @property
    def uncounted(self) -> dict[str, str]:
        """Names of the others that have an address, by that."""
        return {
            f"{HOST}:{process.port}": f"service '{process.target.name}'"
            for process in self._running
            if process.has_address and not process.has_control
        }

    def answered(self, timeout_s: float) -> int:
        """Return the number of requests that those who count them have answered."""
        return sum(each.answered(timeout_s) for each in self._running if each.has_control)

    def _started(self, service: Service) -> "_ServiceProcess":
        if service.fixed_port and _listens(service.fixed_port):
            raise ServerFailedError(
                f"service '{service.name}' could not be started: another process listens on its"
                f" port, {service.fixed_port}; end that one"
            )
        process = _ServiceProcess(service, self.with_addresses(service.as_target()), self._cores)
        ready_or_stopped(process, self._ready_s)
        return process

    def _stop_from(self, number: int) -> None:
        for process in reversed(self._running[number:]):
            process.stop()
        del self._running[number:]


class _ServiceProcess(Server):
    """Process of one service, whose target is its own, with addresses filled in."""

    def __init__(self, service: Service, target: Target, cores: Sequence[int]) -> None:
        self.has_address = service.has_address
        super().__init__(target, cores=cores, port=service.fixed_port)

    @property
    def not_started(self) -> str:
        return f"service {super().not_started}"

    def _responds(self, end: float) -> bool:
        """Return whether it is ready. Without `ready` it need not speak HTTP, nor listen."""
        if self.target.ready:
            return super()._responds(end)
        self._why_not_ready = f": it does not listen on port {self.port}"
        return not self.has_address or _listens(self.port)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), POLL_S) as found:
        # A free port that is connected to may be given to the connection itself.
        return bool(found.getsockname() != found.getpeername())
    return False
