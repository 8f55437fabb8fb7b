"""Requests as bytes."""

import json
import random

import pytest
from pydantic import ValidationError

from twinbench.plan import Request, render


def test_a_get_is_one_whole_http_request() -> None:
    sent = render(Request(path="/a?b=1"), "host:80", random.Random(1))
    assert sent == (
        b"GET /a?b=1 HTTP/1.1\r\nHost: host:80\r\nAccept: */*\r\nUser-Agent: twinbench\r\n\r\n"
    )


def test_placeholders_are_drawn_from_their_range_in_path_and_body() -> None:
    request = Request(method="POST", path="/{3..5}", body={"t": ["a {7..7}"], "n": 1})
    drawn = set()
    for seed in range(30):
        head, _, body = render(request, "h", random.Random(seed)).partition(b"\r\n\r\n")
        drawn.add(int(head.split()[1][1:]))
        assert json.loads(body) == {"t": ["a 7"], "n": 1}
        assert f"Content-Length: {len(body)}".encode() in head
    assert drawn == {3, 4, 5}


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(ValidationError, match="write the smaller number first"):
        Request(path="/{5..3}")


@pytest.mark.parametrize("path", ["no-slash", "/a b", "/a\r\nX: y", ""])
def test_a_path_that_would_break_the_request_is_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        Request(path=path)
