"""`twinbench report`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twinbench.cli.console import err, out
from twinbench.interruption import check_interrupted
from twinbench.paths import LATEST

if TYPE_CHECKING:
    from twinbench.store import Store


def report(
    run_folder: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run folder; the newest if left out.")
    ] = LATEST,
) -> None:
    """Write a run's report again, from the data on disk."""
    from twinbench.store import Store

    out.print(str(make_report(Store.open(run_folder))), markup=False)


def make_report(store: "Store") -> Path:
    """Analyse a run, write its results and report, print the summary; return the page's path.

    Raises StoreError and InterruptedRunError.
    """
    from twinbench.interruption import defer_signals, interruptible
    from twinbench.progress import status
    from twinbench.run import InterruptedRunError

    defer_signals()
    try:
        with status(out) as on_status:
            on_status("analysing")
            from twinbench.analyse.run import analyse, write_results
            from twinbench.analyse.verdict import compare_versions, write_comparison
            from twinbench.report.index import add_to_index
            from twinbench.report.terminal import show
            from twinbench.report.view import build_view
            from twinbench.report.write import write_report

            with interruptible():
                results = analyse(store)
            write_results(store, results)
            if results.compared_versions:
                write_comparison(store, compare_versions(results))
            view = build_view(results)
            missing: list[str] = []
            page = write_report(view, store.folder, on_status, missing.append)
            if missing:
                results = results.model_copy(update={"remarks": [*results.remarks, *missing]})
                write_results(store, results)
            unlisted = add_to_index(store.folder, results, view.headline_text)
        printed = store.manifest().remarks  # when they arose
        for remark in (*results.remarks, *unlisted):
            if remark not in printed:
                err.print(f"Remark: {remark}", markup=False)
        show(view.with_remarks(missing), out)
        check_interrupted()
    except KeyboardInterrupt:
        raise InterruptedRunError(
            f"Interrupted: all measurements are kept in {store.folder};"
            " 'twinbench report' writes the report."
        ) from None
    return page
