"""The command `twinbench`, and `python -m twinbench`."""

import signal

from twinbench.interruption import EXIT_CODE, SIGNALS, exit_at_once

# Before the imports, which take most of a second: until a command makes something that has to be
# cleaned up (it calls `defer_signals` then), a signal ends the process at once.
for number in SIGNALS:
    signal.signal(number, exit_at_once)


def main() -> None:
    """Run the command line and exit with its code."""
    import sys

    from twinbench.cli import main as cli

    try:
        code = cli()
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        code = EXIT_CODE
    # What is left to do takes no time: a second Ctrl-C must not spoil the exit code.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)


if __name__ == "__main__":
    main()
