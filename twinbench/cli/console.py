"""Consoles and arguments that several commands share."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.segment import Segment

from twinbench.text import printable


class PrintableConsole(Console):
    """Console whose texts are printable; colours and cursor moves come from rich alone."""

    def render(self, *args: Any, **options: Any) -> Iterable[Segment]:
        """Return the segments to print, status lines and progress bars among them."""
        for segment in super().render(*args, **options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))


out = PrintableConsole(highlight=False, soft_wrap=True)
err = PrintableConsole(stderr=True, highlight=False, soft_wrap=True)

Remote = Annotated[bool, typer.Option("--remote", help="Allow a url that is not of this machine.")]
PlanFile = Annotated[
    Path, typer.Argument(metavar="PLAN", help="A plan (TOML), such as loadtests/plans/bench.toml.")
]
