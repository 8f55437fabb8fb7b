"""Consoles and arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from twinbench.printable import PrintableConsole

out = PrintableConsole(highlight=False, soft_wrap=True)
err = PrintableConsole(stderr=True, highlight=False, soft_wrap=True)

PlanFile = Annotated[
    Path, typer.Argument(metavar="PLAN", help="A plan (TOML), such as loadtests/plans/bench.toml.")
]
