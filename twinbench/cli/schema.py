"""`twinbench schema`."""

import json

from twinbench.cli.console import out


def schema() -> None:
    """Print the JSON Schema of results.json."""
    from twinbench.analyse.results import Results

    out.print_json(json.dumps(Results.model_json_schema()))
