"""Gates on a run as a whole: collapses, and contention for the server's cores."""

import pytest

from tests.support.factories import cell_result
from twinbench.analyse.results import CellResult, CellStatus
from twinbench.analyse.run_gates import invalidate_contended, judge_run, mark_collapses
from twinbench.plan import Load


def at(users: int, rps: float, status: CellStatus = "valid", **changes: object) -> CellResult:
    cell = cell_result("sync", 1, rps, load=Load("closed", users), status=status)
    return cell.model_copy(update=changes)


@pytest.mark.parametrize(("rps", "status"), [(99, "collapsed"), (101, "valid")])
def test_collapse_is_a_tenth_of_a_lower_load(rps: float, status: str) -> None:
    cells = [at(64, 500), at(8, rps), at(1, 1000)]
    found = judge_run(cells)
    assert [cell.status for cell in found] == ["valid", status, "valid"]
    assert [cell.status for cell in cells] == ["valid"] * 3
    if status == "collapsed":
        assert "less than a tenth of the 1000 at a lower load" in found[1].reasons[0]


def test_errors_alone_beside_a_lower_load_are_a_collapse() -> None:
    invalid = at(8, 0, "invalid", requests=5000, errors=5000)
    assert mark_collapses([at(1, 1000), invalid])[1].status == "collapsed"


@pytest.mark.parametrize(
    "other",
    [
        at(1, 1000, "invalid"),
        at(1, 1000, load=Load("open", 1)),
        at(1, 1000, target="async"),
        at(1, 1000, block=2),
        at(64, 1000),
        at(1, 1000, requests=0),
    ],
)
def test_other_cells_show_no_collapse(other: CellResult) -> None:
    """An open load is no lower load of a closed one."""
    assert mark_collapses([other, at(8, 50)])[1].status == "valid"


def with_share(field: str, share: float | None, block: int = 1, users: int = 1) -> CellResult:
    cell = cell_result("sync", block, load=Load("closed", users))
    return cell.model_copy(update={field: share, "reasons": ["a remark"]})


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("stolen_cpu", "the host took 16% of a core from the server, 5% is usual"),
        ("other_cpu", "other processes used 16% of the server's cores, 5% is usual"),
    ],
)
@pytest.mark.parametrize(("share", "status"), [(0.14, "valid"), (0.16, "invalid")])
def test_contention_beyond_the_usual_is_invalid(
    field: str, reason: str, share: float, status: str
) -> None:
    cells = [with_share(field, share), *[with_share(field, 0.05, n) for n in range(2, 8)]]
    found = judge_run(cells)
    assert [cell.status for cell in found] == [status, *["valid"] * 6]
    if status == "invalid":
        assert found[0].reasons[0].startswith(reason)
        assert found[0].reasons[1] == "a remark"


def test_contention_in_every_block_of_a_cell_is_usual() -> None:
    """The host takes more from a busy server."""
    cells = [
        with_share("stolen_cpu", share, block, users)
        for block in (1, 2, 3)
        for users, share in ((1, 0.0), (8, 0.0), (64, 0.4))
    ]
    found = invalidate_contended(cells, "stolen_cpu")
    assert {cell.status for cell in found} == {"valid"}
    assert [len(cell.reasons) for cell in found[:3]] == [1, 1, 2]  # a third of the core: a remark


def test_contention_without_telemetry_is_not_known() -> None:
    cells = [with_share("stolen_cpu", None), with_share("stolen_cpu", 0.2, 2)]
    assert judge_run(cells) == cells


def test_contention_does_not_change_a_collapse() -> None:
    quiet = [with_share("stolen_cpu", 0.0, n) for n in range(2, 6)]
    collapsed = with_share("stolen_cpu", 0.9).model_copy(update={"status": "collapsed"})
    assert judge_run([collapsed, *quiet])[0] == collapsed
