"""`twinbench list`."""

import tomllib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twinbench.cli.console import RunsFolder, ask, err, is_interactive, out
from twinbench.paths import NEEDS_CHECKOUT, PLANS, RUNS
from twinbench.text import UserError, count, number, one_line

if TYPE_CHECKING:
    from datetime import timedelta

    from twinbench.runs import RunSummary

MOST_SHOWN = 100  # characters of what a plan is about


def list_(
    runs: RunsFolder = RUNS,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove runs, by --older or --keep, after asking.")
    ] = False,
    older: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="Remove those started longer ago: 12h, 30d, 4w."),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=0, help="Keep the newest N. With --older: remove what both allow."
        ),
    ] = None,
    with_latest: Annotated[
        bool,
        typer.Option(
            "--with-latest", help="Also remove the run that reports/latest points to. Default: no."
        ),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Remove without asking. Needed without a terminal.")
    ] = False,
) -> None:
    """List plans, built-in scenarios and runs, the newest first; or remove old runs (--prune)."""
    from twinbench.runs import runs_in

    latest = runs.parent / "latest"
    if prune:
        _prune(runs, latest, older, keep, with_latest=with_latest, yes=yes)
        return
    if older or keep is not None or with_latest or yes:
        raise UserError("--older, --keep, --with-latest and --yes are for --prune: add it")
    _print_table("Plans of this folder", _plans(Path()), "none: twinbench init writes one")
    _print_built_in()
    _print_table(f"Runs in {runs}", map(_row, runs_in(runs, latest)), "none")


def _prune(
    runs: Path, latest: Path, older: str | None, keep: int | None, *, with_latest: bool, yes: bool
) -> None:
    """Remove runs after asking. Raises UserError."""
    from twinbench.run import machine_lock
    from twinbench.runs import remove, runs_in, to_remove

    age = _age(older)
    if age is None and keep is None:
        raise UserError("--prune: say which runs: --older 30d, --keep 5, or both")
    if not yes and not is_interactive():
        raise UserError("--prune asks before it removes runs: without a terminal add --yes")
    chosen = to_remove(
        runs_in(runs, latest), datetime.now(UTC), older=age, keep=keep, with_latest=with_latest
    )
    if not chosen:
        out.print("There is no run to remove.")
        return
    _print_table("To remove", map(_row, chosen))
    what = f"{count(len(chosen), 'run')}, {_size(sum(run.size_bytes for run in chosen))}"
    if not yes and ask(f"Remove {what}? [y/N]").lower() not in ("y", "yes"):
        out.print("Nothing was removed.")
        return
    from twinbench.report.index import write_index  # slow, so only after the question

    with machine_lock():  # none of them is being measured
        try:
            freed = remove(chosen, latest)
        finally:  # also of those that were removed before an interruption
            unlisted = write_index(runs)
    for remark in unlisted:
        err.print(f"Remark: {remark}", markup=False)
    out.print(f"Removed {count(len(chosen), 'run')}; {_size(freed)} freed.")


def _age(older: str | None) -> "timedelta | None":
    from twinbench.runs import parse_age

    try:
        return None if older is None else parse_age(older)
    except ValueError as error:
        raise UserError(f"--older: {error}") from None


def _print_built_in() -> None:
    from twinbench.plan import read_scenario, scenario_names

    if not PLANS.is_dir():
        out.print(f"What is built in {NEEDS_CHECKOUT}: twinbench init writes a plan of your own.")
        return
    _print_table("Built-in plans", _plans(PLANS))
    scenarios = ((name, str(read_scenario(name).get("title", ""))) for name in scenario_names())
    _print_table('Built-in scenarios (use = "...")', scenarios)


def _plans(folder: Path) -> Iterator[tuple[str, ...]]:
    """Yield a row for each plan in `folder`; other TOML files are left out."""
    from twinbench.plan import PlanError, read_plan

    for path in sorted(folder.glob("*.toml")):
        if not _is_plan(path):
            continue
        try:
            plan = read_plan(path)
        except PlanError as error:
            yield str(path), "refused", "", one_line(str(error).removeprefix(f"{path}: "))
            continue
        length = f"time {plan.time}" if plan.time else count(plan.blocks, "block")
        yield (
            str(path),
            count(len(plan.scenarios), "scenario"),
            length,
            one_line(plan.about, MOST_SHOWN),
        )


def _is_plan(path: Path) -> bool:
    from twinbench.plan.read import MAX_BYTES

    try:
        if path.stat().st_size > MAX_BYTES:
            return False
        return {"targets", "scenarios"} <= tomllib.loads(path.read_text()).keys()
    except (OSError, ValueError, RecursionError):
        return False


def _row(run: "RunSummary") -> tuple[str, ...]:
    valid = "?" if run.valid is None else run.valid
    if run.planned is None:
        measured, state = "", "of another version, or damaged"
    else:
        measured = f"{valid} of {run.planned} valid"
        missing = run.planned - (run.finished or 0)
        state = "complete" if run.is_complete else f"{count(missing, 'measurement')} missing"
    return (
        f"{run.started:%Y-%m-%d %H:%M}",
        run.plan,
        count(run.blocks, "block"),
        measured,
        _size(run.size_bytes),
        state + ", latest" * run.is_latest,
        str(run.folder),
    )


def _size(size_bytes: int) -> str:
    return f"{number(size_bytes / 2**20)} MiB"


def _print_table(title: str, rows: Iterable[tuple[str, ...]], none: str = "none") -> None:
    """Print rows in aligned columns, in full: paths are copied from here."""
    found = list(rows)
    widths = [max(map(len, column)) for column in zip(*found, strict=True)]
    out.print(f"{title}:" if found else f"{title}: {none}", markup=False)
    for row in found:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        out.print("  " + "  ".join(cells).rstrip(), markup=False)
