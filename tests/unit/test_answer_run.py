"""From made-up records to the answer: known ratios and collapses in, true sentences out."""

from pathlib import Path

from tests import runs, truth
from twinbench.analyse.run import analyse
from twinbench.plan import Cell
from twinbench.report.answer import answer
from twinbench.store import CellRecord

TIMES = {"wait": 2.0, "burn": 1.0, "read": 0.8}


def make(cell: Cell) -> tuple[CellRecord, runs.Requests]:
    """async answers so many times as much as sync, which stops answering `read` at 64 users; from
    block to block both move, and their ratio by a hundredth."""
    record, requests = runs.steady(cell, 1000 + 100 * cell.block)
    if cell.target == "async":
        times = TIMES[cell.scenario] * (1 + cell.block / 100)
        return runs.steady(cell, int(times * (1000 + 100 * cell.block)))
    if cell.scenario == "read" and cell.load.value == 64:
        record = runs.record(cell, outcome="collapsed", unanswered=64)
    return record, requests


def test_a_run_is_answered_as_it_was_made(tmp_path: Path) -> None:
    kinds = {"wait": "io", "burn": "cpu", "read": "io"}
    scenarios = [
        {"name": name, "kind": kind, "requests": [{"path": "/"}], "closed": [8, 64]}
        for name, kind in kinds.items()
    ]
    results = analyse(runs.write_run(tmp_path, runs.plan(scenarios=scenarios, blocks=4), make))
    found = answer(results)
    for said in found:
        truth.check(said, results)
    io, cpu, falls = (said.text for said in found)
    assert io.startswith(
        "IO (waiting, databases): async answers more requests a second in 1 of 2 scenarios (wait at"
        " every load): up to 2.05× as many (95 %: 2.0"
    )
    assert "; sync in 1 of 2 (read at 8 users): 1.22× as many" in io
    assert cpu.startswith(
        "CPU (computing, and the framework alone): no difference is shown in burn, where one of "
    )
    assert falls == "sync stops answering in read at 64 users (4 of 4 cells), where async goes on."
