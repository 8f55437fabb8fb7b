"""One check reports all that is wrong with a pair; what it prints makes the next one pass."""

import tomllib
from pathlib import Path

from tests.support.processes import twinbench
from tests.system.planted import APP, OTHERS, PLAN, write_pair
from twinbench.preflight.findings import DECLARE, UNWRITTEN

DRIFTS = {
    # One in each: status and bytes of a repeat, bytes, headers, SQL, API, settings.
    "    with engine.connect() as connection:\n        connection.execute(insert(rows).values("
    'name="one"))': '    if COUNT.update(["posts"]) or COUNT["posts"] > 1:\n'
    "        raise HTTPException(409)\n    with engine.connect() as connection:\n"
    '        connection.execute(insert(rows).values(name="one"))',
    '"id": n,': '"id": -n,',
    "# one more header": 'response.headers["x-a"] = "y"; response.headers["etag"] = str(n)',
    "# one more SELECT": "connection.execute(select(rows.c.id).limit(3))",
    "FastAPI(l": 'FastAPI(title="Two", l',
    '(f"sqlite:///{FILE}")': '(f"sqlite:///{FILE}", pool_size=7)',
    '{"sets", "of"': '{"Sets", "of"',
}
# Worst first. The status has consequences for the SQL, the commits and the rows.
REPORTED = ("status", "bytes", "SQL", "commits", "final database", "headers", "OpenAPI", "settings")


def drifted() -> str:
    app = APP
    for old, new in DRIFTS.items():
        assert app.count(old) == 1, old
        app = app.replace(old, new)
    return app


def pasted(plan: str, message: str) -> str:
    """Return `plan` with the lines that a refusal prints, each where its comment says."""
    lines = message[message.index(DECLARE) :].splitlines()[1:]
    table = ""
    for line in lines:
        if line.startswith("# under "):
            table, _, name = line.removeprefix("# under ").partition(" ")
        elif not line.startswith("#"):
            assert tomllib.loads(line)["expected_differences"]
            place = f"{table}\n{name}\n"
            assert plan.count(place) == 1, place
            plan = plan.replace(place, f"{place}{line}\n")
    return plan


def test_what_a_check_prints_makes_the_next_one_pass(tmp_path: Path) -> None:
    before, two, after = (PLAN + OTHERS).partition('name = "two"')
    plan = before + two + after.replace("env = {", 'env = { LOG = "1",')
    plan_file = write_pair(tmp_path, plan=plan)
    (tmp_path / "two.py").write_text(drifted())
    refused = twinbench("check", "plan.toml", cwd=tmp_path)
    assert refused.returncode == 3
    first, *lines = refused.stderr.splitlines()
    assert first.endswith("differences between 'two' and 'one'; nothing was measured")
    marks = [line.partition(" of 'two' and 'one': ") for line in lines]
    aspects = list(dict.fromkeys(aspect for aspect, mark, _ in marks if mark))
    assert aspects == [*REPORTED, "environment"]
    plan_file.write_text(pasted(plan, refused.stderr))
    passed = twinbench("check", "plan.toml", cwd=tmp_path)
    assert (passed.returncode, passed.stderr) == (0, "")
    # Until the reasons are written, there is a remark in each report.
    remarks = [line for line in passed.stdout.splitlines() if line.startswith("Remark: ")]
    assert [UNWRITTEN in line for line in remarks] == [True, True]
    plan_file.write_text(plan_file.read_text().replace(UNWRITTEN, "on purpose"))
    passed = twinbench("check", "plan.toml", cwd=tmp_path)
    assert (passed.returncode, "Remark" in passed.stdout) == (0, False)
    assert "final database, OpenAPI, settings ('two': on purpose); status, SQL" in passed.stdout


def test_all_problems_of_all_targets_are_reported(tmp_path: Path) -> None:
    """One responds otherwise than the plan expects, and one does not start."""
    begin, end = PLAN.rindex("[[targets]]"), PLAN.index("[[scenarios]]")
    three = PLAN[begin:end].replace("two", "three")
    plan = PLAN[:end] + three + PLAN[end:] + OTHERS
    plan = plan.replace('name = "rows"', 'name = "rows"\ntargets = ["one", "two"]', 1)
    write_pair(tmp_path, '"/rows', '"/lines', plan)
    (tmp_path / "three.py").write_text("raise SystemExit('no database')")
    done = twinbench("check", "plan.toml", cwd=tmp_path)
    assert done.returncode == 3
    first, *lines = done.stderr.splitlines()
    assert first == (
        "plan.toml: 3 problems and 1 difference between 'two' and 'one'; nothing was measured"
    )
    of_two, expects = "plan.toml: targets[1]: 'two', scenario 'rows': ", "the plan expects"
    assert lines[0].startswith(f"{of_two}GET /rows/{{1..5}} was answered with 404, {expects} 200;")
    assert lines[1].startswith(f"{of_two}POST /rows was answered with 404, {expects} 201;")
    assert lines[2].startswith("plan.toml: targets[2]: 'three' could not be started: ")
    assert "no database" in lines[2]
    assert [line for line in lines if line.startswith("OpenAPI of 'two' and 'one': ")]
