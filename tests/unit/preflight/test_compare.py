"""Comparison of two targets by what was observed of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.support.factories import work
from twinbench.plan import ASPECTS, Aspect, Target
from twinbench.preflight.collect import OF_THE_BYTES, Key, Observation, header_lines
from twinbench.preflight.compare import MAX_LINES, MAX_STARTS, Compared, compare, unified_diff
from twinbench.preflight.findings import Difference, Problem
from twinbench.preflight.result import DeclaredDifference, PreflightPair
from twinbench.preflight.volatile import tokenize

WHERE = "scenario 'write': POST /posts (requests[0])"
HASH = "$argon2id$v=19$m={memory},t=3,p=4$c29tZXNhbHQ$" + "{salted}"
FACTS: dict[Aspect, str] = {
    "OpenAPI": '{"openapi":"3.1.0","info":{"title":"Blog"}}',
    "status": "201",
    "headers": "content-length: 40\ncontent-type: application/json",
    "bytes": '{"id":1,"at":"2026-01-17T10:00:00.000001Z"}',
    "SQL": "INSERT INTO posts (id, at) VALUES (?, ?)\n    with (1, '2026-01-17 10:00:00')",
    "commits": "1 commits, 0 rollbacks",
    "upstream requests": "1 upstream requests",
    "files": "new .jpg: <4310 bytes, SHA-256 a1b2>",
    "final database": "database 1\nposts: id=1, at='2026-01-17'\nposts: id=2, at='2026-01-17'",
    "settings": "threads: 40\nengine 1: pool: size=5",
}
DIFFERENCES: list[tuple[Aspect, str, str]] = [
    ("status", "201", "200"),
    ("headers", "\ncontent-type: application/json", ""),
    ("bytes", '"id":1', '"id":2'),
    ("bytes", ',"at"', ', "at"'),
    ("SQL", "(1, ", "(2, "),
    ("SQL", "INSERT", "SELECT 1\n    with ()\nINSERT"),
    ("commits", "1 commits", "2 commits"),
    ("final database", "\nposts: id=2, at='2026-01-17'", ""),
    ("final database", "id=2", "id=3"),
    ("OpenAPI", "Blog", "Log"),
    ("settings", "40", "41"),
    ("upstream requests", "1", "0"),
    ("files", "a1b2", "c3d4"),
]
COMMAND: dict[str, Any] = {"app": None, "command": ["serve"]}


def observed(
    name: str, changes: Mapping[Aspect, str] | None = None, *, inside: bool = True, **target: Any
) -> Observation:
    facts = {
        Key(WHERE, aspect, "write"): text for aspect, text in {**FACTS, **(changes or {})}.items()
    }
    of = Target.model_validate({"name": name, "app": "a:app"} | target)
    return Observation(of, 1, facts, work() if inside else None)


def with_work(name: str, **changes: object) -> Observation:
    return replace(observed(name), work=work(**changes))


def never(name: str, _: int) -> Observation:
    raise AssertionError(f"{name} was started again, though nothing differs")


def declared(*aspects: Aspect, scenario: str = "") -> list[DeclaredDifference]:
    target = "" if scenario else "async"
    return [
        DeclaredDifference(aspect=each, target=target, scenario=scenario, reason="on purpose")
        for each in aspects
    ]


def without_differences(found: Compared) -> PreflightPair:
    assert found.differences == []
    return found.pair


def compared(aspect: Aspect, sync: Sequence[str], other: Sequence[str]) -> Compared:
    """Compare two targets by one aspect, with a text for each start; the last one is repeated."""
    texts = {"sync": sync, "async": other}

    def restart(name: str, start: int) -> Observation:
        return observed(name, {aspect: texts[name][min(start, len(texts[name])) - 1]})

    return compare(restart("sync", 1), restart("async", 1), restart)


def refused(aspect: Aspect, sync: Sequence[str], other: Sequence[str]) -> Difference:
    [difference] = compared(aspect, sync, other).differences
    assert difference.aspect == aspect
    return difference


def differences(
    one: Observation, other: Observation, *expected: DeclaredDifference
) -> list[Difference]:
    """Return the differences of two targets that are the same at every start."""
    by_name = {each.target.name: each for each in (one, other)}
    return compare(one, other, lambda name, _: by_name[name], expected).differences


def unequal(one: Observation, other: Observation, aspect: Aspect) -> str:
    """Return the diff of two targets that are the same at every start and differ in `aspect`."""
    [diff] = [each.diff for each in differences(one, other) if each.aspect == aspect]
    return diff


def test_equal_targets_are_started_once() -> None:
    pair = without_differences(compare(observed("sync"), observed("async"), never))
    assert (pair.equal, pair.missing, pair.declared, pair.volatile) == (list(ASPECTS), {}, [], 0)


@pytest.mark.parametrize(("aspect", "old", "new"), DIFFERENCES)
def test_a_difference_is_refused_and_shown(aspect: Aspect, old: str, new: str) -> None:
    one, other = FACTS[aspect], FACTS[aspect].replace(old, new, 1)
    found = refused(aspect, (one, one), (other, other))
    assert (found.target, found.baseline, found.where) == ("async", "sync", WHERE)
    first, second, *rest = found.diff.splitlines()
    assert (first, second) == (f"--- sync, {aspect}", f"+++ async, {aspect}")
    assert rest


def test_every_aspect_is_among_the_differences() -> None:
    # Variables are compared by the plan: test_variables_that_differ_are_named_not_shown.
    assert {aspect for aspect, _, _ in DIFFERENCES} == set(ASPECTS) - {"environment"}


def hashes(*salted: str, memory: int = 65536) -> list[str]:
    return [HASH.format(memory=memory, salted=each) for each in salted]


@pytest.mark.parametrize(
    ("aspect", "sync", "other", "volatile"),
    [
        ("bytes", ("at 10:00Z, a1b2.jpg", "at 10:01Z, c3d4.jpg"), ("at 10:00Z, e5f6.jpg",) * 2, 1),
        # A value whose length varies, and a number with one more digit.
        ("headers", ("took: 9", "took: 10"), ("took: 110", "took: 7"), 1),
        ("bytes", ("<99 bytes>", "<98 bytes>"), ("<101 bytes>", "<100 bytes>"), 1),
        # Base64, in which + and / stand anywhere; a number with an exponent.
        ("bytes", ('"q+w/AAAA=="', '"aaaaaaaa=="'), ('"////aaaa=="', '"a/aaaaa+=="'), 1),
        ("bytes", ("took: 0.00012", "took: 9e-05"), ("took: 8.5e-05", "took: 0.0003"), 1),
        ("SQL", hashes("AA", "BB"), hashes("CC", "AA"), 1),
        # The same at two starts by chance: a truth value, numbers of one length.
        ("bytes", ["on: true"] * 2, ["on: false"] * 2 + ["on: true"], 1),
        ("bytes", ["0.12", "0.34"], ["0.567", "0.789", "0.98"], 1),
        # Rows in the order of a random key, files in that of their contents.
        (
            "final database",
            ("x: id='b1', n=1\nx: id='c2', n=2", "x: id='a3', n=2\nx: id='d4', n=1"),
            [f"x: id='e{n}', n=1\nx: id='f{n}', n=2" for n in range(2)],
            2,
        ),
        (
            "files",
            ("new .a: 'b'\nnew .a: 'fixed'", "new .a: 'fixed'\nnew .a: 'g'"),
            ("new .a: 'fixed'\nnew .a: 'g'", "new .a: 'b'\nnew .a: 'fixed'"),
            1,
        ),
    ],
)
def test_volatile_values_may_differ(
    aspect: Aspect, sync: Sequence[str], other: Sequence[str], volatile: int
) -> None:
    assert without_differences(compared(aspect, sync, other)).volatile == volatile


@pytest.mark.parametrize(
    ("aspect", "sync", "other", "shown"),
    [
        # The cost and the length of a hash.
        ("SQL", hashes("AA", "BB"), hashes("QQ", "RR", memory=8192), "m=8192"),
        ("SQL", hashes("AA", "BB"), hashes("Q", "R"), "$~"),
        ("headers", ("took: 8", "took: 9"), ("took: 110", "took: 111"), "took: 999"),
        # Part of a path.
        ("bytes", ("/posts/1/a1b2", "/posts/1/c3d4"), ("/posts/2/e5f6", "/posts/2/a7b8"), "/2/"),
        (
            "final database",
            ("x: id='b1', n=1\nx: id='c2', n=2", "x: id='a3', n=2\nx: id='d4', n=1"),
            [f"x: id='e{n}', n=3\nx: id='f{n}', n=2" for n in range(2)],
            "n=3",
        ),
        (
            "files",
            ("new .a: 'b'\nnew .a: 'fixed'", "new .a: 'fixed'\nnew .a: 'g'"),
            ("new .a: 'c'\nnew .a: 'fired'", "new .a: 'd'\nnew .a: 'fired'"),
            "fired",
        ),
    ],
)
def test_other_values_may_not_differ_beside_volatile_ones(
    aspect: Aspect, sync: Sequence[str], other: Sequence[str], shown: str
) -> None:
    assert shown in refused(aspect, sync, other).diff


def test_a_diff_masks_volatile_values() -> None:
    one, other = ("at=10:00:01 id=1", "at=10:00:04 id=1"), ("at=10:00:02 id=2", "at=10:00:05 id=2")
    found = refused("final database", one, other)
    assert found.diff.splitlines()[-2:] == ["-at=10:00:99 id=1", "+at=10:00:99 id=2"]
    assert found.note


@pytest.mark.parametrize(("of_sync", "most"), [("id: 2", MAX_STARTS), ("id: 3", 2)])
def test_all_differences_are_told_by_the_same_starts(of_sync: str, most: int) -> None:
    starts: list[tuple[str, int]] = []
    counts: dict[Aspect, str] = {"status": "409", "commits": "2 commits, 0 rollbacks"}

    def restart(name: str, start: int) -> Observation:
        starts.append((name, start))
        return observed(
            name, {**counts, "bytes": of_sync} if name == "sync" else {"bytes": "id: 3"}
        )

    found = compare(restart("sync", 1), restart("async", 1), restart).differences
    bytes_: list[Aspect] = ["bytes"] if of_sync == "id: 2" else []
    assert [each.aspect for each in found] == ["status", *bytes_, "commits"]
    # Of those that no chance explains, a second start is enough.
    assert sorted(starts) == [(name, n + 1) for name in ("async", "sync") for n in range(most)]


@pytest.mark.parametrize("unstable", ["sync", "async"])
def test_a_target_that_changes_in_structure_is_refused(unstable: str) -> None:
    stable, changing = ("a b", "a b"), ("a c", "a b c")
    sync, other = (changing, stable) if unstable == "sync" else (stable, changing)
    found = refused("bytes", sync, other)
    assert (found.target, found.baseline) == (unstable, "")
    assert f"--- {unstable}, first start" in found.diff


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("2026-01-17T10:00:59.5Z", ["2026-01-17T10", "00", "59", "5Z"]),
        ("eyJ0.eyJz-_.c2ln", ["eyJ0", "eyJz-_", "c2ln"]),
        ("$argon2id$m=65536,t=3$c2/+A$a+/b", ["argon2id", "m", "65536", "t", "3", "c2/+A", "a+/b"]),
        ("$2b$12$ab./cd", ["2b", "12", "ab./cd"]),
        ("", []),
    ],
)
def test_tokens_end_where_volatile_values_end(text: str, tokens: list[str]) -> None:
    assert tokenize(text).tokens == tokens


@pytest.mark.parametrize(
    ("one", "other", "text"),
    [
        ({"uses_sqlalchemy": False}, {"uses_sqlalchemy": False}, "SQL, commits (neither app uses"),
        ({"other_databases": ["postgresql"]}, {}, "final database (postgresql: only SQLite"),
        ({"sqlite_files": []}, {"sqlite_files": []}, "final database (no database was used)"),
        (
            {"sqlite_files": [], "unobserved": {"final database": "those outside"}},
            {"sqlite_files": []},
            "final database (those outside)",
        ),
        ({"failed": {"SQL": "a"}}, {"unobserved": {"SQL": "b"}}, "SQL (a)"),
        ({}, {"param_styles": ["pyformat"]}, "SQL (their drivers write parameters"),
        ({"unobserved": {"files": "a"}}, {"unobserved": {"files": "b"}}, "files (a; b)"),
    ],
)
def test_what_is_not_compared_has_a_reason(
    one: dict[str, object], other: dict[str, object], text: str
) -> None:
    found = compare(with_work("sync", **one), with_work("async", **other), never)
    pair = without_differences(found)
    assert pair.missing_text.startswith(text)
    assert pair.summary.endswith(f"equal. Not compared: {pair.missing_text}")


def test_a_command_is_compared_by_its_responses() -> None:
    found = compare(observed("sync", inside=False, **COMMAND), observed("async"), never)
    pair = without_differences(found)
    assert pair.equal == ["OpenAPI", "status", "headers", "bytes", "environment"]
    assert set(pair.missing.values()) == {"'sync' is a command, which cannot be observed"}


def test_the_environment_of_a_running_server_is_not_compared() -> None:
    running = observed("async", inside=False, app=None, url="http://127.0.0.1:8000")
    pair = without_differences(compare(observed("sync", env={"KEY": "1"}), running, never))
    assert pair.missing["environment"] == "'async' was running before, which cannot be observed"
    assert pair.conditions["server"] == "uvicorn | not known"


def test_expected_differences_are_not_compared() -> None:
    other = observed("async", {"settings": "threads: 80"})
    found = compare(observed("sync"), other, never, declared("settings"))
    pair = without_differences(found)
    assert pair.declared_text == "settings ('async': on purpose)"
    assert pair.equal == [aspect for aspect in ASPECTS if aspect != "settings"]
    assert "Expected to differ: settings" in pair.summary


def test_a_scenario_declares_for_its_own_requests_only() -> None:
    changes: dict[Aspect, str] = {"bytes": "other", "SQL": "other", "settings": "other"}
    read = {Key("read", "bytes", "read"): "a", Key("read", "SQL", "read"): "b"}
    one, other = observed("sync"), observed("async", changes)
    one = replace(one, facts={**one.facts, **read})
    other = replace(other, facts={**other.facts, **dict.fromkeys(read, "c")})
    found = differences(one, other, *declared("bytes", "SQL", scenario="write"))
    assert [(each.scenario, each.aspect) for each in found] == [
        ("write", "settings"),
        ("read", "bytes"),
        ("read", "SQL"),
    ]
    both = PreflightPair(
        baseline="sync",
        candidate="async",
        scenarios=["write", "read"],
        requests=1,
        declared=declared("bytes", scenario="write"),
    )
    assert "bytes" in both.equal  # of the other scenario
    assert both.declared_text == "bytes (scenario 'write': on purpose)"
    assert "bytes" not in both.model_copy(update={"scenarios": ["write"]}).equal


LENGTH, TAG, PLAIN = "content-length: {}", 'etag: "{}"', "content-type: text/plain"


@pytest.mark.parametrize(
    ("of_other", "bytes_differ", "reported"),
    [
        ([LENGTH.format(2), TAG.format("b"), PLAIN], True, ["bytes"]),
        # A header that is missing, or says something else, does not follow from the bytes.
        ([LENGTH.format(2), PLAIN], True, ["headers", "bytes"]),
        (
            [LENGTH.format(1), TAG.format("a"), "content-type: text/html"],
            True,
            ["headers", "bytes"],
        ),
        ([LENGTH.format(1), TAG.format("b"), PLAIN], False, ["headers"]),
    ],
)
def test_headers_that_follow_from_bytes_are_implied(
    of_other: Sequence[str], bytes_differ: bool, reported: Sequence[str]
) -> None:
    lines = [LENGTH.format(1), TAG.format("a"), PLAIN]
    one = observed("sync", {"headers": "\n".join(lines)})
    changes: dict[Aspect, str] = {"headers": "\n".join(of_other)}
    other = observed("async", changes | ({"bytes": "other"} if bytes_differ else {}))
    assert [each.aspect for each in differences(one, other)] == reported
    rest = [aspect for aspect in reported if aspect != "bytes"]
    assert [each.aspect for each in differences(one, other, *declared("bytes"))] == rest


def test_what_was_not_sent_to_both_is_no_difference() -> None:
    problem = Problem("'async'", "was answered with 404", "GET /x")
    more = {**observed("sync").facts, Key("GET /x", "bytes", "write"): "x"}
    one = replace(observed("sync"), facts=more)
    other = replace(observed("async", {"bytes": "other"}), problems=(problem,))
    assert [(each.where, each.aspect) for each in differences(one, other)] == [(WHERE, "bytes")]
    assert len(differences(one, replace(other, problems=()))) == 2


def test_a_folder_beside_the_own_one_is_no_part_of_it() -> None:
    one = observed("sync", env={"DATA": "/one-data"}, cwd="/one")
    other = observed("async", env={"DATA": "/other-data"}, cwd="/other")
    assert unequal(one, other, "environment") == "DATA is set differently"


def test_variables_that_differ_are_named_not_shown() -> None:
    own = {"SAME": "{scratch}/a", "OWN": "/one/lib:/one", "KEY": "secret 1", "HERE": ""}
    one = observed("sync", env=own, cwd="/one")
    # OWN is the same place in the folder of each.
    others = {"SAME": "{scratch}/a", "OWN": "/other/lib:/other", "KEY": "secret 2"}
    other = observed("async", env=others, import_from="/other")
    diff = unequal(one, other, "environment")
    assert diff.splitlines() == ["HERE is set differently", "KEY is set differently"]
    aspects: tuple[Aspect, ...] = ("environment", "settings")
    for aspect in aspects:
        pair = without_differences(compare(one, other, never, declared(aspect)))
        assert "environment ('async': HERE, KEY: on purpose)" in pair.declared_text


def test_conditions_of_both_are_kept() -> None:
    one = with_work("sync", conditions={"event loop": "uvloop.Loop", "asyncio debug": "off"})
    other = with_work("async", conditions={"event loop": "uvloop.Loop", "asyncio debug": "on"})
    pair = compare(one, other, never).pair
    assert pair.conditions == {
        "server": "uvicorn",
        "event loop": "uvloop.Loop",
        "asyncio debug": "off | on",
    }
    command = observed("async", inside=False, **COMMAND)
    assert (
        compare(one, command, never).pair.conditions["event loop"] == "uvloop.Loop | not observed"
    )


def test_options_of_servers_with_workers_are_compared() -> None:
    one = observed("sync", limit_concurrency=9)
    other = observed("async", workers=2, limit_concurrency=9, inside=False)
    assert unequal(one, other, "settings") == "workers: 1 | 2"
    assert without_differences(compare(one, other, never, declared("settings"))).declared
    command = observed("async", inside=False, **COMMAND)
    assert "settings" in without_differences(compare(one, command, never)).missing


GUNICORN: dict[str, Any] = {"server": "gunicorn", "inside": False}
OWN_HEADERS = "\nserver: gunicorn\nconnection: close\ntransfer-encoding: chunked"


@pytest.mark.parametrize(
    ("one", "other"),
    [({}, GUNICORN), (COMMAND | {"inside": False}, COMMAND | {"inside": False})],
)
def test_headers_of_another_server_are_no_difference(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    lines = f"x-of-app: 1\ncontent-length: {OF_THE_BYTES}\nserver: uvicorn"
    sync = observed("sync", {"headers": lines}, **one)
    for own in ("x-of-app: 1", "x-of-app: 2"):
        found = observed("async", {"headers": own + OWN_HEADERS}, **other)
        if own == "x-of-app: 1":
            assert "headers" in without_differences(compare(sync, found, never)).equal
        else:
            assert "+x-of-app: 2" in unequal(sync, found, "headers")


def test_headers_of_the_same_server_are_compared() -> None:
    sync = observed("sync", {"headers": "connection: close"}, **GUNICORN)
    other = observed("async", {"headers": ""}, **GUNICORN)
    assert "-connection: close" in unequal(sync, other, "headers")


def test_options_are_compared_under_one_server() -> None:
    threads = GUNICORN | {"server_options": {"threads": 4}}
    sync, other = observed("sync", **GUNICORN), observed("async", **threads)
    assert unequal(sync, other, "settings") == "server_options: {} | {'threads': 4}"
    uvicorn = observed("async")
    assert compare(sync, uvicorn, never).pair.conditions["server"] == "gunicorn | uvicorn"
    assert unequal(sync, observed("async", workers=2, inside=False), "settings")


def test_an_api_description_of_only_one_is_not_compared() -> None:
    facts = {key: text for key, text in observed("a").facts.items() if key.aspect != "OpenAPI"}
    one, other = (replace(observed(name), facts=facts) for name in ("sync", "async"))
    for baseline, without in ((one, "sync and async"), (observed("sync"), "async")):
        missing = compare(baseline, other, never).pair.missing
        assert missing["OpenAPI"] == f"no /openapi.json of {without}"


def test_an_app_without_sql_differs_from_one_with_it() -> None:
    changes: dict[Aspect, str] = {"SQL": "", "commits": "0 commits, 0 rollbacks"}
    bare = work(uses_sqlalchemy=False, param_styles=[], sqlite_files=[])
    other = replace(observed("async", changes), work=bare)
    assert unequal(observed("sync"), other, "SQL")


def test_a_diff_is_short_and_indents_json() -> None:
    one = "\n".join(f"row {n}" for n in range(100_000))
    shown = unified_diff(one, one.replace("row", "raw"), ("a", "b")).splitlines()
    assert len(shown) == MAX_LINES + 1
    assert "-row 5" in shown
    assert shown[-1].endswith("lines more")
    indented = unified_diff('{"a":1,"b":[2,3]}', '{"a":1,"b":[2,4]}', ("a", "b"))
    assert indented.splitlines()[-4:] == ["-  3", "+  4", "  ]", " }"]
    # Equal as JSON, unequal as bytes.
    bytes_only = unified_diff('{"a": 1}', '{"a":1}', ("a", "b")).splitlines()
    assert bytes_only[-2:] == ['-{"a": 1}', '+{"a":1}']
    assert "+'a\\r'" in unified_diff("a\nb", "a\r\nb", ("a", "b")).splitlines()


METHODS, HEADERS = "access-control-allow-methods", "access-control-allow-headers"


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (["Allow: GET, HEAD"], ["allow: HEAD,GET"], True),
        (["allow: GET"], ["allow: get"], False),
        (["vary: Accept, Origin"], ["vary: origin", "vary: accept"], True),
        ([f"{METHODS}: A, B"], [f"{METHODS.title()}: B, A"], True),
        ([f"{HEADERS}: X, y"], [f"{HEADERS}: Y, x"], True),
        (["vary: *"], [], False),
        (["date: today"], ["Date: tomorrow"], True),
        (["set-cookie: a", "set-cookie: b"], ["set-cookie: b", "set-cookie: a"], False),
        (["accept-encoding: gzip, br"], ["accept-encoding: br, gzip"], False),
        (["content-length: 3"], ["content-length: 4"], False),
    ],
)
def test_only_lists_without_order_are_compared_as_sets(
    one: list[str], other: list[str], equal: bool
) -> None:
    first, second = ([line.partition(": ")[::2] for line in lines] for lines in (one, other))
    assert (header_lines(first) == header_lines(second)) == equal


def test_a_content_length_that_is_right_is_not_shown() -> None:
    lengths = [header_lines([("Content-Length", str(n))], b"x" * 3) for n in (3, 4)]
    assert lengths == [["content-length: that of the bytes"], ["content-length: 4"]]
