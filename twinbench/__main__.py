"""The command `twinbench`, and `python -m twinbench`."""

import signal
import sys


def main() -> None:
    """Run the command; Ctrl-C at any moment ends it with 130 and without a stack trace."""
    try:
        # Imported here: it takes a second, in which somebody may already change his mind.
        from twinbench.cli import main as cli

        code = cli()
    except KeyboardInterrupt:
        code = 130
    # What is left to do takes no time: a second Ctrl-C shall not spoil the exit code.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)


if __name__ == "__main__":
    main()
