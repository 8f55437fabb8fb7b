"""The command `twinbench`, and `python -m twinbench`."""

import signal
import sys

from twinbench.interruption import Interruption


def main() -> None:
    """Run the command; Ctrl-C at any moment ends it with 130 and without a stack trace."""
    Interruption().listen()
    try:
        # Imported here: it takes a second, in which somebody may already change his mind.
        from twinbench.cli import main as cli

        code = cli()
    except KeyboardInterrupt:
        code = 130
    except OSError as error:  # from an import: without a temporary folder matplotlib has none
        sys.stderr.write(f"twinbench: {error.strerror or error}\n")
        code = 2
    # What is left to do takes no time: a second Ctrl-C shall not spoil the exit code.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # Where Ctrl-C met an exec (dataclasses and named tuples are made by it), CPython would end with
    # SIGINT, caught or not; the next exec makes it forget.
    exec("")  # noqa: S102
    sys.exit(code)


if __name__ == "__main__":
    main()
