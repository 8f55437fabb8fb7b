"""Arguments in, one call out, and one sentence for whatever goes wrong.

Exit codes: 0 done; 1 a cell was lost, or calibration failed; 2 usage or plan error; 3 preflight
refused; 130 interrupted.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twinbench.errors import one_line
from twinbench.interruption import EXIT_CODE, check_interrupted
from twinbench.paths import LATEST, PLANS, RUNS
from twinbench.printable import PrintableConsole

# The rest is imported where it is used: --help must be quick, and what measures must not hold
# scipy and matplotlib, which analysis and report need.
if TYPE_CHECKING:
    from twinbench.store import Store

app = typer.Typer(
    help="def or async def? Measures two implementations of one FastAPI app under the same load.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out, err = (
    PrintableConsole(highlight=False, soft_wrap=True),
    PrintableConsole(stderr=True, highlight=False, soft_wrap=True),
)

PlanFile = Annotated[
    Path, typer.Argument(metavar="PLAN", help="A plan (TOML), such as loadtests/plans/bench.toml.")
]
Runs = Annotated[Path, typer.Option(help="The folder that run folders are kept in.")]


@app.command()
def run(
    plan: PlanFile = PLANS / "bench.toml",
    resume: Annotated[
        bool, typer.Option("--resume", help="Finish the newest unfinished run of this plan.")
    ] = False,
    runs: Runs = RUNS,
) -> None:
    """Measure what a plan says, then make the report. Its path is the last line printed."""
    from twinbench.run import run_plan

    store = run_plan(plan, runs, resume=resume, console=out)
    _report(store)
    if lost := [record for record in store.records() if record.outcome == "lost"]:
        err.print(f"{len(lost)} cells were lost: {lost[0].label}: {lost[0].reason}", markup=False)
    _name_report(store)
    raise typer.Exit(1 if lost else 0)


@app.command()
def report(
    run_folder: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run folder; the newest if left out.")
    ] = LATEST,
) -> None:
    """Make a run's report again, from what is on disk."""
    from twinbench.store import Store

    store = Store.open(run_folder)
    _report(store)
    _name_report(store)


@app.command()
def check(plan: PlanFile) -> None:
    """Does every target of a plan start, answer, and do the same work? Measure nothing."""
    from twinbench.run import check_only

    shown: dict[str, str] = {}
    for pair in check_only(plan, out):
        out.print(pair.sentence, markup=False)
        if pair.conditions not in ({}, shown):
            shown = pair.conditions
            out.print("Both ran with these settings (two values where they differ):")
            for name, value in shown.items():
                out.print(f"  {name}: {value}", markup=False)
    out.print("Every target starts and answers every request as the plan expects.")


@app.command()
def calibrate(plan: PlanFile = PLANS / "bench.toml") -> None:
    """Read off known answers whether the instrument is right, with the headroom that a plan needs.

    About two minutes. Exits with 1 if anything is wrong."""
    from twinbench.calibrate.full import calibrate as calibrate_for
    from twinbench.calibrate.full import lines
    from twinbench.run import machine_lock, read_plan_here

    with machine_lock():
        found, folder = calibrate_for(read_plan_here(plan), RUNS.parent, out)
    for line in lines(found.items):
        out.print(line, markup=False)
    out.print(f"{folder / 'calibration.json'} ({found.took_s:.0f} s)", markup=False)
    raise typer.Exit(1 if found.failed else 0)


@app.command()
def ui() -> None:
    """Serve both apps and Locust's web page, to try loads by hand; Ctrl-C ends all of it."""
    from twinbench.ui import serve_ui

    serve_ui(out)


@app.command()
def generators() -> None:
    """Our client, Locust's FastHttpUser and wrk against the same nginx: requests a second."""
    from twinbench.calibrate.generators import compare_generators
    from twinbench.run import machine_lock

    with machine_lock():
        compare_generators(out)


@app.command()
def schema() -> None:
    """Print the JSON Schema of results.json."""
    from twinbench.analyse.results import Results

    out.print_json(json.dumps(Results.model_json_schema()))


def _report(store: "Store") -> None:
    from twinbench.interruption import defer_signals, interruptible
    from twinbench.progress import status
    from twinbench.run import InterruptedRunError

    defer_signals()
    try:
        with status(out) as on_status:
            on_status("analysing")
            from twinbench.analyse.run import analyse, write_results
            from twinbench.report.terminal import show
            from twinbench.report.view import build_view
            from twinbench.report.write import write_report

            with interruptible():
                results = analyse(store)
            write_results(store, results)
            view = build_view(results)
            missing: list[str] = []
            write_report(view, store.folder, on_status, missing.append)
            if missing:
                results = results.model_copy(update={"remarks": [*results.remarks, *missing]})
                write_results(store, results)
            known = store.manifest().remarks  # printed when they arose
            for sentence in results.remarks:
                if sentence not in known:
                    _remark(sentence)
        show(view.with_remarks(missing), out)
        check_interrupted()
    except KeyboardInterrupt:
        raise InterruptedRunError(
            f"Interrupted: all cells are kept in {store.folder};"
            " 'twinbench report' makes the report."
        ) from None


def _remark(sentence: str) -> None:
    err.print(f"Remark: {sentence}", markup=False)


def _name_report(store: "Store") -> None:
    out.print(str(store.folder / "report.html"), markup=False)


def main() -> int:
    """Carry out the command line; the exit code."""
    try:
        app()
    except SystemExit as ended:  # typer's way to return
        check_interrupted()
        if ended.code == EXIT_CODE:  # and what it makes of KeyboardInterrupt
            return _failed("Interrupted.", EXIT_CODE)
        return ended.code if isinstance(ended.code, int) else 0
    except OSError as error:
        return _failed(one_line(f"{error.filename or 'twinbench'}: {error.strerror or error}"), 2)
    except Exception as error:
        if (code := _code(error)) is None:
            raise
        return _failed(f"calibration failed: {error}" if code == 1 else str(error), code)
    return 0


def _code(error: Exception) -> int | None:
    """The exit code of what is foreseen to go wrong."""
    from twinbench.calibrate import NoEvidenceError
    from twinbench.measure.server import ServerFailedError
    from twinbench.plan import PlanError
    from twinbench.preflight import PreflightError
    from twinbench.run import InterruptedRunError
    from twinbench.store import StoreError

    codes: dict[type[Exception], int] = {
        NoEvidenceError: 1,
        PlanError: 2,
        StoreError: 2,
        PreflightError: 3,
        ServerFailedError: 3,
        InterruptedRunError: EXIT_CODE,
    }
    return next((code for kind, code in codes.items() if isinstance(error, kind)), None)


def _failed(text: str, code: int) -> int:
    # A diff may follow the sentence.
    sentence, line_break, diff = text.partition("\n")
    err.print(one_line(sentence) + line_break + diff, markup=False)
    return code
