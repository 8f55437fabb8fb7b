"""Command line of twinbench: one module per command, errors and exit codes here.

Exit codes: 0 done; 1 a measurement was lost; 2 usage or plan error; 3 the preflight failed;
4 a version is slower by more than --fail-on; 130 interrupted.

A command imports what it needs when it runs: `--help` is quick, and a process that measures
does not hold matplotlib, which only the report needs.
"""

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated

import typer

from twinbench.cli.check import check
from twinbench.cli.compare import compare
from twinbench.cli.console import err, out
from twinbench.cli.init import init
from twinbench.cli.list import list_
from twinbench.cli.report import report
from twinbench.cli.run import run
from twinbench.cli.schema import schema
from twinbench.cli.ui import ui
from twinbench.interruption import EXIT_CODE, check_interrupted
from twinbench.text import UserError, one_line

COMMANDS: dict[str, Callable[..., None]] = {
    "init": init,
    "check": check,
    "run": run,
    "report": report,
    "compare": compare,
    "list": list_,
    "ui": ui,
    "schema": schema,
}

app = typer.Typer(
    help="def or async def? Measures two implementations of one FastAPI app under the same load.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for name, command in COMMANDS.items():
    app.command(name)(command)


def _print_version(value: bool) -> None:  # as typer calls it
    if value:
        out.print(f"twinbench {version('twinbench')}", markup=False)
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    pass


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        app()
    except SystemExit as ended:  # how typer returns
        check_interrupted()
        if ended.code == EXIT_CODE:  # typer's own handling of KeyboardInterrupt
            return _fail("Interrupted.", EXIT_CODE)
        return ended.code if isinstance(ended.code, int) else 0
    except OSError as error:
        return _fail(f"{error.filename or 'twinbench'}: {error.strerror or error}", 2)
    except Exception as error:
        if (code := _exit_code(error)) is None:
            raise
        return _fail(str(error), code)
    return 0


def _exit_code(error: Exception) -> int | None:
    """Return the exit code of an expected error, None for any other."""
    from twinbench.measure.server import ServerFailedError
    from twinbench.preflight.result import PreflightError
    from twinbench.run import InterruptedRunError

    codes: dict[type[Exception], int] = {
        UserError: 2,
        PreflightError: 3,
        ServerFailedError: 3,
        InterruptedRunError: EXIT_CODE,
    }
    return next((code for kind, code in codes.items() if isinstance(error, kind)), None)


def _fail(text: str, code: int) -> int:
    # The preflight adds a diff after the first line.
    message, line_break, diff = text.partition("\n")
    err.print(one_line(message) + line_break + diff, markup=False)
    return code
