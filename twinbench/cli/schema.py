"""`twinbench schema`."""

import json
from typing import Annotated

import typer

from twinbench.cli.console import out


def schema(
    compare: Annotated[
        bool, typer.Option("--compare", help="That of compare.json, of a comparison of versions.")
    ] = False,
) -> None:
    """Print the JSON Schema of results.json."""
    from twinbench.analyse.results import Results, VersionComparison

    model = VersionComparison if compare else Results
    out.print_json(json.dumps(model.model_json_schema()))
