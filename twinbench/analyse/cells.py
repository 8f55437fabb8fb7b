"""From the records of one cell to its figures."""

import numpy as np
import polars as pl

from twinbench.analyse.gates import judge
from twinbench.analyse.results import CellResult, Generator, Spectrum
from twinbench.plan import Plan
from twinbench.store import CellRecord

# A percentile from fewer samples beyond it than this is an anecdote.
SAMPLES_BEYOND = 20
PERCENTILES = (50, 90, 95, 99)
NS_PER_MS = 1e6


class Cell:
    """One cell's result, and its latencies for those who pool them over blocks."""

    def __init__(self, result: CellResult, latencies_ms: np.ndarray) -> None:
        self.result = result
        self.latencies_ms = latencies_ms


def analyse_cell(record: CellRecord, requests: pl.DataFrame, plan: Plan) -> Cell:
    """Figures of the measuring window: answers that arrived in it, good ones only."""
    begin, end = record.window_ns
    seen = requests.filter(pl.col("done_ns") >= begin)
    good = seen.filter((pl.col("error") == "") & (pl.col("done_ns") < end))
    errors = seen.filter(pl.col("error") != "")
    latencies = _ms(good, "done_ns", "intended_ns")
    window_s = record.window_s or 1.0
    result = CellResult(
        id=record.number,
        block=record.block,
        target=record.target,
        scenario=record.scenario,
        load=record.load,
        status="valid",
        reasons=[],
        requests=len(good) + len(errors),
        errors=len(errors),
        throughput_rps=len(good) / window_s,
        latency_ms=spectrum(latencies),
        service_ms=spectrum(_ms(good, "done_ns", "sent_ns")),
        generator=Generator(
            cpu=record.generator_cpu_s / window_s,
            lag_p99_ms=percentile(_ms(good, "sent_ns", "intended_ns"), 99),
        ),
        server_cpu=record.server_cpu_s / window_s,
        server_cpu_ms=1e3 * record.server_cpu_s / len(good) if len(good) else None,
        server_memory_mib=record.server_memory_mib,
    )
    judge(result, record, errors["error"], plan)
    return Cell(result, latencies)


def spectrum(values_ms: np.ndarray) -> Spectrum:
    if not len(values_ms):
        return Spectrum()
    points = {f"p{p}": percentile(values_ms, p) for p in PERCENTILES}
    return Spectrum(mean=float(values_ms.mean()), max=float(values_ms.max()), **points)


def percentile(values: np.ndarray, p: int) -> float | None:
    """The `p`th percentile by linear interpolation; None with too few samples beyond it."""
    if len(values) * (100 - p) / 100 < SAMPLES_BEYOND:
        return None
    return float(np.percentile(values, p))


def _ms(frame: pl.DataFrame, end: str, begin: str) -> np.ndarray:
    return (frame[end] - frame[begin]).to_numpy() / NS_PER_MS
