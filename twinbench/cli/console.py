"""Consoles and arguments that several commands share."""

import contextlib
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.segment import Segment

from twinbench.interruption import SIGNALS
from twinbench.paths import OWN_PLAN, PLANS, ROOT
from twinbench.text import UserError, printable


class PrintableConsole(Console):
    """Console whose texts are printable; colours and cursor moves come from rich alone."""

    def render(self, *args: Any, **options: Any) -> Iterable[Segment]:
        """Return the segments to print, status lines and progress bars among them."""
        for segment in super().render(*args, **options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))


out = PrintableConsole(highlight=False, soft_wrap=True)
err = PrintableConsole(stderr=True, highlight=False, soft_wrap=True)

Remote = Annotated[bool, typer.Option("--remote", help="Allow a url that is not of this machine.")]


def _scenario_names(context: typer.Context, incomplete: str) -> list[str]:
    """Return the scenarios of the plan on the command line, for a shell that completes them."""
    from twinbench.plan import read_plan

    with contextlib.suppress(UserError):
        # While an option has no value yet, the arguments are left unparsed.
        named = next(filter(None, (context.params.get("plan"), *context.args)), None)
        plan = read_plan(chosen_plan(named and Path(named)))
        return [s.name for s in plan.scenarios if s.name.startswith(incomplete)]
    return []


PlanFile = Annotated[
    Path | None,
    typer.Argument(
        metavar="PLAN",
        show_default=False,
        help="A plan (TOML). Left out: ./twinbench.toml, else, in the checkout, the plan bench.",
    ),
]
Only = Annotated[
    list[str],
    typer.Option(
        "--only",
        metavar="SCENARIO",
        show_default=False,
        autocompletion=_scenario_names,
        help="Only this scenario of the plan, repeatable. Default: all.",
    ),
]
RunsFolder = Annotated[Path, typer.Option(help="The folder that run folders are kept in.")]


def chosen_plan(plan: Path | None) -> Path:
    """Return the plan that was named, else that of this folder, in a checkout the built-in one.

    Elsewhere a run of the built-in pair would pass for one of the user's apps. Raises UserError.
    """
    if plan is not None:
        return plan
    if OWN_PLAN.exists():
        return OWN_PLAN
    if PLANS.is_dir() and Path.cwd().is_relative_to(ROOT):
        return PLANS / "bench.toml"
    raise UserError(f"there is no {OWN_PLAN} here: name a plan, or write one with 'twinbench init'")


def is_interactive() -> bool:
    """Return whether a user can be asked: without a terminal a question would wait for ever."""
    return sys.stdin.isatty()


def ask(question: str) -> str:
    """Return the answer to `question`; empty at the end of input."""
    for number in SIGNALS:  # polars, once imported, has a read go on after Ctrl-C
        signal.siginterrupt(number, True)
    try:
        return input(f"{question} ").strip()
    except EOFError:
        out.print()
        return ""
