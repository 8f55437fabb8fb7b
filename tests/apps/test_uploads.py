"""Uploads: which files are accepted, and what is stored."""

import io
import re
import struct
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sqlalchemy import event

from apps.shared import images
from apps.shared.images import MAX_PIXELS, MAX_SIDE, make_profile_picture
from apps.shared.settings import settings
from tests.apps.mutated_pictures import (
    SECRET,
    Part,
    described,
    join_jpeg,
    join_png,
    png,
    split_jpeg,
    split_png,
    valid,
)
from tests.apps.serving import (
    APPS,
    ME,
    PATH,
    PICTURES,
    execute,
    image_file,
    picture,
    upload,
    uploaded_files,
)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_picture_becomes_a_square_jpeg(client: TestClient, kind: str) -> None:
    user = upload(client, picture(kind, (700, 300))).json()
    assert uploaded_files() == [user["image_file"]]
    response = client.get(user["image_path"])
    assert response.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(response.content)) as shown:
        assert (shown.format, shown.size, shown.mode) == ("JPEG", (300, 300), "RGB")


def test_every_kind_of_picture_is_accepted(client: TestClient) -> None:
    files = {mode: picture(mode=mode) for mode in ("L", "P", "RGBA", "LA", "1", "I;16")}
    files |= {"CMYK": picture("JPEG", mode="CMYK"), "24 MP": picture("JPEG", (6_000, 4_000))}
    for character in ("A", "\u2800"):
        info = PngInfo()
        info.add_itxt("comment", character * 100_000)
        files[f"long comment: {character}"] = picture(pnginfo=info)
    for kind, content in files.items():
        assert upload(client, content).status_code == 200, kind


def _oriented(kind: str, metadata: str, orientation: int) -> dict[str, Any]:
    """Return options of `Image.save`."""
    if metadata == "exif":
        exif = Image.Exif()
        exif[0x0112] = orientation
        return {"exif": exif}
    xmp = f'<x tiff:Orientation="{orientation}"/>'
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp)
    return {"pnginfo": info} if kind == "PNG" else {"xmp": xmp.encode()}


@pytest.mark.parametrize("metadata", ["exif", "xmp"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_picture_is_turned_as_its_metadata_say(kind: str, metadata: str) -> None:
    image = Image.new("RGB", (300, 300), "red")
    image.paste("blue", (0, 0, 150, 150))  # the upper left quarter
    for orientation, place in {1: (75, 75), 2: (225, 75), 3: (225, 225), 6: (225, 75)}.items():
        out = io.BytesIO()
        image.save(out, kind, **_oriented(kind, metadata, orientation))
        with Image.open(io.BytesIO(make_profile_picture(out))) as shown:
            pixel: Any = shown.getpixel(place)
        assert pixel[2] > 200 > 60 > pixel[0], orientation


@pytest.mark.parametrize("kind", MAX_PIXELS)
def test_stored_picture_has_no_metadata(client: TestClient, kind: str) -> None:
    for content in valid(kind):
        made = client.get(upload(client, content).json()["image_path"]).content
        assert described(made) == "made"


def test_comment_is_never_written() -> None:
    commented = Image.new("RGB", (300, 300))
    commented.info["comment"] = SECRET
    assert described(images.encode_jpeg(commented)) == "made"


def _bomb() -> bytes:
    """Return a PNG of a few hundred bytes that claims 40,000 x 40,000 pixels."""
    parts = list(split_png(png((100, 100), 8, 2)))
    header = struct.pack(">II", 40_000, 40_000) + parts[0].body[8:]
    return join_png([Part(b"IHDR", header), *parts[1:]])


def _progressive(frame: int, more_scans: int) -> bytes:
    parts = list(split_jpeg(picture("JPEG", mode="L", progressive=True)))
    parts = [Part(bytes([frame]), p.body) if p.kind == b"\xc2" else p for p in parts]
    return join_jpeg([*parts, *[parts[-1]] * more_scans])


INVALID = {
    "text": b"no picture",
    "nothing": b"",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "html": b"<!doctype html><script>alert(1)</script>",
    "truncated jpeg": picture("JPEG", (400, 400))[:-400],
    "truncated png": picture("PNG", (400, 400))[:60],
    "only a header": picture("GIF")[:6],
    "bmp": picture("BMP"),
    "bomb": _bomb(),
    "too many pixels": picture("PNG", (8_000, 8_000), "1"),
    "too long": picture("PNG", (MAX_SIDE + 1, 1)),
    "too many scans": _progressive(0xC2, 100),
    "arithmetic coding": _progressive(0xCA, 0),
}


@pytest.mark.parametrize("kind", INVALID)
def test_invalid_picture_is_rejected(client: TestClient, kind: str) -> None:
    response = upload(client, INVALID[kind])
    assert response.status_code == 400
    assert response.json() == {"detail": "The file is not a picture that can be read"}
    assert uploaded_files() == []
    assert image_file(client) is None


def test_name_of_the_uploaded_file_is_not_used(client: TestClient) -> None:
    hostile = ("../../blog.db", "/etc/passwd", "a\\..\\b.png", "x.php", "<script>.png", "\u202e")
    for name in (*hostile, "a" * 1_000):
        stored = upload(client, picture(), name).json()["image_file"]
        assert uploaded_files() == [stored]
        assert re.fullmatch(r"[0-9a-f]{32}\.jpg", stored), name


def test_size_limit_is_exact(client: TestClient) -> None:
    limit = settings.upload_bytes
    assert upload(client, bytes(limit)).status_code == 400  # read, but not a picture
    assert upload(client, bytes(limit + 1)).status_code == 413
    assert uploaded_files() == []
    body = {"title": "t", "content": "c" * (limit + 2**16)}
    assert client.post("/api/posts", json=body, headers=ME).status_code == 413


def test_too_large_upload_is_rejected_while_it_is_read(client: TestClient) -> None:
    """Without a Content-Length only the first few of 200 MiB are read."""
    sent = 0

    def body() -> Iterator[bytes]:
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(200):
            sent += 2**20
            yield bytes(2**20)

    headers = ME | {"Content-Type": "multipart/form-data; boundary=x"}
    app: Any = client.app
    messages = body()
    response: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": next(messages), "more_body": True}

    async def send(message: Any) -> None:
        response.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "method": "PATCH",
        "path": PATH,
        "raw_path": PATH.encode(),
    }
    scope |= {"query_string": b"", "app": app, "state": {}}
    scope["headers"] = [(k.lower().encode(), v.encode()) for k, v in headers.items()]
    portal: Any = client.portal
    tracemalloc.start()
    portal.call(app, scope, receive, send)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert response[0]["status"] == 413
    assert sent <= settings.upload_bytes + 2 * 2**20
    assert peak < 2 * settings.upload_bytes


# Files and rows: nothing is lost and nothing is left behind.


@pytest.mark.parametrize("path", [PATH, "/api/users/1"])
def test_file_of_a_removed_picture_or_user_is_deleted(client: TestClient, path: str) -> None:
    upload(client, picture())
    assert client.delete(path, headers=ME).is_success
    assert uploaded_files() == []


# Each new picture violates a constraint that is checked by the commit.
DOOM = "CREATE TABLE doom (id BIGINT REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED)"
FAIL_COMMITS = {
    "sqlite": (
        DOOM,
        "CREATE TRIGGER doomed AFTER UPDATE OF image_file ON users"
        " WHEN new.image_file IS NOT old.image_file BEGIN INSERT INTO doom VALUES (999); END",
    ),
    "postgresql": (
        DOOM,
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN INSERT INTO doom VALUES (999); RETURN NEW; END'",
        "CREATE TRIGGER doomed AFTER UPDATE OF image_file ON users FOR EACH ROW"
        " WHEN (new.image_file IS DISTINCT FROM old.image_file) EXECUTE FUNCTION fail()",
    ),
}


def test_failed_commit_keeps_the_old_file(client: TestClient, name: str) -> None:
    before = upload(client, picture()).json()["image_file"]
    execute(*FAIL_COMMITS[APPS[name].engine.name])
    assert upload(client, picture()).status_code == 409
    assert client.delete(PATH, headers=ME).status_code == 409
    assert image_file(client) == before
    assert uploaded_files() == [before]


def test_failed_write_keeps_the_old_file(client: TestClient) -> None:
    before = upload(client, picture()).json()["image_file"]
    moved = PICTURES.with_name("moved")
    PICTURES.rename(moved)
    try:
        assert upload(client, picture()).status_code == 500
    finally:
        moved.rename(PICTURES)
    assert image_file(client) == before
    assert uploaded_files() == [before]


def test_concurrent_uploads_leave_one_file(client: TestClient) -> None:
    number = 6
    barrier = threading.Barrier(number)

    def one(_number: int) -> int:
        barrier.wait()
        status: int = upload(client, picture()).status_code
        return status

    with ThreadPoolExecutor(number) as pool:
        assert list(pool.map(one, range(number))) == [200] * number
    assert uploaded_files() == [image_file(client)]


def test_upload_of_a_user_deleted_meanwhile_is_rejected(client: TestClient, name: str) -> None:
    deleted: list[bool] = []

    def delete(_c: Any, _k: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE users") and not deleted:
            deleted.append(True)
            execute("DELETE FROM posts WHERE user_id = 1", "DELETE FROM users WHERE id = 1")

    engine = APPS[name].engine
    event.listen(engine, "before_cursor_execute", delete)
    try:
        response = upload(client, picture())
    finally:
        event.remove(engine, "before_cursor_execute", delete)
    assert deleted
    assert response.status_code == 404
    assert uploaded_files() == []
