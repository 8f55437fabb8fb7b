"""Requests as bytes."""

import json
import random
from email import message_from_bytes
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from pydantic import ValidationError

from loadtests.requests import PREPARED, prepare_requests
from twinbench.plan import Request, render


def test_a_get_is_one_whole_http_request() -> None:
    sent = render(Request(path="/a?b=1"), "host:80", random.Random(1)).whole
    assert sent == (
        b"GET /a?b=1 HTTP/1.1\r\nHost: host:80\r\nAccept: */*\r\nUser-Agent: twinbench\r\n\r\n"
    )


def test_a_post_without_a_body_says_so() -> None:
    sent = render(Request(method="POST", path="/"), "h", random.Random(1)).whole
    assert b"\r\nContent-Length: 0\r\n" in sent
    assert b"Content-Type" not in sent


def test_placeholders_are_drawn_from_their_range_in_path_and_body() -> None:
    request = Request(method="POST", path="/{3..5}", body={"t": ["a {7..7}"], "n": 1})
    drawn = set()
    for seed in range(30):
        head, _, body = render(request, "h", random.Random(seed)).whole.partition(b"\r\n\r\n")
        drawn.add(int(head.split()[1][1:]))
        assert json.loads(body) == {"t": ["a 7"], "n": 1}
        assert f"Content-Length: {len(body)}".encode() in head
    assert drawn == {3, 4, 5}


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(ValidationError, match="write the smaller number first"):
        Request(path="/{5..3}")


@pytest.mark.parametrize("path", ["no-slash", "/a b", "/a\r\nX: y", "", "/a\n", "/a#b", "/é"])
def test_a_path_that_would_break_the_request_is_refused(path: str) -> None:
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
def test_a_header_that_would_break_the_request_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValidationError):
        Request(path="/", headers={name: value})


def test_a_header_named_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match="'x-a' stands twice"):
        Request(path="/", headers={"X-A": "1", "x-a": "2"})


def test_headers_of_the_plan_replace_ours_of_any_case() -> None:
    own = {"host": "é:1", "user-agent": "a\tb", "content-type": "application/x", "Accept": "*"}
    request = Request(method="POST", path="/", headers=own | {"Connection": "close"}, body={})
    _, headers, _ = parts(render(request, "h", random.Random(1)).whole)
    assert headers == own | {"Connection": "close", "Content-Length": "2"}


def test_the_type_of_an_upload_cannot_be_replaced(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="an upload has a Content-Type of its own"):
        Request(path="/", headers={"content-type": "a"}, upload={"file": tmp_path / "a"})


def parts(sent: bytes) -> tuple[bytes, dict[str, str], bytes]:
    """Request line, headers and body."""
    head, _, body = sent.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    return first, dict(line.decode().split(": ", 1) for line in lines), body


def test_a_form_is_sent_url_encoded() -> None:
    request = Request(method="POST", path="/", form={"username": "a@b.c", "n": "{4..4} & 5"})
    _, headers, body = parts(render(request, "h", random.Random(1)).whole)
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert headers["Content-Length"] == str(len(body))
    assert parse_qs(body.decode()) == {"username": ["a@b.c"], "n": ["4 & 5"]}


def test_an_upload_is_sent_as_multipart_and_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    picture = tmp_path / 'my "own".png'
    picture.write_bytes(b"\x89PNG\r\n\x00\xff")
    note = tmp_path / "note.unknown"
    note.write_text("hello")
    request = Request(method="POST", path="/", upload={"file": picture, "note": note})
    sent = render(request, "h", random.Random(1))
    assert sent == render(request, "h", random.Random(2))
    _, headers, body = parts(sent.whole)
    assert headers["Content-Length"] == str(len(body))
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    one, other = list(message_from_bytes(head + body).walk())[1:]
    assert one["content-type"] == "image/png"
    assert one.get_payload(decode=True) == picture.read_bytes()
    assert one["content-disposition"] == ('form-data; name="file"; filename="my %22own%22.png"')
    assert other["content-type"] == "application/octet-stream"


def test_what_was_taken_is_filled_in_and_the_rest_left_as_it_is() -> None:
    request = Request(
        method="POST",
        path="/{id}/{other}",
        headers={"Authorization": "Bearer {token}"},
        body={"a": ["{token}", "{x}", "{1..x}"]},
    )
    taken = {"token": "{1..9}", "id": "a/b c"}
    first, headers, body = parts(render(request, "h", random.Random(1), taken).whole)
    assert first == b"POST /a%2Fb%20c/{other} HTTP/1.1"
    # In one pass: what was taken is not taken for a placeholder.
    assert headers["Authorization"] == "Bearer {1..9}"
    assert json.loads(body) == {"a": ["{1..9}", "{x}", "{1..x}"]}


def test_ranges_in_headers_and_forms_are_drawn_and_checked() -> None:
    request = Request(path="/", headers={"X-N": "{6..6}"})
    assert request.is_drawn
    assert b"X-N: 6" in render(request, "h", random.Random(1)).head
    assert not Request(path="/{id}").is_drawn
    with pytest.raises(ValidationError, match="write the smaller number first"):
        Request(path="/", form={"n": "{6..5}"})


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
