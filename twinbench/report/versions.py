"""View of a comparison of versions: the answer, the rows, and the charts of each scenario.

compare.html, comment.md and the terminal show it, and derive nothing. Verdicts, ratios and figures
are those of compare.json; report.html compares the same targets by its own rules.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from twinbench.analyse.results import (
    Estimate,
    Metric,
    Results,
    VersionComparison,
    VersionRow,
    VersionVerdict,
)
from twinbench.plan import Load
from twinbench.report import method
from twinbench.report.elements import Badge, Change, LineChart, Table
from twinbench.report.format import (
    SHORT_COMMIT,
    difference,
    load_text,
    number,
    seen,
    share,
    would_have_seen,
)
from twinbench.report.pairs import grouped_scenarios, title
from twinbench.report.version_charts import CHANGED, version_charts
from twinbench.text import count, duration, labels, one_line, printable
from twinbench.versions.result import BASE, HEAD, ComparedVersions, Version

# What a reader must see first comes first.
WORDS: dict[VersionVerdict, str] = {
    "slower": "slower",
    "faster": "faster",
    "could not tell": "could not tell",
    "no difference shown": "~",
}
UNITS: dict[Metric, str] = {"throughput": "/s", "per_cpu_s": "/CPU s", "p50": " ms", "p99": " ms"}
NOISY = "the machine was too noisy for a verdict: {}. Run it again, with more blocks."
NOTHING = "nothing has been measured."
MOST_SUBJECT = 80  # characters; Git's own advice is 50


@dataclass(frozen=True, slots=True)
class RowView:
    """One row. `note`: what to know beside the verdict."""

    scenario: str
    label: str
    verdict: VersionVerdict
    fails: bool
    note: str
    base: str
    head: str
    ratio: Change
    aa_ratio: Change
    cpu_ratio: Change

    @property
    def word(self) -> str:
        return WORDS[self.verdict] + ", fails" * self.fails

    @property
    def style(self) -> str:
        return style_of(self.verdict)


@dataclass(frozen=True, slots=True)
class ScenarioCharts:
    """Charts of a scenario, shown at once if `changed`. `counts`: of its rows, by verdict."""

    scenario: str
    title: str
    counts: str
    changed: bool
    charts: tuple[LineChart, ...]


@dataclass(frozen=True, slots=True)
class VersionsView:
    """Comparison of two versions.

    `because` follows the word of the `verdict`. `basis`: what would have been seen, and how long it
    took; `conditions`: the machine, and what is wrong with the run. `base` and `head`: each version
    in a line.
    """

    run: str
    origin: str
    verdict: VersionVerdict
    because: str
    base: str
    head: str
    basis: str
    conditions: str
    validity: tuple[Badge, ...]
    remarks: tuple[str, ...]
    rows: tuple[RowView, ...]
    versions: Table
    scenarios: tuple[ScenarioCharts, ...]
    definitions: tuple[tuple[str, str], ...]

    @property
    def word(self) -> str:
        """The verdict as the first word of the answer."""
        return self.verdict.capitalize()

    @property
    def style(self) -> str:
        return style_of(self.verdict)

    @property
    def answer(self) -> str:
        return f"{self.word}: {self.because}"

    @property
    def badges(self) -> tuple[Badge, ...]:
        return (*self.validity, *method.remarks_badge(len(self.remarks)))

    @property
    def charts(self) -> list[LineChart]:
        return [chart for scenario in self.scenarios for chart in scenario.charts]

    def with_remarks(self, remarks: Sequence[str]) -> "VersionsView":
        return replace(self, remarks=(*self.remarks, *remarks))


def build_versions(results: Results, comparison: VersionComparison) -> VersionsView:
    comparison = _without_verdicts(comparison) if comparison.noisy else _ordered(comparison)
    titles = _titles(results)
    rows = [_row(row, titles) for row in comparison.rows]
    validity = _validity(results, comparison)
    return VersionsView(
        run=results.run,
        origin=method.origin(results),
        verdict=comparison.verdict,
        because=_because(comparison, titles, rows),
        base=_version_text(comparison.versions.base),
        head=_version_text(comparison.versions.head),
        basis=_basis(comparison, titles),
        conditions=_conditions(results, validity),
        validity=validity,
        # The answer has the first of the rows that are noisy.
        remarks=(*comparison.reasons[1:] * comparison.noisy, *results.remarks),
        rows=tuple(rows),
        versions=_versions_table(results, comparison.versions),
        scenarios=tuple(_scenarios(results, comparison, titles, rows)),
        definitions=_definitions(comparison),
    )


def style_of(verdict: VersionVerdict) -> str:
    """Return the CSS class of a verdict."""
    return verdict if verdict in CHANGED else "quiet"


def counts(rows: Iterable[RowView]) -> str:
    """Return how many rows have which verdict: `2 slower, 4 ~`."""
    found = Counter(row.verdict for row in rows)
    return ", ".join(
        f"{found[verdict]} {word}" for verdict, word in WORDS.items() if found[verdict]
    )


def _without_verdicts(comparison: VersionComparison) -> VersionComparison:
    """Return it with rows without a verdict, the noisiest first.

    What is slower or faster by itself would be taken for a verdict.
    """
    changes = {"verdict": "could not tell", "fails": False, "reasons": []}
    rows = [row.model_copy(update=changes) for row in comparison.rows]
    rows.sort(key=lambda row: -_size(row.aa_ratio))
    return comparison.model_copy(update={"rows": rows})


def _ordered(comparison: VersionComparison) -> VersionComparison:
    """Return it with its rows by verdict: what fails first, then what collapsed, then by size."""

    def place(row: VersionRow) -> tuple[int, bool, bool, float]:
        size = _size(row.ratio) if row.verdict in CHANGED else 0.0
        return [*WORDS].index(row.verdict), not row.fails, row.ratio is not None, -size

    return comparison.model_copy(update={"rows": sorted(comparison.rows, key=place)})


def _size(ratio: Estimate | None) -> float:
    """Return how far a ratio is from 1, in both directions alike."""
    return abs(math.log(ratio.estimate)) if ratio else 0.0


def _titles(results: Results) -> Mapping[str, str]:
    """Return the title of each scenario, with its note where another has the same."""
    scenarios = results.plan.scenarios
    texts = labels([(title(scenario), printable(scenario.note)) for scenario in scenarios])
    return {scenario.name: text for scenario, text in zip(scenarios, texts, strict=True)}


# The answer.


def _because(
    comparison: VersionComparison, titles: Mapping[str, str], rows: Sequence[RowView]
) -> str:
    """Return the answer after its first word, as sentences from a fixed set."""
    reasons = comparison.reasons
    if comparison.noisy:
        return NOISY.format(reasons[0] + (f" (and {len(reasons) - 1} more)" if reasons[1:] else ""))
    if not comparison.rows:
        return NOTHING
    worst = comparison.rows[0]
    if comparison.verdict in CHANGED:
        why = f"{_place(titles, worst.scenario, worst.load)} {_difference(worst)}"
    elif known := _would_have_seen(comparison, titles):
        why = known
    else:
        why = reasons[0] if reasons else f"in {count(len(rows), 'row')}"
    all_rows = f"Rows: {counts(rows)}." if rows[1:] else ""
    return " ".join(filter(None, (f"{why}.", all_rows, _failure(comparison))))


def _would_have_seen(comparison: VersionComparison, titles: Mapping[str, str]) -> str:
    """Return what the better half of the rows with `~` would have seen, and the worst of them.

    The largest alone would be that of one noisy row.
    """
    known = sorted(
        (row.smallest_difference, n)
        for n, row in enumerate(comparison.rows)
        if row.verdict == "no difference shown" and row.smallest_difference
    )
    if not known:
        return ""
    better = (len(known) + 1) // 2
    half, (most, worst) = known[better - 1][0], known[-1]
    if share(half) == share(most):
        return would_have_seen(most)
    rows = "rows" if len(known) == len(comparison.rows) else "rows with ~"
    row = comparison.rows[worst]
    return (
        f"{would_have_seen(half)} in {better} of {len(known)} {rows},"
        f" at worst {seen(most)} ({_place(titles, row.scenario, row.load)})"
    )


def _place(titles: Mapping[str, str], scenario: str, load: Load) -> str:
    return f"{titles[scenario]} at {load_text(load)}"


def _difference(row: VersionRow) -> str:
    return difference(row.metric, row.ratio) if row.ratio else f"({'; '.join(row.reasons)})"


def _failure(comparison: VersionComparison) -> str:
    """Return whether slower rows fail the comparison, if it has a limit."""
    limit = comparison.versions.fail_on
    if limit is None or comparison.verdict != "slower":
        return ""
    failed = sum(row.fails for row in comparison.rows)
    beyond = f"slower by more than {100 * limit:.3g} %"
    if not failed:
        return f"Does not fail: no row is shown to be {beyond}."
    return f"Fails: {count(failed, 'row')} {beyond}."


def _basis(comparison: VersionComparison, titles: Mapping[str, str]) -> str:
    """Return what would have been seen, unless that is the answer, and how long it took."""
    known = _would_have_seen(comparison, titles) if comparison.verdict in CHANGED else ""
    parts = (known, count(comparison.blocks, "block"), duration(comparison.elapsed_s))
    return " · ".join(filter(None, parts))


def _conditions(results: Results, validity: Sequence[Badge]) -> str:
    machine = f"{results.machine.cpu}, {count(results.machine.cores, 'core')}"
    measured = validity[1]
    shown = [badge for badge in validity if badge.tone == "bad" and badge != measured]
    return " · ".join([machine, measured.text, *(badge.marked for badge in shown)])


def _validity(results: Results, comparison: VersionComparison) -> tuple[Badge, ...]:
    """Return the badges of the report, with the A/A check that the verdict is based on."""
    section = f"scenario-{results.plan.scenarios[0].name}"
    aa_check = Badge("A/A: not comparable", "plain", section)
    if comparison.noisy:
        aa_check = Badge("A/A: a difference is shown", "bad", section)
    elif any(row.aa_ratio for row in comparison.rows):
        aa_check = Badge("A/A: no difference shown", "good", section)
    same = [
        Badge("preflight: the same work", "good", "preflight")
        for pair in results.preflight
        if pair.candidate == HEAD and pair.equal and not (pair.missing or pair.declared)
    ]
    return (aa_check, *method.badges(results, ()), *same[:1])


# The rows.


def _row(row: VersionRow, titles: Mapping[str, str]) -> RowView:
    percentile = "" if row.metric == "throughput" else f", {row.metric}"
    return RowView(
        scenario=row.scenario,
        label=_place(titles, row.scenario, row.load) + percentile,
        verdict=row.verdict,
        fails=row.fails,
        note=_note(row),
        base=_figure(row, row.base, "faster"),
        head=_figure(row, row.head, "slower"),
        ratio=Change.of(row.ratio),
        aa_ratio=Change.of(row.aa_ratio),
        cpu_ratio=Change.of(row.cpu_ratio),
    )


def _note(row: VersionRow) -> str:
    if row.verdict == "no difference shown" and row.smallest_difference:
        return would_have_seen(row.smallest_difference)
    return printable("; ".join(row.reasons))


def _figure(row: VersionRow, figure: Estimate | None, collapsed: VersionVerdict) -> str:
    """Return the figure of a version, unless it `collapsed`: of the other blocks it misleads."""
    if row.ratio is None and row.verdict == collapsed:
        return "collapsed"
    return f"{number(figure.estimate)}{UNITS[row.metric]}" if figure else ""


# The versions.


def _version_text(version: Version) -> str:
    """Return a version in a line: `3f3f3f3 Add tags (main)`."""
    of = version.ref + (f", {_not_committed(version)}" if version.changed else "")
    return f"{version.commit[:SHORT_COMMIT]} {_subject(version)} ({one_line(of, MOST_SUBJECT)})"


def _subject(version: Version) -> str:
    return one_line(printable(version.subject), MOST_SUBJECT)


def _not_committed(version: Version) -> str:
    return f"{count(version.changed, 'file')} not committed" if version.changed else ""


def _versions_table(results: Results, versions: ComparedVersions) -> Table:
    """Return both versions, and the packages in which their environments differ."""
    both = (versions.base, versions.head)
    rows = [
        ("asked for", *(version.ref for version in both)),
        ("commit", *(version.commit for version in both)),
        ("subject", *map(_subject, both)),
        ("working tree", *map(_not_committed, both)),
        ("environment", *(version.environment for version in both)),
        *_packages(results),
    ]
    shown = tuple(row for row in rows if any(row[1:]))
    return Table("versions", "Versions", ("", "base", "head"), shown, words=True)


def _packages(results: Results) -> Iterable[tuple[str, str, str]]:
    base, head = (results.target_versions.get(target, {}) for target in (BASE, HEAD))
    for name in {**base, **head}:
        if base.get(name) != head.get(name):
            yield name, base.get(name, ""), head.get(name, "")


# The scenarios, and the words.


def _scenarios(
    results: Results,
    comparison: VersionComparison,
    titles: Mapping[str, str],
    rows: Sequence[RowView],
) -> Iterable[ScenarioCharts]:
    for scenario in grouped_scenarios(results.plan):
        own = [row for row in rows if row.scenario == scenario.name]
        yield ScenarioCharts(
            scenario=scenario.name,
            title=titles[scenario.name],
            counts=counts(own),
            changed=any(row.verdict in CHANGED for row in own),
            charts=tuple(version_charts(results, comparison, scenario)),
        )


def _definitions(comparison: VersionComparison) -> tuple[tuple[str, str], ...]:
    margin = f"{100 * comparison.margin:.3g} %"
    return (
        ("base, head", "the version before the change, and the one with it"),
        ("head / base", "formed inside each block; of base, the mean of its two measurements"),
        ("faster, slower", f"beyond a margin of {margin}, at a 5 % level for all rows (Holm)"),
        ("requests/s", "of a number of users who each wait for their response: more is faster"),
        ("p50, p99", "50 and 99 of 100 requests are answered within this time: longer is slower"),
        ("fails", "slower by more than --fail-on, by the same test; 5 % is a factor of 1.05"),
        ("~", "no difference is shown"),
        ("would have seen", "a difference that four runs in five would have shown"),
        ("could not tell", "no valid measurements, or none to compare; the reason is in the row"),
        (
            "A/A",
            "base measured once more as “base again”: what differs there is noise of the machine."
            " If a difference is shown, there is no verdict on any row",
        ),
        ("CPU per request", "CPU time of the server for each correct response, head / base"),
        ("in brackets", "the 95 % interval over blocks (Student’s t on logarithms)"),
        *(entry for entry in method.DEFINITIONS if entry[0] == "block"),
    )
