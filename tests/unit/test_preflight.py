"""The comparison of two targets by what was seen of them."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from twinbench.findings import PreflightPair
from twinbench.measure.conditions import file_systems
from twinbench.measure.observe import text_of
from twinbench.plan import ASPECTS, Aspect
from twinbench.preflight.collect import header_lines
from twinbench.preflight.compare import split
from twinbench.preflight.diff import SHOWN_LINES, unified
from twinbench.preflight.facts import Key, Seen
from twinbench.preflight.files import Files
from twinbench.preflight.pair import MOST_STARTS, Again, UnequalError, compare

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


def seen(name: str, changes: Mapping[Aspect, str] | None = None, **about: Any) -> Seen:
    facts = {Key(WHERE, aspect): text for aspect, text in {**FACTS, **(changes or {})}.items()}
    known: dict[str, Any] = {"uses_sql": True, "styles": ("qmark",), "files": 1}
    return Seen(name, 1, facts, **(known | about))


def never(name: str, _: int) -> Seen:
    raise AssertionError(f"{name} was started again, though nothing differs")


def later(*found: Seen) -> Again:
    """Targets that are the same at every later start."""
    by_name = {each.target: each for each in found}
    return lambda name, _: by_name[name]


def compared(aspect: Aspect, sync: Sequence[str], other: Sequence[str]) -> PreflightPair:
    """Two targets that differ in one aspect, each with its text at its first starts, of which the
    last is also that of all later ones."""
    texts = {"sync": sync, "async": other}

    def again(name: str, start: int) -> Seen:
        return seen(name, {aspect: texts[name][min(start, len(texts[name])) - 1]})

    return compare(again("sync", 1), again("async", 1), again)


def test_equal_targets_are_started_once() -> None:
    pair = compare(seen("sync"), seen("async"), never)
    assert pair.sentence == (
        "async against sync: 1 request: OpenAPI, status, headers, bytes, SQL, commits,"
        " upstream requests, files, final database, settings, environment: equal"
    )


@pytest.mark.parametrize(
    ("aspect", "old", "new"),
    [
        ("status", "201", "200"),
        ("headers", "content-length: 40", "content-length: 41"),
        ("headers", "\ncontent-type: application/json", ""),
        ("bytes", '"id":1', '"id":2'),
        ("bytes", "Z", ""),
        ("bytes", ',"at"', ', "at"'),
        ("SQL", "(1, ", "(2, "),
        ("SQL", "INSERT", "SELECT 1\n    with ()\nINSERT"),
        ("commits", "1 commits", "2 commits"),
        ("commits", "0 rollbacks", "1 rollbacks"),
        ("final database", "\nposts: id=2, at='2026-01-17'", ""),
        ("final database", "id=2", "id=3"),
        ("OpenAPI", "Blog", "Log"),
        ("settings", "40", "41"),
        ("upstream requests", "1", "0"),
        ("files", "a1b2", "c3d4"),
        ("files", "new .jpg", "gone .jpg"),
    ],
)
def test_a_difference_is_refused_and_shown(aspect: Aspect, old: str, new: str) -> None:
    one, other = FACTS[aspect], FACTS[aspect].replace(old, new, 1)
    assert one != other
    with pytest.raises(UnequalError) as refused:
        compared(aspect, (one, one), (other, other))
    assert str(refused.value) == (
        f"{WHERE}: unequal {aspect}: 'async' does not do the same work as 'sync'"
    )
    first, second, *rest = refused.value.diff.splitlines()
    assert (first, second) == (f"--- sync, {aspect}", f"+++ async, {aspect}")
    assert any(line[0] in "+-" for line in rest)


def test_every_aspect_is_among_the_differences_tried() -> None:
    [mark] = [
        mark
        for mark in test_a_difference_is_refused_and_shown.pytestmark  # type: ignore[attr-defined]
        if mark.name == "parametrize"
    ]
    # Variables are compared by the plan: test_variables_that_differ_are_named.
    assert {case[0] for case in mark.args[1]} == set(ASPECTS) - {"environment"}


def test_what_a_target_does_not_say_twice_alike_is_let_pass() -> None:
    def text(minute: str, name: str) -> str:
        return f'{{"at":"2026-01-17T10:{minute}:05.123456Z","file":"/media/{name}.jpg","id":7}}'

    pair = compared(
        "bytes", (text("00", "a1b2"), text("01", "c3d4")), (text("00", "e5f6"), text("01", "a7b8"))
    )
    assert pair.volatile == 1
    assert pair.sentence.endswith(": equal but for what changes at every start (1 value)")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ((HASH.format(memory=8192, salted="QQ"), HASH.format(memory=8192, salted="RR")), "m=8192"),
        # As volatile as the baseline's, but shorter.
        ((HASH.format(memory=65536, salted="Q"), HASH.format(memory=65536, salted="R")), "$~\n"),
    ],
)
def test_a_hash_may_differ_in_its_salt_but_not_in_its_cost_or_length(
    other: tuple[str, str], said: str
) -> None:
    first, again, theirs = (HASH.format(memory=65536, salted=salt) for salt in ("AA", "BB", "CC"))
    assert compared("SQL", (first, again), (theirs, first)).volatile == 1
    with pytest.raises(UnequalError) as refused:
        compared("SQL", (first, again), other)
    assert said in refused.value.diff + "\n"


def test_a_diff_does_not_show_what_is_volatile() -> None:
    one, other = ("at=10:00:01 id=1", "at=10:00:04 id=1"), ("at=10:00:02 id=2", "at=10:00:05 id=2")
    with pytest.raises(UnequalError) as refused:
        compared("final database", one, other)
    assert refused.value.diff.splitlines()[-3:-1] == ["-at=10:00:99 id=1", "+at=10:00:99 id=2"]


def test_a_value_whose_own_length_varies_may_vary() -> None:
    assert compared("headers", ("took: 9", "took: 10"), ("took: 110", "took: 7")).volatile == 1
    with pytest.raises(UnequalError):
        compared("headers", ("took: 8", "took: 9"), ("took: 110", "took: 111"))


@pytest.mark.parametrize(
    ("sync", "other"),
    [
        # Standard base64: where its + and / stand is chance.
        (('"q+w/AAAAAAAA=="', '"aaaaaaaaaaaa=="'), ('"////aaaaaaaa=="', '"a/aaaaaaaaa+=="')),
        # A number that is near to nought, and one that has one digit more.
        (("took: 0.00012", "took: 9e-05"), ("took: 8.5e-05", "took: 0.0003")),
        (("<99 bytes>", "<98 bytes>"), ("<101 bytes>", "<100 bytes>")),
    ],
)
def test_values_whose_form_is_chance_are_volatile(
    sync: tuple[str, str], other: tuple[str, str]
) -> None:
    assert compared("bytes", sync, other).volatile == 1


def test_what_is_the_same_twice_by_chance_is_tried_again() -> None:
    assert compared("bytes", ["on: true"] * 2, ["on: false"] * 2 + ["on: true"]).volatile == 1
    # Of one length at two starts each.
    one, other = ["0.12", "0.34"], ["0.567", "0.789", "0.98"]
    assert compared("bytes", one, other).volatile == 1
    starts: list[int] = []

    def again(name: str, start: int) -> Seen:
        starts.append(start)
        changes: dict[Aspect, str] = {"bytes": "id: 2", "commits": "2 commits, 0 rollbacks"}
        return seen(name, changes if name == "sync" else {"bytes": "id: 3"})

    # No chance explains another number of commits.
    with pytest.raises(UnequalError, match="unequal commits"):
        compare(again("sync", 1), again("async", 1), again)
    assert max(starts) < MOST_STARTS


RANDOM_KEYS = ("x: id='b1', n=1\nx: id='c2', n=2", "x: id='a3', n=2\nx: id='d4', n=1")


@pytest.mark.parametrize(("other", "equal"), [("n=1", True), ("n=3", False)])
def test_rows_in_the_order_of_a_random_key_are_compared(other: str, *, equal: bool) -> None:
    keys = [f"x: id='e{n}', {other}\nx: id='f{n}', n=2" for n in range(2)]
    if equal:
        assert compared("final database", RANDOM_KEYS, keys).volatile == 2
    else:
        with pytest.raises(UnequalError, match="unequal final database"):
            compared("final database", RANDOM_KEYS, keys)


def test_files_in_the_order_of_random_contents_are_compared() -> None:
    starts = ("new .a: 'b'\nnew .a: 'fixed'", "new .a: 'fixed'\nnew .a: 'g'")
    assert compared("files", starts, starts[::-1]).volatile == 1
    with pytest.raises(UnequalError, match="unequal files"):
        compared("files", starts, ("new .a: 'c'\nnew .a: 'fired'", "new .a: 'd'\nnew .a: 'fired'"))


def test_a_path_is_not_volatile_as_a_whole() -> None:
    with pytest.raises(UnequalError):
        compared("bytes", ("/posts/1/a1b2", "/posts/1/c3d4"), ("/posts/2/e5f6", "/posts/2/a7b8"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"text", "b'text'"),
        (b"\x00ext", "<4 bytes, 00657874>"),
        (memoryview(b"\xff"), "<1 bytes, ff>"),
        (b"a\n", "<2 bytes, 610a>"),
    ],
)
def test_bytes_that_are_no_text_are_one_value(value: bytes | memoryview, text: str) -> None:
    assert text_of(value) == text


def test_a_length_is_compared_by_the_bytes() -> None:
    lengths = [header_lines([("Content-Length", str(n))], b"x" * 3) for n in (3, 4)]
    assert lengths == [["content-length: that of the bytes"], ["content-length: 4"]]


@pytest.mark.parametrize("unstable", ["sync", "async"])
def test_a_target_that_differs_from_itself_in_structure_cannot_be_compared(unstable: str) -> None:
    steady, changing = ("a b", "a b"), ("a c", "a b c")
    sync, other = (changing, steady) if unstable == "sync" else (steady, changing)
    with pytest.raises(UnequalError) as refused:
        compared("bytes", sync, other)
    assert str(refused.value).startswith(f"{WHERE}: bytes of '{unstable}' differ in structure")
    assert refused.value.unsteady == unstable
    assert f"--- {unstable}, first start" in refused.value.diff


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("2026-01-17T10:00:59.5Z", ["2026-01-17T10", "00", "59", "5Z"]),
        ("eyJ0.eyJz-_.c2ln", ["eyJ0", "eyJz-_", "c2ln"]),
        (
            "$argon2id$v=19$m=65536,t=3,p=4$c2/+A$a+/b",
            ["argon2id", "v", "19", "m", "65536", "t", "3", "p", "4", "c2/+A", "a+/b"],
        ),
        ("$2b$12$ab./cd", ["2b", "12", "ab./cd"]),
        ("", []),
    ],
)
def test_texts_are_split_where_what_is_volatile_ends(text: str, tokens: list[str]) -> None:
    assert split(text).tokens == tokens


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (
            {"blind": "'sync' is a command"},
            {},
            "status, headers, bytes, environment: equal. Not compared: SQL, commits, final"
            " database, upstream requests, files, settings ('sync' is a command)",
        ),
        ({"uses_sql": False}, {"uses_sql": False}, "SQL, commits (neither app uses SQLAlchemy)"),
        ({"others": ("postgresql",)}, {}, "final database (postgresql: only SQLite files"),
        ({"files": 0}, {"files": 0}, "final database (no SQLite file was used)"),
        ({"unseen": {"SQL": "a"}}, {"partly": {"SQL": "b"}}, "Not compared: SQL (a)"),
        ({}, {"styles": ("pyformat",)}, "Not compared: SQL (their drivers write parameters"),
        (
            {"partly": {"files": "a"}},
            {"partly": {"files": "b"}},
            "equal. Not compared: files (a; b)",
        ),
    ],
)
def test_what_was_not_compared_is_said(
    one: dict[str, Any], other: dict[str, Any], said: str
) -> None:
    assert said in compare(seen("sync", **one), seen("async", **other), never).sentence


def test_where_two_are_meant_to_differ_they_are_not_compared() -> None:
    other = seen("async", {"settings": "threads: 80"})
    pair = compare(seen("sync"), other, never, {"settings": "twice the threads"})
    assert pair.sentence.endswith(
        "environment: equal. Not compared: settings (meant to differ: twice the threads)"
    )
    with pytest.raises(UnequalError, match="unequal settings"):
        compare(seen("sync"), other, later(seen("sync"), other))


def test_variables_that_differ_are_named_and_not_shown() -> None:
    one = seen("sync", env={"SAME": "{scratch}/a", "KEY": "secret 1", "HERE": ""})
    other = seen("async", env={"SAME": "{scratch}/a", "KEY": "secret 2"})
    with pytest.raises(UnequalError, match="unequal environment") as refused:
        compare(one, other, never)
    assert refused.value.diff.splitlines() == ["HERE is set differently", "KEY is set differently"]
    for declared in ("environment", "settings"):
        pair = compare(one, other, never, {declared: "two keys"})
        assert pair.declared["environment"] == "HERE, KEY: two keys"


def test_conditions_are_listed_for_both() -> None:
    one = seen("sync", conditions={"event loop": "uvloop.Loop", "asyncio debug": "off"})
    other = seen("async", conditions={"event loop": "uvloop.Loop", "asyncio debug": "on"})
    pair = compare(one, other, never, {"settings": "one is debugged"})
    assert pair.conditions == {"event loop": "uvloop.Loop", "asyncio debug": "off | on"}
    command = seen("async", blind="'async' is a command")
    assert compare(one, command, never).conditions["event loop"] == "uvloop.Loop | not seen"


def test_options_of_targets_that_cannot_be_asked_are_compared() -> None:
    one = seen("sync", options={"workers": 1, "limit_concurrency": 9})
    other = seen("async", options={"workers": 2, "limit_concurrency": 9}, blind="'async' has 2")
    with pytest.raises(UnequalError, match="unequal settings") as refused:
        compare(one, other, never)
    assert refused.value.diff == "workers: 1 | 2"
    command = seen("async", blind="'async' is a command")
    assert "settings" in compare(one, command, never).missing
    pair = compare(one, other, never, {"settings": "twice the workers"})
    assert pair.declared["settings"] == "twice the workers"


MOUNTS = r"""22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
25 22 0:5 / /dev rw,nosuid shared:2 - devtmpfs udev rw
26 25 0:24 / /dev/shm rw,nosuid - tmpfs tmpfs rw
40 22 8:2 / /srv/my\040data rw - xfs /dev/sdb rw
41 22 0:41 / /srv/my\040data/cache rw master:1 - tmpfs none rw
"""


@pytest.mark.parametrize(
    ("paths", "mounts", "found"),
    [
        (["/dev/shm/a.db"], MOUNTS, {"tmpfs"}),  # noqa: S108
        (["/srv/my data/a.db"], MOUNTS, {"xfs"}),
        (["/srv/my data/cache/b/c.jpg", "/srv/my database/a"], MOUNTS, {"tmpfs", "ext4"}),
        (["/dev/null"], MOUNTS, set()),
        (["/srv/a.db"], "", {"unknown"}),
    ],
)
def test_file_systems_are_found_by_mount_point(
    paths: list[str], mounts: str, found: set[str]
) -> None:
    assert file_systems(paths, mounts) == found


def test_files_are_compared_by_content_not_by_name(tmp_path: Path) -> None:
    files = Files(tmp_path)
    assert files.changes() == ""
    (tmp_path / "media").mkdir()
    picture = tmp_path / "media" / "a1b2.jpg"
    picture.write_bytes(b"\xff" * 1_000)
    (tmp_path / "log").write_text("one\n")
    for name, content in (("own.db", b"SQLite format 3\0"), ("own.db-wal", b"a")):
        (tmp_path / name).write_bytes(content)
    os.mkfifo(tmp_path / "pipe")
    digest = hashlib.sha256(b"\xff" * 1_000).hexdigest()
    shown = f"<1000 bytes, SHA-256 {digest}>"
    assert files.changes().splitlines() == [f"new .jpg: {shown}", r"new file: 'one\n'"]
    assert files.changes() == ""
    picture.unlink()
    (tmp_path / "log").write_text("two\n")
    assert files.changes().splitlines() == [r"changed file: 'two\n'", f"gone .jpg: {shown}"]


def test_two_without_a_description_are_not_compared_in_it() -> None:
    facts = {key: text for key, text in seen("").facts.items() if key.aspect != "OpenAPI"}
    bare = [replace(seen(name), facts=facts) for name in ("sync", "async")]
    assert "OpenAPI (neither serves /openapi.json)" in compare(bare[0], bare[1], never).sentence
    with pytest.raises(UnequalError, match="unequal OpenAPI"):
        compare(seen("sync"), bare[1], later(seen("sync"), bare[1]))


def test_an_app_without_sql_is_compared_with_one_that_has_it() -> None:
    without: dict[Aspect, str] = {"SQL": "", "commits": "0 commits, 0 rollbacks"}
    bare = seen("async", without, uses_sql=False, styles=(), files=0)
    with pytest.raises(UnequalError, match="unequal SQL"):
        compare(seen("sync"), bare, later(seen("sync"), bare))


def test_a_diff_of_much_is_short_and_lays_json_out() -> None:
    one = "\n".join(f"row {n}" for n in range(100_000))
    shown = unified(one, one.replace("row", "raw"), ("a", "b")).splitlines()
    assert len(shown) == SHOWN_LINES + 1
    assert "-row 5" in shown
    assert shown[-1].endswith("lines more")
    laid_out = unified('{"a":1,"b":[2,3]}', '{"a":1,"b":[2,4]}', ("a", "b"))
    assert laid_out.splitlines()[-4:] == ["-  3", "+  4", "  ]", " }"]
    # Equal as JSON, unequal as bytes.
    assert unified('{"a": 1}', '{"a":1}', ("a", "b")).splitlines()[-2:] == ['-{"a": 1}', '+{"a":1}']
    # So do the ends of lines.
    assert "+'a\\r'" in unified("a\nb", "a\r\nb", ("a", "b")).splitlines()


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ([("Allow", "GET, HEAD")], [("allow", "HEAD,GET")], True),
        ([("allow", "GET, HEAD")], [("allow", "GET")], False),
        ([("allow", "GET")], [("allow", "get")], False),
        ([("vary", "Accept, Origin")], [("vary", "origin"), ("vary", "accept")], True),
        (
            [("access-control-allow-methods", "A, B")],
            [("Access-Control-Allow-Methods", "B, A")],
            True,
        ),
        (
            [("access-control-allow-headers", "X, y")],
            [("access-control-allow-headers", "Y, x")],
            True,
        ),
        ([("vary", "*")], [], False),
        ([("date", "today")], [("Date", "tomorrow")], True),
        (
            [("set-cookie", "a"), ("set-cookie", "b")],
            [("set-cookie", "b"), ("set-cookie", "a")],
            False,
        ),
        ([("accept-encoding", "gzip, br")], [("accept-encoding", "br, gzip")], False),
    ],
)
def test_only_lists_without_order_are_compared_as_sets(
    one: list[tuple[str, str]], other: list[tuple[str, str]], equal: bool
) -> None:
    assert (header_lines(one) == header_lines(other)) == equal
