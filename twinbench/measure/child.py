"""A supervised child process: its own process group, its own cores, its output in a file."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import psutil

from twinbench.measure.supervisor import SET_CHILD_SUBREAPER, prctl
from twinbench.text import printable

SUPERVISOR = Path(__file__).with_name("supervisor.py")
# By these a process is stopped, and not ended: the supervisor ends it then.
STOPPED_BY = (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
PYDANTIC_ENDS = "For further information visit"
LAST_OUTPUT_CHARS = 300
# The supervisor needs milliseconds to end all that was started; on a machine that swaps, longer.
ENDED_S = 5.0


# Children of this process that are no orphans.
_known: set[int] = set()


def adopt_orphans(adopt: bool) -> None:
    """Be the parent of what outlives its supervisor, or no longer (Linux): `Child.stop` ends it."""
    _known.update(child.pid for child in psutil.Process().children())
    prctl(SET_CHILD_SUBREAPER, int(adopt))


class Child:
    """Starts `command`; stdin and stdout are pipes where asked for, the rest goes to `log`. Once
    somebody has stopped it (SIGSTOP) for `stopped_s`, it is ended."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        cores: Sequence[int] = (),
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        piped: bool = False,
        stopped_s: float = 0.0,
    ) -> None:
        self.log = log
        reading, self._supervisor_fd = os.pipe()
        fds = ",".join(str(fd) for fd in pass_fds)
        supervisor = [sys.executable, "-I", "-S", str(SUPERVISOR), str(reading), _listed(cores)]
        supervisor.append(str(stopped_s))
        with log.open("ab") as output:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                [*supervisor, *command],
                cwd=cwd,
                env={**os.environ, **(env or {}), "INHERITED_FDS": fds},
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else output,
                stderr=output,
                pass_fds=[reading, *pass_fds],
                start_new_session=True,
            )
        os.close(reading)
        _known.add(self.pid)

    @property
    def pid(self) -> int:
        """The supervisor's; the command and all it starts are below it."""
        return self._process.pid

    @property
    def stdin(self) -> IO[bytes]:
        assert self._process.stdin  # noqa: S101  # asked for with piped=True
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        assert self._process.stdout  # noqa: S101  # asked for with piped=True
        return self._process.stdout

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def ended(self, within_s: float = 0.0) -> str:
        """How it did, in words; empty if it is still running after so long."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(within_s)
        if (code := self.exit_code()) is None:
            return ""
        number = -code if code < 0 else code - 128  # of the supervisor, or told by it
        if number in STOPPED_BY:
            return f"was stopped by signal {number}, and ended"
        return f"was ended by signal {number}" if number > 0 else f"exited with code {code}"

    def memory_bytes(self) -> int:
        """Resident memory of the command and all it started; 0 if it is gone."""
        try:
            children = psutil.Process(self.pid).children(recursive=True)
            return sum(process.memory_info().rss for process in children)
        except psutil.NoSuchProcess:
            return 0

    def last_output(self) -> str:
        """The end of what it printed, as one line: what a person would look at first."""
        lines = self.log.read_text(errors="replace").split("\n") if self.log.exists() else []
        told = [line.strip() for line in lines if line.strip()]
        # Pydantic ends with an address; what is wrong stands above it.
        told = [line for line in told if not line.startswith(PYDANTIC_ENDS)]
        return printable(told[-1])[:LAST_OUTPUT_CHARS] if told else "it printed nothing"

    def stop(self, grace_s: float = 0.0) -> None:
        """End the command and all it started, daemons too: SIGTERM and `grace_s` to obey, then
        SIGKILL. Twice is fine."""
        if self._supervisor_fd < 0:
            return
        if grace_s and self._signal(signal.SIGTERM):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace_s)
        os.close(self._supervisor_fd)  # the supervisor ends all that is below it
        self._supervisor_fd = -1
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(ENDED_S)
        self._signal(signal.SIGKILL)  # a supervisor that was stopped, or is no subreaper
        if self._process.wait() < 0:
            _end_orphans()
        _known.discard(self.pid)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                # What was written to a process that had died cannot be delivered: closed it is.
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def _signal(self, number: signal.Signals) -> bool:
        """Signal the group, which may outlive its leader; False if nobody is left."""
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):  # the latter on macOS: only zombies are left
            return False
        return True


def _end_orphans() -> None:
    """Kill what a supervisor that was killed has left, which may be starting more."""
    while orphans := [c for c in psutil.Process().children() if c.pid not in _known]:
        for orphan in orphans:
            for process in [*orphan.children(recursive=True), orphan]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        psutil.wait_procs(orphans, ENDED_S)


def _listed(cores: Sequence[int]) -> str:
    return ",".join(str(core) for core in cores) or "-"
