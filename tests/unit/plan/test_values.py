"""Values of names in braces: vars of a target, rows of a feed, captures of each user."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.plans import refusal, write_plan
from twinbench.plan import Plan, Request, read_plan, rows_of

TARGETS = """
name = "p"
[[targets]]
name = "sync"
app = "shop:app"
vars = { prefix = "api/v1", greeting = "Good day" }
[[targets]]
name = "async"
app = "shop:app"
vars = { prefix = "async", greeting = "Grüß Gott" }
"""
# The whole of a scenario, in which tests replace a part.
SCENARIO = """
[[scenarios]]
name = "cart"
closed = [1, 8]
feed = "users.csv"
setup = [
    { path = "/{prefix}/health", capture = { version = "version" } },
    { method = "POST", path = "/{prefix}/login", per = "user", form = { n = "{username}" }, \
capture = { token = "token" } },
]
requests = [
    { path = "/{prefix}/cart/{version}", headers = { Authorization = "Bearer {token}" } },
    { method = "POST", path = "/{prefix}/cart", body = { text = ["{greeting}, {username}"] } },
]
"""
USERS = "username,password\nann,a b\nbob,\n"


@pytest.fixture(autouse=True)
def users_file(tmp_path: Path) -> Path:
    """CSV file beside the plan."""
    (tmp_path / "users.csv").write_text(USERS)
    return tmp_path / "users.csv"


def plan_text(old: str = "", new: str = "") -> str:
    text = TARGETS + SCENARIO
    assert old in text
    return text.replace(old, new, 1) if old else text


def test_vars_are_filled_in_with_their_slashes(tmp_path: Path) -> None:
    plan = read_plan(write_plan(tmp_path, plan_text()))
    sync, other = (plan.scenarios[0].with_vars(target.vars) for target in plan.targets)
    assert sync.requests[0].path == "/api/v1/cart/{version}"
    assert other.setup[1].label == "setup: POST /async/login"
    assert other.requests[1].body == {"text": ["Grüß Gott, {username}"]}
    assert plan.scenarios[0].requests[0].label == "GET /{prefix}/cart/{version}"


def test_a_request_without_vars_is_the_same_object() -> None:
    request = Request(path="/{1..5}/{token}")
    assert request.with_vars({"prefix": "sync"}) is request


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('prefix = "async"', "prefix = 1", "targets[1].vars.prefix: Input should be a valid str"),
        ('prefix = "async"', 'Prefix = ""', "targets[1].vars.Prefix: String should match"),
        ('prefix = "async"', 'prefix = "{1..5}"', "targets[1].vars.prefix: placeholders are not"),
        ("vars =", "var =", "targets[0]: unknown key 'var'; did you mean 'vars'?"),
        (
            'prefix = "async", ',
            "",
            "scenario 'cart': 'setup: GET /{prefix}/health' holds {prefix}, and target 'async' has"
            " no such var: add it to its vars",
        ),
        ("/{prefix}/health", "/{prefx}/health", "has no such var; did you mean 'prefix'?"),
        ("{greeting}, ", "{greetin}", "users.csv has no such column, target 'sync' has no such"),
        (
            '"async", g',
            '"a b", g',
            "'setup: GET /{prefix}/health' with the vars of target 'async': a path begins",
        ),
        ('"async", g', '"/async", g', "the path becomes '//async/health': remove one"),
        ('"async", g', '"", g', "the path becomes '//health': remove one of the slashes"),
        ("token = ", "prefix = ", "{prefix} is both captured per user and a var of target 'sync'"),
        ("token = ", "username = ", "{username} is both a column of users.csv and captured per u"),
        ("token = ", "version = ", "{version} is both captured per server and captured per user"),
        ('per = "user", ', "", "is sent once for all users and holds {username}, which each user"),
        ('per = "user"', 'per = "users"', "setup[1].per: Input should be 'server' or 'user', not"),
    ],
)
def test_values_that_do_not_fit_are_refused(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert message in refusal(tmp_path, plan_text(old, new))


def test_a_header_is_one_line_with_its_vars(tmp_path: Path) -> None:
    text = plan_text("Bearer {token}", "{greeting}").replace("Good day", "Good\\nday")
    assert "with the vars of target 'sync': a header's value holds" in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("users", "message"),
    [
        ("", "users.csv: is empty: the first line names the columns"),
        ("username,password\n\n", "users.csv: has no row below its header"),
        ("username,username\na,b\n", "users.csv: column 'username' is given twice"),
        ("User Name,x\na,b\n", "users.csv: column 'User Name' of its header cannot be written in"),
        ("username,\na,b\n", "users.csv: column '' of its header cannot"),
        ("username,p\na,b\n\nc\n", "users.csv: line 4 has 1 values, the header 2"),
        ("username,p\na,b,c\n", "users.csv: line 2 has 3 values, the header 2"),
        ('username,p\na,"b\nc"\n', "users.csv: line 3: p is not a line of text"),
        ('username,p\na,"b\n', "users.csv: line 2: unexpected end of data"),
        (b"username\n\xff\n", "users.csv: not a text in UTF-8"),
        ("name\na\n", "holds {username}: no earlier setup request captures it, users.csv has no"),
        (f"{','.join(f'c{n}' for n in range(101))}\n", "users.csv: more than 100 columns"),
        ("username\n" + "a\n" * 100_001, "users.csv: more than 100,000 rows"),
        (b"username\n" + b"a" * (1 << 24), "users.csv: above 16 MiB"),
    ],
)
def test_a_wrong_csv_file_is_refused(
    tmp_path: Path, users_file: Path, users: str | bytes, message: str
) -> None:
    users_file.write_bytes(users if isinstance(users, bytes) else users.encode())
    found = refusal(tmp_path, plan_text())
    assert message in found
    assert found.startswith(("scenarios[0].feed: ", "scenario 'cart': "))


@pytest.mark.parametrize(
    ("feed", "message"),
    [
        ("5", "scenarios[0].feed: Input should be a valid dictionary"),
        ('"nobody.csv"', "scenarios[0].feed: there is no file nobody.csv"),
        ('"."', "scenarios[0].feed: there is no file ."),
        ("{ file = 5 }", "scenarios[0].feed.file: Input is not a valid path"),
        ('{ per = "request" }', "scenarios[0].feed: 'file' is missing"),
        ('{ fiel = "users.csv" }', "scenarios[0].feed: unknown key 'fiel'; did you mean 'file'?"),
        ('{ file = "users.csv", sha256 = "" }', "scenarios[0].feed: unknown key 'sha256'"),
        ('{ file = "users.csv", per = "row" }', "scenarios[0].feed.per: Input should be 'user'"),
        ('{ file = "users.csv", per = "request" }', "whose rows are for requests of the load"),
        ('"a\\u0000.csv"', "scenarios[0].feed.file: holds a NUL byte"),
    ],
)
def test_a_wrong_feed_is_refused(tmp_path: Path, feed: str, message: str) -> None:
    assert message in refusal(tmp_path, plan_text('"users.csv"', feed))


def test_a_feed_is_relative_to_the_plan_and_of_the_run(tmp_path: Path, users_file: Path) -> None:
    users_file.write_bytes(b"\xef\xbb\xbfusername,n\r\nann,1\r\n\r\n bob ,\r\n")
    path = write_plan(tmp_path, plan_text())
    plan = read_plan(path)
    feed = plan.scenarios[0].feed
    assert feed
    assert (feed.file, feed.columns, feed.rows) == (tmp_path / "users.csv", ["username", "n"], 2)
    assert rows_of(feed) == [{"username": "ann", "n": "1"}, {"username": " bob ", "n": ""}]
    assert Plan.model_validate_json(plan.model_dump_json()) == plan
    users_file.write_text("username,n\nann,2\n")
    # The run keeps what it read, and a resumed run finds that its plan has changed.
    assert rows_of(feed)[0]["n"] == "1"
    assert read_plan(path) != plan


@pytest.mark.parametrize(
    ("closed", "per_user", "rows", "identities"),
    [
        ([1, 8], True, 2, 8),
        ([], True, 2, 2),
        ([], True, 500, 100),
        ([], True, 0, 100),
        ([4], False, 2, 4),
        ([4], False, 500, 500),
        ([4], False, 0, 0),
    ],
)
def test_users_have_identities(
    tmp_path: Path,
    users_file: Path,
    closed: Sequence[int],
    per_user: bool,
    rows: int,
    identities: int,
) -> None:
    users_file.write_text("n\n" + "a\n" * rows)
    setup = f'[{{ path = "/login", per = "{"user" if per_user else "server"}" }}]'
    lines = [f"closed = {json.dumps(closed)}", "open = [5]", f"setup = {setup}"]
    lines += ['feed = "users.csv"'] * bool(rows) + ['requests = [{ path = "/" }]']
    text = TARGETS + '[[scenarios]]\nname = "s"\n' + "\n".join(lines)
    plan = read_plan(write_plan(tmp_path, text))
    assert plan.scenarios[0].identities == identities


def test_a_sequence_has_no_weights(tmp_path: Path) -> None:
    text = plan_text("feed =", "sequence = true\nfeed =")
    assert read_plan(write_plan(tmp_path, text)).scenarios[0].cycle == 2
    weighted = text.replace('token}" } }', 'token}" }, weight = 2 }')
    assert "scenarios[0]: a sequence sends each request once" in refusal(tmp_path, weighted)
    text = plan_text("feed =", 'sequence = "yes"\nfeed =')
    assert "scenarios[0].sequence: Input should be a valid boolean" in refusal(tmp_path, text)


def test_more_than_can_be_prepared_is_refused(tmp_path: Path) -> None:
    request = "{ path = '/{token}' },"
    login = "{ path = '/login', per = 'user', capture = { token = 'token' } }"
    head = TARGETS + "[[scenarios]]\nname = 's'\nclosed = [10000]\n"
    text = f"{head}sequence = true\nsetup = [{login}]\nrequests = [{request * 21}]"
    message = refusal(tmp_path, text)
    assert message.startswith("scenarios[0]: 210,000 requests to prepare")
    (tmp_path / "big.bin").write_bytes(b"x" * 100_000)
    upload = "{ method = 'POST', path = '/{token}', upload = { file = 'big.bin' } }"
    message = refusal(tmp_path, f"{head}setup = [{login}]\nrequests = [{upload}]")
    assert message.startswith("scenarios[0]: 956 MiB of requests to prepare")
