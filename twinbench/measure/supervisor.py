"""Runs a command, and ends it with everything it started when the harness closes a pipe or dies.

`python supervisor.py OPTIONS COMMAND...`, where OPTIONS is JSON: `fd` (the reading end of a pipe
that the kernel closes however the harness ends), `cores` (empty: all), `pass_fds` (inherited by
the command), `prepare` (a command that runs to its end first, unless it is empty), `prepared` (a
file that is made when that succeeded). Standard library only. Exits as the command did, or as
`prepare` if that failed; 128 + N if signal N killed it.
"""

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

SET_DEATH_SIGNAL, SET_CHILD_SUBREAPER = 1, 36  # of prctl(2)
MACOS_MAX_FILES = 10_240  # OPEN_MAX: macOS reports no limit, and refuses a higher one
KILLED = 128 + signal.SIGKILL
RETRY_S = 0.001


def main() -> int:
    """Run the command to its end, or to that of the harness; return its exit code."""
    options, command = json.loads(sys.argv[1]), sys.argv[2:]
    # The group's signals are for the command; a handler, unlike SIG_IGN, is not inherited.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    if options["cores"]:
        os.sched_setaffinity(0, options["cores"])
    raise_file_limit()
    prctl(SET_CHILD_SUBREAPER, 1)
    wakeups = _signal_wakeups()
    code = 0
    if options["prepare"]:
        code = _run(options["prepare"], (), options["fd"], wakeups)
        if code == 0:
            open(options["prepared"], "wb").close()  # noqa: PTH123
    if code == 0:
        code = _run(command, options["pass_fds"], options["fd"], wakeups)
    if sys.platform == "linux" or code == KILLED:
        end_descendants()
    return code


def _run(command: Sequence[str], pass_fds: Sequence[int], fd: int, wakeups: int) -> int:
    """Run a command to its end, or to that of the harness; return its exit code."""
    try:
        process = subprocess.Popen(
            command,
            pass_fds=pass_fds,
            # No thread runs yet.
            preexec_fn=lambda: prctl(SET_DEATH_SIGNAL, signal.SIGKILL),  # noqa: PLW1509
        )
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{command[0]}: {getattr(error, 'strerror', None) or error}\n")
        return 127
    return _wait(process.pid, fd, wakeups)


def raise_file_limit() -> None:
    """Allow a socket for every user; the default soft limit is often 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for soft in (hard, MACOS_MAX_FILES):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        except (OSError, ValueError):
            continue
        return


def prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def end_descendants() -> None:
    """Kill all processes below this one, daemons too: orphans return to a subreaper.

    Without subreapers, kill the process group, this process included.
    """
    if sys.platform != "linux":
        os.killpg(0, signal.SIGKILL)
    not_permitted: set[int] = set()  # another user's, as under sudo
    while below := set(descendants(os.getpid())) - not_permitted:
        for pid in below:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            except PermissionError:
                not_permitted.add(pid)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(RETRY_S)


def descendants(pid: int) -> list[int]:
    """Return the processes below `pid`, zombies included."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{int(name)}/stat", "rb") as file:  # noqa: PTH123
                # A process name may hold blanks and brackets: count fields from the last bracket.
                parent = int(file.read().rpartition(b")")[2].split()[1])
            children.setdefault(parent, []).append(int(name))
    found, todo = [], [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def _signal_wakeups() -> int:
    """Return a file descriptor that is readable after SIGCHLD."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reading


def _wait(pid: int, fd: int, wakeups: int) -> int:
    """Return the exit code of the command, or KILLED once the harness has closed `fd`."""
    while True:
        ready = select.select([fd, wakeups], [], [])[0]
        if fd in ready:
            return KILLED
        os.read(wakeups, 4096)
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:  # orphans among them
                if ended[0] == pid:
                    code = os.waitstatus_to_exitcode(ended[1])
                    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
