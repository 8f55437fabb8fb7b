"""Runs a command, and ends it with everything it started when the harness closes a pipe or dies.

`python supervisor.py FD CORES STOPPED_S COMMAND...`: FD is the reading end of the pipe, which even
a SIGKILL of the harness closes; CORES are numbers with commas, or - for all. Standard library only.
Exits as the command did. A command that was stopped (SIGSTOP) for STOPPED_S is ended, since it
would answer nobody and never end; a supervisor that is stopped goes on when the harness dies.
"""

import contextlib
import ctypes
import os
import resource
import select
import signal
import subprocess
import sys
import time

SET_DEATH_SIGNAL, SET_CHILD_SUBREAPER = 1, 36  # of prctl(2)
MACOS_MOST_FILES = 10_240  # OPEN_MAX: macOS names no limit, and refuses to be asked for more
KILLED = 128 + signal.SIGKILL
AGAIN_S = 0.001


def main() -> int:
    fd, cores, stopped_s, command = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
    # The group's signals are for the command; a handler, unlike SIG_IGN, is not inherited.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    if cores != "-":
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    raise_file_limit()
    inherited = [int(number) for number in os.environ.pop("INHERITED_FDS", "").split(",") if number]
    prctl(SET_DEATH_SIGNAL, signal.SIGCONT)
    prctl(SET_CHILD_SUBREAPER, 1)
    children = _told_of_children()
    try:
        process = subprocess.Popen(
            command,
            pass_fds=inherited,
            # No thread runs yet.
            preexec_fn=lambda: prctl(SET_DEATH_SIGNAL, signal.SIGKILL),  # noqa: PLW1509
        )
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{command[0]}: {getattr(error, 'strerror', None) or error}\n")
        return 127
    code = _watch(process.pid, fd, children, float(stopped_s))
    if sys.platform == "linux" or code == KILLED:
        end_descendants()
    return code


def raise_file_limit() -> None:
    """Allow a socket for every user; the default soft limit is often 1024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (most, MACOS_MOST_FILES):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))
        except (OSError, ValueError):
            continue
        return


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process, where the system can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, int(value), 0, 0, 0)


def end_descendants() -> None:
    """Kill all that this process has started, daemons too: orphans come back to a subreaper. Where
    there are none, kill the process group, this process included."""
    if sys.platform != "linux":
        os.killpg(0, signal.SIGKILL)
    not_ours: set[int] = set()  # another user's, as under sudo
    while below := set(descendants(os.getpid())) - not_ours:
        for pid in below:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            except PermissionError:
                not_ours.add(pid)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(AGAIN_S)


def descendants(pid: int) -> list[int]:
    """Return the processes below `pid`, zombies included."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{int(name)}/stat", "rb") as file:  # noqa: PTH123
                # The name of a process may hold blanks and brackets: count from the last one.
                parent = int(file.read().rpartition(b")")[2].split()[1])
            children.setdefault(parent, []).append(int(name))
    found, todo = [], [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def _told_of_children() -> int:
    """A file descriptor that can be read when a child has ended, stopped or gone on."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reading


def _watch(pid: int, fd: int, children: int, stopped_s: float) -> int:
    """Wait until the command has ended, was stopped for too long, or the harness is gone."""
    stopped_by, since = 0, 0.0
    while True:
        left_s = max(0.0, since + stopped_s - time.monotonic()) if stopped_by else None
        ready = select.select([fd, children], [], [], None if left_s == float("inf") else left_s)[0]
        if fd in ready:
            return KILLED
        if not ready:
            return 128 + stopped_by
        with contextlib.suppress(BlockingIOError):
            os.read(children, 4096)
        for ended, status in _changes():
            if ended == pid and os.WIFSTOPPED(status):
                stopped_by, since = os.WSTOPSIG(status), time.monotonic()
            elif ended == pid and os.WIFCONTINUED(status):
                stopped_by = 0
            elif ended == pid:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code  # as a shell says it: 137 for SIGKILL


def _changes() -> list[tuple[int, int]]:
    """The children that have ended, stopped or gone on; orphans among them."""
    found = []
    with contextlib.suppress(ChildProcessError):
        while (change := os.waitpid(-1, os.WNOHANG | os.WUNTRACED | os.WCONTINUED))[0]:
            found.append(change)
    return found


if __name__ == "__main__":
    sys.exit(main())
