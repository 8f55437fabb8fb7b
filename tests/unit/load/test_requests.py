"""Order and values of the requests that users and arrivals send."""

import hashlib
import itertools
from collections import Counter
from pathlib import Path

import pytest

from twinbench.job import Job, JobTarget
from twinbench.load.requests import START_STEP, PreparedRequest, prepare, prepare_requests
from twinbench.plan import Load, Request
from twinbench.plan.prepared import LEAST_OF_USER, PREPARED

FOUR_USERS, OPEN = Load("closed", 4), Load("open", 50)
# Of the requests below, before users had values of their own.
SHA256 = "5687ab5650ac66d6e1e115b13f7d9a76c57c5389d2c23c73f359bb021991305a"


def job(
    load: Load, *paths: str, users: list[dict[str, str]] | None = None, **changes: object
) -> Job:
    target = JobTarget(
        host="http://h:1",
        address="h",
        requests=[Request(path=path) for path in paths],
        captures={"s": "server"},
        users=users or [],
        preconnect=0,
        preconnect_batch=1,
        records=Path(),
    )
    values: dict[str, object] = {
        "targets": [target],
        "load": load,
        "arrivals": "constant",
        "in_flight": 8,
        "turns": 1,
        "load_s": 1.0,
        "collapse_s": 2.0,
        "timeout_s": 9.0,
        "seed": 1,
    }
    return Job.model_validate(values | changes)


def paths(prepared: list[PreparedRequest]) -> list[str]:
    return [payload.split(b" ", 2)[1].decode() for _, _, payload in prepared]


def sent(of: Job, user: int, count: int) -> list[str]:
    """Paths of the first requests of a user."""
    return paths(list(itertools.islice(prepare(of, of.targets[0]).of_user(user), count)))


def arrivals(of: Job, count: int) -> list[str]:
    shared = prepare(of, of.targets[0]).shared
    return paths([shared[n % len(shared)] for n in range(count)])


def numbered(name: str, count: int) -> list[dict[str, str]]:
    return [{name: f"{name}{n}"} for n in range(count)]


def test_requests_without_values_of_users_are_the_same_bytes() -> None:
    requests = [
        Request(path="/a/{1..500}", weight=9),
        Request(
            method="POST",
            path="/b",
            headers={"Authorization": "Bearer {token}"},
            body={"item": "{1..500}", "t": ["{1..9}"]},
            expect=201,
        ),
        Request(path="/c", weight=2),
    ]
    prepared = prepare_requests(requests, "http://127.0.0.1:8000", 7, {"token": "a.b"})
    assert hashlib.sha256(repr(prepared).encode()).hexdigest() == SHA256


def test_users_without_values_share_the_requests() -> None:
    of = job(FOUR_USERS, "/a", "/b/{1..1000}")
    prepared = prepare(of, of.targets[0])
    assert len(prepared.shared) == PREPARED
    first, second = (list(itertools.islice(prepared.of_user(n), PREPARED)) for n in (0, 1))
    assert second == first[START_STEP:] + first[:START_STEP]
    assert arrivals(job(OPEN, "/a", "/b/{1..1000}", processes=2), PREPARED) == paths(first)


def test_each_user_sends_its_own_values() -> None:
    of = job(FOUR_USERS, "/{s}/{u}", "/{u}/{1..9}", users=numbered("u", 4))
    for user in range(4):
        assert all(f"u{user}" in path for path in sent(of, user, 2000))
    whole = Counter(path.endswith("u0") for path in sent(of, 0, 1024))
    assert min(whole.values()) > 400  # drawn by weight
    # With two processes each has its share of the users, who send the same.
    half = of.model_copy(update={"process": 1, "processes": 2})
    assert sorted(prepare(half, half.targets[0]).own) == [1, 3]
    assert sent(half, 3, 50) == sent(of, 3, 50)


def test_equal_requests_of_all_users_share_their_bytes() -> None:
    of = job(Load("closed", 2000), "/a", "/{u}", users=numbered("u", 2000))
    own = prepare(of, of.targets[0]).own
    assert {len(requests) for requests in own.values()} == {LEAST_OF_USER}
    payloads = [payload for requests in own.values() for _, _, payload in requests]
    assert len({id(payload) for payload in payloads}) == len(set(payloads)) <= 2001


@pytest.mark.parametrize("users", [0, 4])
def test_a_sequence_is_sent_in_order_by_each_user(users: int) -> None:
    paths = ("/a/{1..1000000}", "/b", "/c/{u}" if users else "/c")
    of = job(FOUR_USERS, *paths, users=numbered("u", users), sequence=True)
    drawn = set()
    for user in range(4):
        found = sent(of, user, 9000)
        assert [path[1] for path in found] == ["a", "b", "c"] * 3000
        assert found[2] == (f"/c/u{user}" if users else "/c")
        drawn.add(found[0])
    assert len(drawn) == 4


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_arrivals_take_sequence_and_users_in_turn(processes: int) -> None:
    of = job(OPEN, "/a/{u}", "/b/{u}", users=numbered("u", 3), sequence=True)
    expected = [f"/{r}/u{u}" for u in (0, 1, 2) for r in "ab"] * 1000
    shares = [
        arrivals(of.model_copy(update={"process": n, "processes": processes}), 6000 // processes)
        for n in range(processes)
    ]
    assert [path for each in zip(*shares, strict=True) for path in each] == expected


@pytest.mark.parametrize("load", [FOUR_USERS, OPEN])
def test_each_request_takes_the_next_row(load: Load) -> None:
    of = job(load, "/a/{r}", "/b/{r}", rows=numbered("r", 7))
    if load.kind == "open":
        found = arrivals(of, 9000)
    else:
        prepared = prepare(of, of.targets[0])
        users = [prepared.of_user(n) for n in range(4)]
        found = paths([next(users[n % 4]) for n in range(9000)])
    rows = [path[3:] for path in found]
    assert rows == [f"r{n % 7}" for n in range(9000)]
    assert {path[1] for path in found} == {"a", "b"}


def test_rows_are_dealt_to_users_with_values() -> None:
    of = job(FOUR_USERS, "/{u}/{r}", users=numbered("u", 4), rows=numbered("r", 8000))
    found = [sent(of, user, 2000) for user in range(4)]
    assert [path for each in zip(*found, strict=True) for path in each] == [
        f"/u{n % 4}/r{n}" for n in range(8000)
    ]
