"""`twinbench compare`."""

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twinbench.cli.console import Only, RunsFolder, chosen_plan, out
from twinbench.cli.report import make_report, report_lost
from twinbench.paths import COMPARED, RUNS
from twinbench.text import UserError, parse_percent

if TYPE_CHECKING:
    from twinbench.plan import Plan
    from twinbench.preflight.check import OnStatus
    from twinbench.versions.plan import PreparedPlan

EXIT_SLOWER = 4
VERSIONS = "two versions: --git BASE..HEAD or --base REF"


def compare(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="[PLAN | RUN RUN ...]",
            show_default=False,
            help="With --git or --base a plan (left out: ./twinbench.toml), else stored runs, the"
            " first of which is the baseline.",
        ),
    ] = [],  # noqa: B006  # typer copies it
    git: Annotated[
        str | None,
        typer.Option(metavar="BASE..HEAD", help="Two commits; BASE...HEAD: from their merge base."),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            metavar="REF", help="A commit, against the working tree with what is not committed."
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The target of the plan, if it has several."),
    ] = None,
    fail_on: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT",
            help="Exit code 4 if a row is shown to be slower by more than this, such as 5%."
            " Default: exit code 0 whatever is slower.",
        ),
    ] = None,
    comment: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write the comment for a pull request here, even if nothing was measured.",
        ),
    ] = None,
    only: Only = [],  # noqa: B006  # typer copies it
    blocks: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Number of repetitions. Default: the plan's."),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Fit the measurements into this time, such as 10m. Default: the plan's.",
        ),
    ] = None,
    runs: RunsFolder = RUNS,
    anyway: Annotated[
        bool,
        typer.Option(
            "--anyway", help="Compare runs of other machines, plans or versions, and list these."
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help=f"Where the page on stored runs goes. Default: {COMPARED}."
        ),
    ] = None,
) -> None:
    """Compare two versions of an app from git in one run, or stored runs on one axis.

    The last line printed is the answer.
    """
    of_versions: dict[str, object] = {"--target": target, "--fail-on": fail_on, "--only": only}
    of_versions |= {"--comment": comment, "--blocks": blocks, "--time": time}
    if not git and not base:
        _refuse(of_versions, VERSIONS)
        if len(paths) < 2:
            raise UserError(f"name two runs or more, or {VERSIONS}")
        _compare_runs(paths, output or COMPARED, anyway=anyway)
        return
    from twinbench.run import run_plan
    from twinbench.versions.git import Refs
    from twinbench.versions.plan import prepare_versions

    with _refusal_in(comment):
        _refuse({"--anyway": anyway, "--output": output}, "stored runs")
        if git and base:
            raise UserError("--git names both versions: leave out --base")
        if len(paths) > 1:
            raise UserError(f"give one plan, or none; {len(paths)} paths are given")
        refs, margin = Refs.of_range(git) if git else Refs(base or ""), _margin(fail_on)

        def versions(of: "Plan", file: Path, folder: Path, on_status: "OnStatus") -> "PreparedPlan":
            return prepare_versions(of, file, refs, target, folder, on_status, fail_on=margin)

        store = run_plan(
            chosen_plan(paths[0] if paths else None),
            runs,
            {"blocks": blocks, "time": time},
            only=only,
            resume=False,
            console=out,
            versions=versions,
        )
    comparison = make_report(store)
    if comment:
        shutil.copyfile(store.folder / "comment.md", comment)
    lost = report_lost(store)
    raise typer.Exit(EXIT_SLOWER if comparison and comparison.fails else lost)


def _compare_runs(folders: list[Path], output: Path, *, anyway: bool) -> None:
    from twinbench.interruption import defer_signals
    from twinbench.progress import status
    from twinbench.report.stored import compare_runs
    from twinbench.run import InterruptedRunError

    defer_signals()
    try:
        with status(out) as on_status:
            compare_runs(folders, anyway=anyway, output=output, console=out, on_status=on_status)
    except KeyboardInterrupt:
        raise InterruptedRunError("Interrupted: nothing was written.") from None


@contextlib.contextmanager
def _refusal_in(comment: Path | None) -> Iterator[None]:
    """Write why nothing is measured to `comment`, if it is given. Raises UserError."""
    from twinbench.measure.server import ServerFailedError
    from twinbench.preflight.result import DifferentError, PreflightError
    from twinbench.versions.result import HEAD

    if comment and (comment.is_dir() or not comment.parent.is_dir()):  # not only after minutes
        raise UserError(f"--comment {comment}: name a file, in a folder that exists")
    if comment:
        comment.unlink(missing_ok=True)  # that of an earlier comparison is no answer to this one
    try:
        yield
    except (UserError, PreflightError, ServerFailedError) as error:
        if comment:
            from twinbench.report.markdown import refusal_comment

            different = isinstance(error, DifferentError) and error.targets == {HEAD}
            comment.write_text(refusal_comment(str(error), different=different), encoding="utf-8")
        raise


def _margin(fail_on: str | None) -> float | None:
    try:
        return None if fail_on is None else parse_percent(fail_on)
    except ValueError as error:
        raise UserError(f"--fail-on: {error}") from None


def _refuse(options: Mapping[str, object], of: str) -> None:
    """Raise UserError if one of `options` is given."""
    if given := [name for name, value in options.items() if value]:
        raise UserError(f"{given[0]} is for a comparison of {of}")
