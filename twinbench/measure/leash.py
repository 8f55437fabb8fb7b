"""Runs a command and takes it down with everything it started when the harness goes away.

`python leash.py FD CORES COMMAND...`: CORES are numbers with commas, or - for all. FD is the
reading end of a pipe whose other end the harness holds: even a SIGKILL of the harness closes
it. Standard library only. Exits as the command did.
"""

import os
import resource
import signal
import subprocess
import sys
import threading


def main() -> int:
    fd, cores, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    # The group's signals are for the command; a handler, unlike SIG_IGN, is not inherited.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    if cores != "-":
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    # A socket for every user; the default soft limit is often 1024.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    inherited = [int(number) for number in os.environ.pop("LEASH_FDS", "").split(",") if number]
    try:
        process = subprocess.Popen(command, pass_fds=inherited)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return 127
    threading.Thread(target=_wait_for_end_of, args=[fd], daemon=True).start()
    code = process.wait()
    return code if code >= 0 else 128 - code  # as a shell says it: 137 for SIGKILL


def _wait_for_end_of(fd: int) -> None:
    os.read(fd, 1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
