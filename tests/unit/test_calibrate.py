"""Around the known answers: the highest rate of a plan, wrk's words, the command's exit code."""

import contextlib
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from tests.runs import Requests, answers, plan, record, write_run
from twinbench import cli, run
from twinbench.calibrate import NoEvidenceError, full, generators
from twinbench.calibrate.beside import read_wrk
from twinbench.calibrate.full import lines
from twinbench.calibrate.highest import USUAL_RPS, highest_rate
from twinbench.calibrate.short import line, warnings
from twinbench.findings import Calibration, Check, Floor, Item
from twinbench.measure.generator import GeneratorFailedError, LoadGenerator
from twinbench.plan import Cell, Plan
from twinbench.store import CellRecord, StoreError

WRK = """
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    10.17ms  183.50us  11.90ms   80.00%
  Latency Distribution
     50%  {p50}
     99%   11.02ms
  3148 requests in 2.00s, 122.97KB read
Requests/sec:   1570.66
"""


def open_plan(*rates: int, closed: tuple[int, ...] = ()) -> Plan:
    scenario = {"name": "noop", "requests": [{"path": "/"}]}
    return plan(scenarios=[scenario | {"open": list(rates), "closed": list(closed)}])


def test_open_loads_say_what_they_will_ask_for(tmp_path: Path) -> None:
    assert highest_rate(open_plan(50, 900), tmp_path) == 900
    assert highest_rate(open_plan(50, 90_000, closed=(1,)), tmp_path) == 90_000
    assert highest_rate(open_plan(50, closed=(1,)), tmp_path) == USUAL_RPS


def test_closed_loads_ask_for_what_they_got_in_the_newest_run(tmp_path: Path) -> None:
    of = plan()
    assert highest_rate(of, tmp_path) == USUAL_RPS

    def made(cell: Cell) -> tuple[CellRecord, Requests]:
        return record(cell, good=700 + cell.load.value), answers(10, 1.0)

    write_run(tmp_path, of, made)
    assert highest_rate(of, tmp_path) == 708
    (tmp_path / "99999999-made-up").mkdir()  # newer, and no run
    assert highest_rate(of, tmp_path) == 708


@pytest.mark.parametrize(("p50", "ms"), [("56.00us", 0.056), ("10.04ms", 10.04), ("1.20s", 1200)])
def test_wrk_is_read(p50: str, ms: float) -> None:
    assert read_wrk(WRK.format(p50=p50)) == {"rps": 1570.66, "p50_ms": pytest.approx(ms)}


def test_wrk_without_figures_is_no_evidence() -> None:
    with pytest.raises(NoEvidenceError, match="unable to connect"):
        read_wrk("unable to connect to 127.0.0.1")


def calibration(*verdicts: str) -> Calibration:
    check = Check(
        what="lag median at 1,000/s", unit="ms", measured=0.08, expected=0.2, low=0, high=0.2
    )
    items = [
        Item.model_validate(
            {"number": n, "name": "queue", "verdict": verdict, "said": "so", "checks": [check]}
        )
        for n, verdict in enumerate(verdicts, start=1)
    ]
    floor = Floor(latency_p50_ms=0.14, latency_p99_ms=1, lag_p50_ms=0.06, lag_p99_ms=1)
    return Calibration(
        form="full", started="now", took_s=1, floor=floor, capacity_rps=31_000, items=items
    )


def test_a_line_for_all_and_one_for_each() -> None:
    found = calibration("PASS", "SKIP", "FAIL")
    assert line(found) == (
        "Calibration: floor 0.14 ms, generator 31,000 requests/s, lag 0.08 ms: 2 of 3 pass"
    )
    assert warnings(found) == ["Calibration: queue: so"]
    assert lines(found.items) == ["PASS  1  queue: so", "SKIP  2  queue: so", "FAIL  3  queue: so"]


@pytest.mark.parametrize(("verdicts", "code"), [(("PASS", "SKIP"), 0), (("PASS", "FAIL"), 1)])
def test_the_command_exits_with_1_if_anything_is_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, verdicts: tuple[str, ...], code: int
) -> None:
    monkeypatch.setattr(run, "machine_lock", contextlib.nullcontext)
    monkeypatch.setattr(
        full, "calibrate", lambda plan, reports, console: (calibration(*verdicts), tmp_path)
    )
    done = CliRunner().invoke(cli.app, ["calibrate"])
    assert done.exit_code == code, done.output


def test_a_generator_that_fails_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise GeneratorFailedError("the load generator exited with code 1; its last output: no")

    monkeypatch.setattr("shutil.which", lambda *_, **__: "nginx")
    monkeypatch.setattr(generators, "_serving", lambda *_: contextlib.nullcontext(80))
    monkeypatch.setattr(LoadGenerator, "run", fail)
    with pytest.raises(StoreError, match="the load generator exited with code 1"):
        generators.compare_generators(Console(quiet=True))
