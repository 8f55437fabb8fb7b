"""Requests as bytes, and what they may not hold."""

import json
import random
from email import message_from_bytes
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from pydantic import ValidationError

from twinbench.load.requests import prepare_requests
from twinbench.plan import NO_CAPTURES, Captures, Request, render
from twinbench.plan.prepared import PREPARED


def sent(request: Request, captures: Captures = NO_CAPTURES, seed: int = 1) -> bytes:
    return render(request, "host:80", random.Random(seed), captures).whole


def parts(payload: bytes) -> tuple[str, dict[str, str], bytes]:
    """Request line, headers and body."""
    head, _, body = payload.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return first, dict(line.split(": ", 1) for line in lines), body


def test_a_get_is_a_complete_request() -> None:
    assert sent(Request(path="/a?b=1")) == (
        b"GET /a?b=1 HTTP/1.1\r\nHost: host:80\r\nAccept: */*\r\nUser-Agent: twinbench\r\n\r\n"
    )


def test_a_post_without_a_body_has_length_0() -> None:
    assert sent(Request(method="POST", path="/")).endswith(b"\r\nContent-Length: 0\r\n\r\n")


def test_ranges_are_drawn_in_path_headers_and_body() -> None:
    request = Request(
        method="POST", path="/{3..5}", headers={"X-N": "{6..6}"}, body={"t": ["a {7..7}"], "n": 1}
    )
    assert request.has_range
    drawn = set()
    for seed in range(30):
        first, headers, body = parts(sent(request, seed=seed))
        drawn.add(first)
        assert (headers["X-N"], json.loads(body)) == ("6", {"t": ["a 7"], "n": 1})
        assert headers["Content-Length"] == str(len(body))
    assert drawn == {f"POST /{n} HTTP/1.1" for n in (3, 4, 5)}
    assert not Request(path="/{id}").has_range


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"path": "/{5..3}"}, "write the smaller number first"),
        ({"form": {"n": "{6..5}"}}, "write the smaller number first"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "'x-a' is given twice"),
        ({"headers": {"content-type": "a"}, "upload": {"f": "a"}}, "a Content-Type of its own"),
    ],
)
def test_a_contradiction_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Request.model_validate({"path": "/"} | given)


@pytest.mark.parametrize("path", ["no-slash", "/a b", "/a\r\nX: y", "", "/a\n", "/a#b", "/é"])
def test_a_path_that_breaks_the_request_is_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        Request(path=path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "a") for name in ("", "a b", "a:", "X: y\r\nZ", "X\n", "é", "x\0", "(x)")),
        *(("X", value) for value in ("a\r\nY: b", "a\n", "a\rb", "a\0", "\x7f", "\x85", "\u2028")),
        ("content-length", "4"),
        ("Transfer-Encoding", "chunked"),
        ("Upgrade", "h2c"),
        ("Connection", "upgrade"),
    ],
)
def test_a_header_that_breaks_the_request_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValidationError):
        Request(path="/", headers={name: value})


def test_headers_of_the_plan_replace_ours() -> None:
    own = {"host": "é:1", "user-agent": "a\tb", "content-type": "application/x", "Accept": "*"}
    request = Request(method="POST", path="/", headers=own | {"Connection": "close"}, body={})
    _, headers, _ = parts(sent(request))
    assert headers == own | {"Connection": "close", "Content-Length": "2"}


def test_a_form_is_url_encoded() -> None:
    request = Request(method="POST", path="/", form={"username": "a@b.c", "n": "{4..4} & 5"})
    _, headers, body = parts(sent(request))
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert headers["Content-Length"] == str(len(body))
    assert parse_qs(body.decode()) == {"username": ["a@b.c"], "n": ["4 & 5"]}


def test_an_upload_is_multipart_and_always_the_same_bytes(tmp_path: Path) -> None:
    picture = tmp_path / 'my "own".png'
    picture.write_bytes(b"\x89PNG\r\n\x00\xff")
    note = tmp_path / "note.unknown"
    note.write_text("hello")
    request = Request(method="POST", path="/", upload={"file": picture, "note": note})
    assert sent(request, seed=1) == sent(request, seed=2)
    _, headers, body = parts(sent(request))
    assert headers["Content-Length"] == str(len(body))
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    one, other = list(message_from_bytes(head + body).walk())[1:]
    assert one["content-type"] == "image/png"
    assert one.get_payload(decode=True) == picture.read_bytes()
    assert one["content-disposition"] == 'form-data; name="file"; filename="my %22own%22.png"'
    assert other["content-type"] == "application/octet-stream"


def test_captured_values_are_filled_in_once() -> None:
    request = Request(
        method="POST",
        path="/{id}/{other}",
        headers={"Authorization": "Bearer {token}"},
        body={"a": ["{token}", "{x}", "{1..x}"]},
    )
    first, headers, body = parts(sent(request, {"token": "{1..9}", "id": "a/b c"}))
    assert first == "POST /a%2Fb%20c/{other} HTTP/1.1"
    # A captured value that looks like a placeholder is none.
    assert headers["Authorization"] == "Bearer {1..9}"
    assert json.loads(body) == {"a": ["{1..9}", "{x}", "{1..x}"]}


def test_equal_requests_share_their_bytes(tmp_path: Path) -> None:
    big = tmp_path / "big.bin"
    big.write_bytes(b"x" * 1_000_000)
    requests = [
        Request(method="POST", path="/u/{1..3}", upload={"file": big}),
        Request(path="/", weight=3),
    ]
    drawn = prepare_requests(requests, "http://h:1", seed=1)
    assert len(drawn) == PREPARED
    assert len({id(payload) for _, _, payload in drawn}) == len({p for _, _, p in drawn}) == 4
