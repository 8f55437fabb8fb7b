"""What is taken from an answer."""

import json

import pytest

from twinbench.exchange import Answer, ExchangeError, capture
from twinbench.plan import SetupRequest

SAID = {"access": "a.b-c", "user": {"ids": [7, 8]}, "ok": True, "rows": [], "lines": "a\r\nb"}


def taken(path: str, body: bytes = json.dumps(SAID).encode()) -> str:
    request = SetupRequest(path="/token", capture={"value": path})
    return capture(request, Answer(200, (), body))["value"]


@pytest.mark.parametrize(
    ("path", "value"), [("access", "a.b-c"), ("user.ids.1", "8"), ("ok", "true")]
)
def test_a_value_is_found_by_its_dotted_path(path: str, value: str) -> None:
    assert taken(path) == value


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("token", "setup: GET /token: there is no 'token' in its answer to capture"),
        ("user.ids.2", "there is no 'user.ids.2'"),
        ("access.x", "there is no 'access.x'"),
        ("rows", "'rows' of its answer is neither a line of text nor a number"),
        ("lines", "'lines' of its answer is neither a line of text nor a number"),
    ],
)
def test_what_cannot_be_taken_is_named(path: str, said: str) -> None:
    with pytest.raises(ExchangeError, match=said):
        taken(path)


def test_only_json_can_be_taken_from() -> None:
    with pytest.raises(ExchangeError, match="its answer is not JSON"):
        taken("access", b"\xff<html>")
    assert capture(SetupRequest(path="/"), Answer(200, (), b"<html>")) == {}
