"""The view of a run: everything that a report shows, built once from its results.

Page, markdown, terminal and charts read it, and derive nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from twinbench.analyse.results import Results
from twinbench.report import method
from twinbench.report.elements import Badge, Chart, HeatMap, Span, Table, VerdictTable
from twinbench.report.headline import headline
from twinbench.report.pairs import KINDS, grouped_scenarios, target_pairs
from twinbench.report.scenarios import ScenarioView, scenario_view
from twinbench.report.sweep import cheapest_tables, sweep_scenario
from twinbench.report.verdicts import heat_map, verdict_table


@dataclass(frozen=True, slots=True)
class ReportView:
    """One run, and the choices that it is about. Tables without rows have nothing to show."""

    run: str
    question: tuple[str, ...]
    compares_versions: bool
    origin: str
    headline: tuple[Span, ...]
    validity: tuple[Badge, ...]
    remarks: tuple[str, ...]
    verdicts: tuple[VerdictTable, ...]
    heat_maps: tuple[HeatMap, ...]
    sweep: tuple[Table, ...]
    scenarios: tuple[ScenarioView, ...]
    claims: Table
    floor: str
    self_check: Table
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
        return [*self.heat_maps, *(chart for section in sections for chart in section.charts)]

    @property
    def headline_text(self) -> str:
        return "".join(span.text for span in self.headline).strip()

    @property
    def badges(self) -> tuple[Badge, ...]:
        return (*self.validity, *method.remarks_badge(len(self.remarks)))

    def with_remarks(self, remarks: Sequence[str]) -> "ReportView":
        return replace(self, remarks=(*self.remarks, *remarks))


def build_view(results: Results, answer: str = "") -> ReportView:
    """Return the view; `answer`: of a comparison of versions, which no headline may contradict."""
    pairs = target_pairs(results)
    # An A/A check is a badge, not a verdict.
    by_kind = [
        [pair for pair in pairs if pair.kind == kind and not pair.aa_check] for kind in KINDS
    ]
    shown = [(own, verdict_table(results, own)) for own in by_kind if own]
    return ReportView(
        run=results.run,
        question=method.question(results),
        compares_versions=results.compared_versions is not None,
        origin=method.origin(results),
        headline=(Span(answer),) if answer else headline(results, [table for _, table in shown]),
        validity=method.badges(results, pairs),
        remarks=tuple(results.remarks),
        verdicts=tuple(table for _, table in shown),
        heat_maps=tuple(heat_map(own, table) for own, table in shown),
        sweep=cheapest_tables(results),
        scenarios=tuple(
            sweep_scenario(results, scenario, results.sweep)
            if results.sweep
            else scenario_view(results, scenario, pairs)
            for scenario in grouped_scenarios(results.plan)
        ),
        claims=method.claims_table(results),
        floor=method.floor_text(results.self_check) if results.self_check else "",
        self_check=method.self_check_table(results),
        setup=method.setup_table(results),
        targets=method.targets_table(results),
        preflight=method.preflight_table(results),
        reasons=method.reasons_table(results),
        cells=method.cells_table(results),
        definitions=method.DEFINITIONS,
        limits=method.limits(results),
        plan_json=results.plan.model_dump_json(indent=2, exclude_defaults=True),
    )
