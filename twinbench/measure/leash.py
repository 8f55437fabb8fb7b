"""Runs a command and takes it down with everything it started when the harness goes away.

`python leash.py FD CORES STOPPED_S COMMAND...`: CORES are numbers with commas, or - for all. FD
is the reading end of a pipe whose other end the harness holds: even a SIGKILL of the harness closes
it. Standard library only. Exits as the command did. A command that somebody has stopped (SIGSTOP)
for STOPPED_S is ended, since it would answer nobody and never end; a leash that is stopped goes on
when the harness goes away.
"""

import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
import time

LOOK_S = 0.05
SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def main() -> int:
    fd, cores, stopped_s, command = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
    # The group's signals are for the command; a handler, unlike SIG_IGN, is not inherited.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    if cores != "-":
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    # A socket for every user; the default soft limit is often 1024.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    inherited = [int(number) for number in os.environ.pop("LEASH_FDS", "").split(",") if number]
    at_death(signal.SIGCONT)
    try:
        process = subprocess.Popen(
            command,
            pass_fds=inherited,
            preexec_fn=lambda: at_death(signal.SIGKILL),  # noqa: PLW1509  # no thread runs yet
        )
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return 127
    threading.Thread(target=_wait_for_end_of, args=[fd], daemon=True).start()
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    while os.WIFSTOPPED(status):
        if not _went_on(process.pid, float(stopped_s)):
            process.kill()
            return 128 + os.WSTOPSIG(status)
        _, status = os.waitpid(process.pid, os.WUNTRACED)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code  # as a shell says it: 137 for SIGKILL


def _went_on(pid: int, within_s: float) -> bool:
    """Whether a stopped process was let go in time, or was ended: of that the caller is told."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        options = os.WCONTINUED | os.WEXITED | os.WNOHANG | os.WNOWAIT
        if os.waitid(os.P_PID, pid, options):
            os.waitid(os.P_PID, pid, os.WCONTINUED | os.WNOHANG)
            return True
        time.sleep(LOOK_S)
    return False


def at_death(number: int) -> None:
    """Have this process sent signal `number` when its parent dies, where the system can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_DEATH_SIGNAL, int(number))


def _wait_for_end_of(fd: int) -> None:
    os.read(fd, 1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
