"""`twinbench report`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twinbench.cli.console import err, out
from twinbench.interruption import check_interrupted
from twinbench.paths import LATEST

if TYPE_CHECKING:
    from twinbench.analyse.results import VersionComparison
    from twinbench.store import Store


def report(
    run_folder: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run folder; the newest if left out.")
    ] = LATEST,
) -> None:
    """Write a run's report again, from the data on disk."""
    from twinbench.store import Store

    make_report(Store.open(run_folder))


def make_report(store: "Store") -> "VersionComparison | None":
    """Analyse a run, write its results and report, and print the summary.

    The last line printed is the path of the page; of a run that compares versions, which are
    returned, the answer. Raises StoreError and InterruptedRunError.
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
            from twinbench.report.terminal import show, show_versions
            from twinbench.report.versions import build_versions
            from twinbench.report.view import build_view
            from twinbench.report.write import write_report, write_versions

            with interruptible():
                results = analyse(store)
            write_results(store, results)
            comparison, versions = None, None
            if results.compared_versions:
                comparison = compare_versions(results)
                write_comparison(store, comparison)
                versions = build_versions(results, comparison)
            view = build_view(results, versions.answer if versions else "")
            missing: list[str] = []
            page = write_report(view, store.folder, on_status, missing.append)
            if versions:
                page = write_versions(versions, store.folder, on_status, missing.append)
            if missing:
                results = results.model_copy(update={"remarks": [*results.remarks, *missing]})
                write_results(store, results)
            verdict = comparison.verdict if comparison else None
            unlisted = add_to_index(store.folder, results, view.headline_text, verdict)
        printed = store.manifest().remarks  # when they arose
        for remark in (*results.remarks, *unlisted):
            if remark not in printed:
                err.print(f"Remark: {remark}", markup=False)
        if versions:
            out.print(str(page), markup=False)
            show_versions(versions.with_remarks(missing), out)
        else:
            show(view.with_remarks(missing), out)
            out.print(str(page), markup=False)
        check_interrupted()
    except KeyboardInterrupt:
        raise InterruptedRunError(
            f"Interrupted: all measurements are kept in {store.folder};"
            " 'twinbench report' writes the report."
        ) from None
    return comparison


def report_lost(store: "Store") -> int:
    """Print how many measurements of a run were lost, and return the exit code for it."""
    lost = [record for record in store.records() if record.outcome == "lost"]
    if lost:
        first = f"{lost[0].label}: {lost[0].reason}"
        err.print(f"{len(lost)} measurements were lost: {first}", markup=False)
    return 1 if lost else 0
