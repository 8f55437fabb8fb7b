"""The view of a run: everything that a report shows, built once from its results.

Page, markdown, terminal and charts read it, and derive nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from twinbench.analyse.results import Results
from twinbench.report import method
from twinbench.report.elements import (
    Badge,
    Chart,
    HeatMap,
    LineChart,
    Span,
    Table,
    TimelineChart,
    VerdictTable,
)
from twinbench.report.headline import headline, summary
from twinbench.report.pairs import KINDS, TargetPair, target_pairs
from twinbench.report.scenarios import ScenarioView, scenario_view
from twinbench.report.verdicts import heat_map, verdict_table


@dataclass(frozen=True, slots=True)
class ReportView:
    """One run. Tables without rows have nothing to show."""

    run: str
    origin: str
    headline: tuple[Span, ...]
    summary: str
    badges: tuple[Badge, ...]
    remarks: tuple[str, ...]
    verdicts: tuple[VerdictTable, ...]
    heat_maps: tuple[HeatMap, ...]
    scenarios: tuple[ScenarioView, ...]
    claims: Table
    floor: str
    self_check: tuple[Table, ...]
    setup: Table
    targets: Table
    preflight: Table
    reasons: Table
    cells: Table
    definitions: tuple[tuple[str, str], ...]
    limits: tuple[str, ...]
    plan_json: str

    @property
    def charts(self) -> list[Chart]:
        """All charts, in the order in which they are shown."""
        sections = [section for scenario in self.scenarios for section in scenario.sections]
        own: list[LineChart | TimelineChart] = [c for s in sections for c in s.charts]
        return [*self.heat_maps, *own]

    @property
    def headline_text(self) -> str:
        return "".join(span.text for span in self.headline)

    def with_remarks(self, remarks: Sequence[str]) -> "ReportView":
        """Return the same view with more remarks."""
        together = (*self.remarks, *remarks)
        others = (badge for badge in self.badges if badge.section != method.REMARKS)
        return replace(
            self, remarks=together, badges=(*others, *method.remarks_badge(len(together)))
        )


def build_view(results: Results) -> ReportView:
    """Return the view of `results`."""
    by_kind = {kind: target_pairs(results, kind) for kind in KINDS}
    everyone = [pair for kind in KINDS for pair in by_kind[kind]]
    # A target against itself is a check, not a verdict.
    versus = [[r for r in by_kind[kind] if not r.same] for kind in KINDS]
    shown = [(verdict_table(results, group), group) for group in versus if group]
    by_scenario: dict[str, list[TargetPair]] = {}
    for pair in everyone:
        by_scenario.setdefault(pair.scenario.name, []).append(pair)
    groups = list(dict.fromkeys(scenario.group for scenario in results.plan.scenarios))
    scenarios = sorted(results.plan.scenarios, key=lambda s: groups.index(s.group))
    return ReportView(
        run=results.run,
        origin=method.origin(results),
        headline=headline(results, [table for table, _ in shown]),
        summary=next(filter(None, map(summary, versus)), ""),
        badges=(
            *method.badges(results, everyone),
            *method.remarks_badge(len(results.remarks)),
        ),
        remarks=tuple(results.remarks),
        verdicts=tuple(table for table, _ in shown),
        heat_maps=tuple(heat_map(group, table) for table, group in shown),
        scenarios=tuple(scenario_view(results, s, by_scenario.get(s.name, [])) for s in scenarios),
        claims=method.claims_table(results),
        floor=method.floor_text(results.self_check) if results.self_check else "",
        self_check=method.self_check_tables(results),
        setup=method.setup_table(results),
        targets=method.targets_table(results),
        preflight=method.preflight_table(results),
        reasons=method.reasons_table(results),
        cells=method.cells_table(results),
        definitions=method.DEFINITIONS,
        limits=method.limits(results),
        plan_json=results.plan.model_dump_json(indent=2, exclude_defaults=True),
    )
