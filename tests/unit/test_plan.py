"""Plans: what is refused and in which words, and the order of cells."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import runs
from twinbench import cli
from twinbench.errors import MOST_CHARACTERS
from twinbench.paths import PLANS, ROOT
from twinbench.plan import PlanError, cells, read_plan, read_scenario, scenario_names

GOOD = """
name = "p"
[[targets]]
name = "sync"
app = "apps.sync_app.main:app"
[[scenarios]]
use = "noop"
closed = [1, 8]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("closed", "clsoed", "scenarios[0]: unknown key 'clsoed'; did you mean 'closed'?"),
        (
            'name = "p"',
            'name = "p"\nmesure_s = 1',
            "unknown key 'mesure_s'; did you mean 'measure_s'?",
        ),
        ("app =", "ap =", "targets[0]: unknown key 'ap'; did you mean 'app'?"),
        ('"noop"', '"nop"', "scenarios[0].use: there is no scenario 'nop'; did you mean 'noop'?"),
        (
            "[1, 8]",
            "[0, 8]",
            "scenarios[0].closed[0]: Input should be greater than or equal to 1, not 0",
        ),
        ("[1, 8]", '["8"]', "scenarios[0].closed[0]: Input should be a valid integer"),
        ("[1, 8]", "[true]", "scenarios[0].closed[0]: Input should be a valid integer"),
        ("[1, 8]", "[8, 8]", "scenarios[0]: a load is named twice in closed"),
        (
            "[1, 8]",
            "[]",
            "scenarios[0]: give loads: closed (users), open (requests a second), or both",
        ),
        ("[1, 8]", '[1]\ntargets = ["snyc"]', "unknown target 'snyc'; did you mean 'sync'?"),
        ('app = "apps.sync_app.main:app"', "", "targets[0]: give either app or command"),
        ('name = "sync"\n', "", "targets[0]: 'name' is missing"),
        ('name = "sync"', 'name = "../x"', "targets[0].name: String should match pattern"),
        (
            'name = "sync"',
            'name = "sync"\ncwd = "nowhere"',
            "cwd: there is no folder nowhere",
        ),
        ('name = "p"', 'name = "p', "not valid TOML"),
        (
            'name = "p"',
            'name = "p"\nblocks = 0',
            "blocks: Input should be greater than or equal to 1, not 0",
        ),
        ("[[scenarios]]", '[[scenarios]]\nname = "x"\ntitle = 5', "scenarios[0].title"),
        ("[[scenarios]]", f'[[scenarios]]\ngroup = "{"a" * 61}"', "scenarios[0].group"),
        ("[[scenarios]]", '[[scenarios]]\nnote = "a\\nb"', "scenarios[0].note"),
        (
            "[[scenarios]]",
            'expected_differences = { setings = "x" }\n[[scenarios]]',
            "unknown aspect 'setings'; did you mean 'settings'?",
        ),
        ("[[scenarios]]", 'expected_differences = ""\n[[scenarios]]', "give reasons"),
        ("apps.sync_app", "apps\\u0000", "targets[0].app: holds a NUL byte"),
        ("[[scenarios]]", 'cwd = "a\\u0000b"\n[[scenarios]]', "targets[0].cwd: holds a NUL byte"),
        ("[[scenarios]]", 'python = "\\u0000"\n[[scenarios]]', "[0].python: holds a NUL byte"),
        ("[[scenarios]]", 'env.A = "\\u0000"\n[[scenarios]]', "targets[0].env.A: holds a NUL"),
        ("[[scenarios]]", 'env."\\u0000" = ""\n[[scenarios]]', "[0].env.'\\x00': holds a NUL byte"),
        ("[[scenarios]]", 'env."A=B" = ""\n[[scenarios]]', "[0].env.A=B: the name of a variable"),
        ("[[scenarios]]", 'env."" = ""\n[[scenarios]]', "[0].env.'': the name of a variable"),
        (
            'app = "apps.sync_app.main:app"',
            'command = ["serve", "\\u0000"]',
            "targets[0].command[1]: holds a NUL byte",
        ),
        (
            "closed =",
            'requests = [{ path = "/", upload = { f = "a\\u0000" } }]\nclosed =',
            "scenarios[0].requests[0].upload.f: holds a NUL byte",
        ),
        ("[[scenarios]]", "expected_differences = { SQL = 5 }\n[[scenarios]]", "give reasons"),
        ('name = "p"', 'name = "p"\nblocks = 1e9', "integer, written without point and exponent"),
        ('name = "p"', 'name = "p"\nblocks = 1000000000', "less than or equal to 10000, not 1000"),
        ('name = "p"', 'name = "p"\nblocks = 10000\nmeasure_s = 9e4', "measure_s: Input should"),
        ('name = "p"', f'name = "p"\nseed = {"9" * 3900}', "less than or equal to 900719925474"),
        ('name = "p"', f'name = "p"\nseed = {"9" * 5000}', "a number has thousands of digits"),
        ('name = "p"', f'name = "p"\nseed = 0x{"f" * 9999}', "a number has thousands of digits"),
        ('name = "p"', 'name = "p"\nseed = -1', "seed: Input should be greater than or equal to 0"),
        ('name = "p"', 'name = "p"\ncollapse_s = 1e300', "collapse_s: Input should be less than"),
        ('name = "p"', 'name = "p"\nwarmup_s = inf', "warmup_s: Input should be a finite number"),
        ('name = "p"', 'name = "p"\nready_s = "3"', 'a valid number, not "3"'),
        ('name = "p"', f'name = "p"\nmemory_mib = {10**30}', "memory_mib: Input should be less"),
        ("[1, 8]", str(list(range(1, 1002))), "closed: List should have at most 1000 items"),
        ("[[targets]]", f"x = {'[' * 9999}\n[[targets]]", "nested more than 50 levels deep"),
        ("[[targets]]", f"[a{'.a' * 9999}]\n[[targets]]", "nested more than 50 levels deep"),
        ("[[targets]]", f"x{'.a' * 9999} = 1\n[[targets]]", "nested more than 50 levels deep"),
        ("[[targets]]", '"\\"".' * 9999 + "x = 1\n[[targets]]", "nested more than 50 levels"),
        ("[[targets]]", f"x = {'[' * 60}{']' * 60}\n[[targets]]", "nested more than 50 levels"),
        ("[[targets]]", f"{'a' * 9999} = 1\n[[targets]]", "aaa'; known: name, about, seed"),
        ("\n", "#" * 300_000, "this plan is longer than 256 KiB"),
        ("[1, 8]", "[1]\nopen = [100000]\nmeasure_s = 1e4", "1,000,050,000 arrivals in one"),
        ("[1, 8]", "[1]\nrequests = [{ path = '/', weight = 1000001 }]", "weight: Input should be"),
        ("[1, 8]", f"[1]\nrequests = [{{ path = '/{{1..{'9' * 19}}}' }}]", "at most 18 digits"),
        ("[1, 8]", "[1]\nrequests = [{ path = '/', body = { a = nan } }]", "a finite number"),
        ("[[scenarios]]", "workers = 65\n[[scenarios]]", "workers: Input should be less than"),
        (
            "[[scenarios]]",
            f"env.A = '{'a' * 60_001}'\n[[scenarios]]",
            "A: longer than 60,000 bytes",
        ),
    ],
)
def test_a_bad_plan_is_refused_in_one_sentence(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    path = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(PlanError) as refused:
        read_plan(path)
    sentence = str(refused.value)
    assert sentence.startswith(str(path))
    assert said in sentence
    assert "\n" not in sentence
    assert len(sentence) <= MOST_CHARACTERS


@pytest.mark.parametrize(
    "app",
    [
        "",
        ".tiny:app",
        "..:app",
        ":app",
        "a:",
        "a",
        "a b:app",
        "a:b:c",
        "a..b:app",
        "a:b\n",
        "a:b()",
    ],
)
def test_an_import_string_that_names_nothing_is_refused(tmp_path: Path, app: str) -> None:
    text = GOOD.replace('"apps.sync_app.main:app"', json.dumps(app))
    with pytest.raises(PlanError, match=r"targets\[0\]\.app: write it as module:attribute"):
        read_plan(written(tmp_path, text))


def test_more_cells_than_can_be_measured_are_counted_not_listed(tmp_path: Path) -> None:
    many = f"blocks = 10000\n{GOOD}".replace("[1, 8]", str(list(range(1, 12))))
    with pytest.raises(PlanError) as refused:
        read_plan(written(tmp_path, many))
    said = "110,000 cells (blocks x loads x targets), which take 4 days; a plan has at most 100,000"
    assert str(refused.value) == f"{tmp_path / 'plan.toml'}: {said}"


def test_a_byte_order_mark_and_line_ends_of_windows_are_read(tmp_path: Path) -> None:
    marked = written(tmp_path, "")
    marked.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert read_plan(marked) == read_plan(written(tmp_path, GOOD))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (os.mkfifo, "not a regular file"),
        (Path.mkdir, "not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
        (lambda path: path.write_bytes(b"\xff"), "not a text in UTF-8"),
        (lambda path: path.write_text("a = 1\rb = 2"), "not valid TOML"),
    ],
)
def test_a_plan_that_is_no_text_file_is_refused(
    tmp_path: Path, make: Callable[[Path], object], said: str
) -> None:
    make(tmp_path / "plan.toml")
    with pytest.raises(PlanError, match=said):
        read_plan(tmp_path / "plan.toml")


@pytest.mark.parametrize("name", ["\udcff.toml", "x" * 5000])
def test_a_plan_whose_path_cannot_be_kept_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PlanError, match=r"not in UTF-8; rename it|File name too long"):
        read_plan(tmp_path / name)


@pytest.mark.parametrize("command", ["run", "check"])
def test_more_processes_than_cores_are_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    monkeypatch.setattr("twinbench.measure.machine.usable_cores", lambda: 2)
    path = written(tmp_path, GOOD.replace('"p"', '"p"\nprocesses = 3', 1))
    monkeypatch.setattr("sys.argv", ["twinbench", command, str(path)])
    assert cli.main() == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{path}: processes = 3: ")
    assert said.endswith("set processes to 2 or less\n")


def test_a_missing_plan_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="there is no such plan file"):
        read_plan(tmp_path / "none.toml")


def test_a_target_named_twice_is_refused(tmp_path: Path) -> None:
    twice = GOOD.replace(
        "[[scenarios]]", '[[targets]]\nname = "sync"\napp = "b:app"\n[[scenarios]]'
    )
    with pytest.raises(PlanError, match="target 'sync' stands twice"):
        read_plan(written(tmp_path, twice))


def test_what_a_scenario_file_says_can_be_changed_in_the_plan(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD + 'name = "other"\nabout = "Mine."\n')
    scenario = read_plan(path).scenarios[0]
    assert (scenario.name, scenario.about) == ("other", "Mine.")
    assert scenario.requests[0].path == "/workload/noop"


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_plans_that_ship_are_valid(path: Path) -> None:
    plan = read_plan(path)
    assert plan.name == path.stem
    assert plan.about


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_says_what_it_is(name: str) -> None:
    table = read_scenario(name)
    assert table["title"]
    assert table["group"]
    assert table["about"].endswith((".", "ten."))


def test_the_same_seed_gives_the_same_order_and_another_another() -> None:
    assert cells(runs.plan(seed=1)) == cells(runs.plan(seed=1))
    assert any(cells(runs.plan(seed=1)) != cells(runs.plan(seed=seed)) for seed in (2, 3, 4))


def test_each_block_holds_every_cell_once() -> None:
    plan = read_plan(PLANS / "bench.toml")
    order = cells(plan)
    assert [cell.number for cell in order] == list(range(1, len(order) + 1))
    first = {cell[2:] for cell in order if cell.block == 1}
    assert len(first) == len(order) / plan.blocks
    for block in range(2, plan.blocks + 1):
        assert {cell[2:] for cell in order if cell.block == block} == first


def test_targets_of_a_scenario_follow_one_another_with_the_same_order_of_loads() -> None:
    order = cells(read_plan(PLANS / "bench.toml"))
    by_visit: dict[tuple[int, str], list[tuple[str, int]]] = {}
    for cell in order:
        by_visit.setdefault((cell.block, cell.scenario), []).append((cell.target, cell.load.value))
    assert len(by_visit) == 5 * 7
    for visited in by_visit.values():
        half = len(visited) // 2
        assert len({target for target, _ in visited[:half]}) == 1
        assert [load for _, load in visited[:half]] == [load for _, load in visited[half:]]


LOGIN = """
setup = [
    { method = "POST", path = "/token", form = { username = "u" }, capture = { token = "access" } },
    { path = "/me", headers = { Authorization = "Bearer {token}" }, capture = { mine = "id" } },
]
requests = [{ path = "/posts/{mine}/{1..9}", headers = { Authorization = "Bearer {token}" } }]
"""


def with_login(old: str = "", new: str = "") -> str:
    return GOOD + LOGIN.replace(old, new, 1)


def test_what_comes_before_a_load_is_read(tmp_path: Path) -> None:
    scenario = read_plan(written(tmp_path, with_login())).scenarios[0]
    assert scenario.setup[0].form == {"username": "u"}
    assert scenario.setup[1].capture == {"mine": "id"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("/{mine}/", "/{mien}/", "holds {mien}, which no setup request ahead of it takes; did"),
        ("{token}", "{mine}", "'setup: GET /me' holds {mine}, which no setup request ahead"),
        ('path = "/token"', 'path = "/{user}"', "holds {user}, which no setup request ahead of"),
        (
            "capture =",
            "captur =",
            "scenarios[0].setup[0]: unknown key 'captur'; did you mean 'capture'?",
        ),
        ("form", "weight = 2, form", "scenarios[0].setup[0]: unknown key 'weight'; known: "),
        ("form", "body = {}, form", "scenarios[0].setup[0]: give only one of body and form"),
        ("{ token =", "{ Token =", "scenarios[0].setup[0].capture.Token"),
        ("Bearer {token}", "a\\nb", "scenarios[0].setup[1].headers.Authorization"),
        ('path = "/me",', 'path = "/me", upload = {},', "scenarios[0].setup[1].upload"),
    ],
)
def test_what_comes_before_a_load_is_checked(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = written(tmp_path, with_login(old, new))
    with pytest.raises(PlanError) as refused:
        read_plan(path)
    assert said in str(refused.value)


def test_without_before_braces_are_left_to_the_app(tmp_path: Path) -> None:
    requests = 'requests = [{ path = "/{token}", body = { q = "{ user { name } }" } }]\n'
    assert read_plan(written(tmp_path, GOOD + requests)).scenarios[0].requests[0].names()


def test_a_file_to_upload_is_meant_from_the_file_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "me.png").write_bytes(b"picture")
    upload = 'requests = [{ method = "POST", path = "/", upload = { file = "me.png" } }]\n'
    [request] = read_plan(written(tmp_path, GOOD + upload)).scenarios[0].requests
    assert request.upload == {"file": tmp_path / "me.png"}
    with pytest.raises(PlanError) as refused:
        read_plan(written(tmp_path, GOOD + upload.replace("me.png", "us.png")))
    said = "scenarios[0].requests[0].upload.file: there is no file us.png"
    assert str(refused.value) == f"{tmp_path / 'plan.toml'}: {said}"


def test_a_scenario_file_names_its_uploads_from_its_own_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "scenarios"
    folder.mkdir()
    monkeypatch.setattr("twinbench.plan.read.SCENARIOS", folder)
    (folder / "me.png").write_bytes(b"picture")
    scenario = folder / "noop.toml"
    scenario.write_text('requests = [{ method = "PUT", path = "/", upload = { file = "me.png" } }]')
    [request] = read_plan(written(tmp_path, GOOD)).scenarios[0].requests
    assert request.upload == {"file": folder / "me.png"}
    (folder / "me.png").unlink()
    with pytest.raises(PlanError, match=r"noop\.toml: requests\[0\]\.upload\.file: there is no"):
        read_plan(written(tmp_path, GOOD))


def test_a_plan_with_uploads_is_kept_and_read_back(tmp_path: Path) -> None:
    (tmp_path / "me.png").write_bytes(b"picture")
    upload = 'requests = [{ method = "POST", path = "/", upload = { file = "me.png" } }]\n'
    plan = read_plan(written(tmp_path, GOOD + upload))
    assert type(plan).model_validate_json(plan.model_dump_json()) == plan


def test_the_login_in_the_readme_is_a_good_plan(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    [example] = [part for part in readme.split("```") if "[[scenarios.setup]]" in part]
    head = GOOD.partition("[[scenarios]]")[0]
    plan = read_plan(written(tmp_path, head + example.removeprefix("toml\n")))
    assert plan.scenarios[0].setup[0].capture == {"token": "access_token"}


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.toml")), ids=lambda path: path.stem)
def test_a_pair_of_ours_differs_in_its_app_only_unless_it_says_so(path: Path) -> None:
    plan = read_plan(path)
    for scenario in plan.scenarios:
        baseline, *others = (plan.target(name) for name in plan.targets_of(scenario))
        for other in others:
            if not other.expected_differences:
                same = {"name": baseline.name, "title": baseline.title, "app": baseline.app}
                assert other.model_copy(update=same) == baseline, (scenario.name, other.name)
