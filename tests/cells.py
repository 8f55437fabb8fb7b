"""Results of cells, made up where no records are needed: known figures in."""

from collections.abc import Sequence

from twinbench.analyse.results import CellResult, CellStatus, Generator, Spectrum
from twinbench.plan import Load

SLICES = 10
EIGHT_USERS = Load("closed", 8)


def cell(
    target: str,
    block: int,
    throughput_rps: float = 1000,
    *,
    load: Load = EIGHT_USERS,
    scenario: str = "noop",
    status: CellStatus = "valid",
    per_cpu_s: float | None = 2000,
    mean_ms: float = 10,
    p50_ms: float | None = 10,
    p99_ms: float | None = 20,
    slices: Sequence[float] | None = None,
) -> CellResult:
    """Its window is a second long, and all its slices are alike, unless they are given."""
    answers = round(throughput_rps)
    return CellResult(
        id=1,
        block=block,
        target=target,
        scenario=scenario,
        load=load,
        status=status,
        reasons=[],
        requests=answers,
        errors=0,
        scheduled=0,
        dropped=0,
        throughput_rps=throughput_rps,
        latency_ms=Spectrum(mean=mean_ms, p50=p50_ms, p99=p99_ms),
        service_ms=Spectrum(mean=mean_ms, p50=p50_ms, p99=p99_ms),
        generator=Generator(cpu=0.2, waited=0, lag_p50_ms=None, lag_p99_ms=None),
        server_cpu=0.5,
        server_cpu_ms=None,
        per_cpu_s=per_cpu_s,
        slices=list(slices or [answers / SLICES] * SLICES),
        server_memory_mib=50,
    )
