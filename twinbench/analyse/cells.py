"""From the records of one cell to its figures."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from twinbench.analyse.gates import GateInput, judge
from twinbench.analyse.results import CellResult, Generator, Spectrum
from twinbench.analyse.telemetry import look_inside
from twinbench.analyse.window import NS_PER_MS, Marks, Stamps, Window
from twinbench.findings import Floor
from twinbench.plan import Plan
from twinbench.store import CellRecord

# A percentile from fewer samples beyond it than this is an anecdote.
SAMPLES_BEYOND = 20
# Parts of a window: a tenth of a second or so, in which several requests are answered at least.
SLICES = 10


class Cell:
    """One cell's result, and its response and service times for those who pool them over blocks."""

    def __init__(
        self, result: CellResult, responses_ms: np.ndarray, services_ms: np.ndarray
    ) -> None:
        self.result = result
        self.responses_ms = responses_ms
        self.services_ms = services_ms


def analyse_cell(
    record: CellRecord,
    requests: pl.DataFrame,
    plan: Plan,
    telemetry: pl.DataFrame | None = None,
    floor: Floor | None = None,
) -> Cell:
    """Figures of the measuring window (whose count: `Window.population`), and their judgement."""
    window = Window.of(record, requests, plan.scenario(record.scenario))
    result = _figures(record, window)
    inside = look_inside(record, telemetry, plan.collapse_s)
    result = result.model_copy(update=inside.model_dump())
    errors = requests["error"].filter(pl.Series(window.wrong))
    judge(GateInput(plan, record, result, window, errors, floor))
    served = window.timed & (window.sent_ns > 0)
    return Cell(
        result,
        _ms(window.done_ns, window.intended_ns, window.timed),
        _ms(window.done_ns, window.sent_ns, served),
    )


def invalid_cell(record: CellRecord, why: str) -> Cell:
    """A cell of which there is nothing but the reason."""
    nothing = np.empty(0)
    result = CellResult(
        id=record.number,
        block=record.block,
        target=record.target,
        scenario=record.scenario,
        load=record.load,
        status="invalid",
        reasons=[why],
        requests=0,
        errors=0,
        scheduled=record.scheduled,
        dropped=record.dropped,
        throughput_rps=0.0,
        latency_ms=Spectrum(),
        service_ms=Spectrum(),
        generator=Generator(cpu=0.0, waited=0.0, lag_p50_ms=None, lag_p99_ms=None),
        server_cpu=None,
        server_cpu_ms=None,
        per_cpu_s=None,
        slices=[0.0] * SLICES,
        server_memory_mib=None,
    )
    return Cell(result, nothing, nothing)


def _figures(record: CellRecord, window: Window) -> CellResult:
    counted, timed = window.population, window.timed
    slices = window.answered(np.linspace(window.begin_ns, window.end_ns, SLICES + 1))
    good, errors = float(slices.sum()), int(window.wrong.sum())
    sent = counted & (window.sent_ns > 0)
    served = timed & (window.sent_ns > 0)
    lag_ms = _ms(window.sent_ns, window.intended_ns, sent)
    lag_p50_ms, lag_p99_ms = percentiles(lag_ms, (50, 99))
    window_s, cpu_s = record.window_s or 1.0, record.server_cpu_s
    return CellResult(
        id=record.number,
        block=record.block,
        target=record.target,
        scenario=record.scenario,
        load=record.load,
        status="valid",
        reasons=[],
        requests=int(counted.sum()) + errors,
        errors=errors,
        scheduled=record.scheduled,
        dropped=record.dropped,
        throughput_rps=good / window_s,
        latency_ms=spectrum(_ms(window.done_ns, window.intended_ns, timed)),
        service_ms=spectrum(_ms(window.done_ns, window.sent_ns, served)),
        generator=Generator(
            cpu=record.generator_cpu_s / window_s,
            waited=record.generator_waited_s / window_s,
            lag_p50_ms=lag_p50_ms,
            lag_p99_ms=lag_p99_ms,
        ),
        server_cpu=None if cpu_s is None else cpu_s / window_s,
        server_cpu_ms=1e3 * cpu_s / good if good and cpu_s is not None else None,
        per_cpu_s=good / cpu_s if cpu_s else None,
        slices=slices.tolist(),
        server_memory_mib=record.server_memory_mib,
    )


def spectrum(values_ms: np.ndarray) -> Spectrum:
    if not len(values_ms):
        return Spectrum()
    p50, p90, p95, p99 = percentiles(values_ms, (50, 90, 95, 99))
    mean, longest = float(values_ms.mean()), float(values_ms.max())
    return Spectrum(mean=mean, p50=p50, p90=p90, p95=p95, p99=p99, max=longest)


def percentiles(values: np.ndarray, percents: Sequence[int]) -> list[float | None]:
    """The named percentiles (50 and above) by linear interpolation; None with too few samples
    beyond it."""
    known = [p for p in percents if len(values) * (100 - p) / 100 >= SAMPLES_BEYOND]
    found = dict(zip(known, np.percentile(values, known), strict=True)) if known else {}
    return [float(found[p]) if p in found else None for p in percents]


def _ms(end_ns: Stamps, begin_ns: Stamps, of: Marks) -> np.ndarray:
    return (end_ns[of] - begin_ns[of]) / NS_PER_MS
