"""index.html beside the folder of runs: a table of all runs, and key figures from run to run.

Made from the summaries in the run folders: results.json of hundreds of runs would take long.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from twinbench.analyse.results import Results, VersionVerdict
from twinbench.analyse.summary import SUMMARY, Summary, summarize
from twinbench.interruption import check_interrupted
from twinbench.paths import INDEX
from twinbench.remarks import remarked
from twinbench.report import trends
from twinbench.report.format import version_text
from twinbench.report.trends import TrendGroup, trend_groups
from twinbench.report.write import SCRIPT, page_html
from twinbench.runs import ManifestHead, folders_in, read_own
from twinbench.store import StoreError, atomic_write
from twinbench.text import count

# Begins the page: another file of this name is not replaced.
MARK = "<!-- index of twinbench -->"
INDEX_SCRIPT = (Path(__file__).parent / "templates" / "index.js").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One run as texts. `report` and `comparison` are addresses of pages, empty without one."""

    started: str
    plan: str
    machine: str
    headline: str
    validity: str
    minutes: str
    report: str
    comparison: str


@dataclass(frozen=True, slots=True)
class IndexView:
    title: str
    rows: tuple[IndexRow, ...]
    groups: tuple[TrendGroup, ...]


@dataclass(frozen=True, slots=True)
class _Run:
    """Run folder. `address`: relative to the page; `started` and `plan` are None if not known."""

    folder: Path
    address: str
    started: datetime | None
    plan: str | None
    summary: Summary | None

    def page(self, name: str) -> str:
        """Return the address of a page of this run; empty if there is none."""
        return f"{self.address}/{name}" if (self.folder / name).is_file() else ""


def add_to_index(
    folder: Path, results: Results, headline: str, verdict: VersionVerdict | None = None
) -> list[str]:
    """Write the summary of the run in `folder`, then the index; return what is missing, and why."""
    missing: list[str] = []
    with remarked(missing, "the index of runs has no summary of this run"):
        summary = summarize(results, headline, verdict)
        atomic_write(folder / SUMMARY, summary.model_dump_json(indent=1))
    return missing + write_index(folder.parent)


def write_index(runs: Path) -> list[str]:
    """Write the index of the folder `runs` beside it; return what is missing, and why.

    Only where a run has put the link `latest`, or an index: a report that is written again for a
    folder somewhere else leaves no file there.
    """
    page = runs.parent / INDEX
    if not (page.exists() or (runs.parent / "latest").is_symlink()):
        return []
    missing: list[str] = []
    with remarked(missing, "the index of runs is not written"):
        check_interrupted()
        _check_replaceable(page)
        atomic_write(page, render(build_index(runs, page.parent)))
    return missing


def build_index(runs: Path, beside: Path) -> IndexView:
    """Return the view of all runs in `runs`, for a page in the folder `beside`."""
    found = [run for folder in folders_in(runs) if (run := _read(folder, beside))]
    oldest = datetime.min.replace(tzinfo=UTC)
    found.sort(key=lambda run: (run.started or oldest, run.folder.name), reverse=True)
    known = [(run.page("report.html"), run.summary) for run in found if run.summary]
    plans = {run.plan for run in found if run.plan}
    return IndexView(
        title=f"{count(len(found), 'run')} of {count(len(plans), 'plan')}",
        rows=tuple(map(_row, found)),
        groups=tuple(trend_groups(known)),
    )


def render(view: IndexView) -> str:
    text = page_html("index.html.j2", view, {}, SCRIPT + INDEX_SCRIPT, box=trends.BOX)
    return f"{MARK}\n{text}"


def _check_replaceable(page: Path) -> None:
    """Raise StoreError if there is a file that is no index of twinbench."""
    if not page.exists():
        return
    with page.open("rb") as file:
        if file.read(len(MARK)) != MARK.encode():
            raise StoreError(f"{page} is a file of something else; move it, or use another --runs")


def _read(folder: Path, beside: Path) -> _Run | None:
    """Return the run in `folder`, None if there is none."""
    path = folder / "manifest.json"
    if path.is_symlink() or not path.is_file():
        return None
    relative = os.path.relpath(folder, beside)
    address = quote(os.fsencode(relative), safe="/+")  # bytes: any name
    if summary := read_own(folder / SUMMARY, Summary):
        return _Run(folder, address, summary.started, summary.plan, summary)
    if head := read_own(path, ManifestHead):
        return _Run(folder, address, head.sessions[0].started, head.plan.name, None)
    return _Run(folder, address, None, None, None)


def _row(run: _Run) -> IndexRow:
    known, report = run.summary, run.page("report.html")
    return IndexRow(
        started=f"{run.started:%Y-%m-%d %H:%M}" if run.started else run.folder.name,
        plan=run.plan or "",
        machine=_machine(known) if known else "",
        headline=" ".join(_headline(run, report)),
        validity=", ".join(_validity(known)) if known else "",
        minutes=f"{known.elapsed_s / 60:,.1f}" if known else "",
        report=report,
        comparison=run.page("compare.html"),
    )


def _headline(run: _Run, report: str) -> Iterator[str]:
    """Yield the result of a run, and what is wrong with its folder."""
    again = f"“twinbench report” with the folder {run.folder.name} writes it."
    if known := run.summary:
        versions = known.compared_versions
        if versions and known.verdict:
            head, base = version_text(versions.head), version_text(versions.base)
            yield f"{head} against {base}: {known.verdict}."
        else:
            yield known.headline
        if not report:
            yield f"The report is missing: {again}"
    elif not run.started:
        yield "Damaged: its manifest.json cannot be read."
    elif (run.folder / SUMMARY).exists():
        yield f"The summary is damaged, or of another version of twinbench: {again}"
    else:
        yield f"There is no report yet: {again}"


def _machine(known: Summary) -> str:
    pythons = f"Python {', '.join(known.pythons)}" if known.pythons else ""
    return ", ".join(filter(None, (known.cpu, count(known.cores, "core"), pythons)))


def _validity(known: Summary) -> Sequence[str]:
    parts = {f"{known.valid:,} of {known.measured:,}": 1}
    parts |= {f"{known.collapsed:,} collapsed": known.collapsed}
    parts |= {f"{known.missing:,} not measured": known.missing}
    return [text for text, shown in parts.items() if shown]
