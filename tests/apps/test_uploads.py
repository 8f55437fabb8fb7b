"""Uploads: what is refused, what is kept, and that nothing is lost or left behind."""

import io
import struct
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from apps.shared import images
from apps.shared.images import MAX_PIXELS, MAX_SIDE, make_profile_picture
from apps.shared.settings import settings
from tests.apps.hostile import (
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
from tests.apps.serving import ME, PATH, image_file, kept_pictures, picture, upload


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_becomes_a_square_jpeg(client: TestClient, kind: str) -> None:
    user = upload(client, picture(kind, (700, 300))).json()
    assert kept_pictures() == [user["image_file"]]
    answer = client.get(user["image_path"])
    assert answer.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(answer.content)) as shown:
        assert (shown.format, shown.size, shown.mode) == ("JPEG", (300, 300), "RGB")


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1", "I;16", "CMYK"])
def test_every_kind_of_pixel_is_understood(client: TestClient, mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    assert upload(client, picture(kind, mode=mode)).status_code == 200


def test_a_photo_is_shown_upright_and_tells_nothing_else(client: TestClient) -> None:
    photo = Image.new("RGB", (200, 100), "red")
    photo.paste("blue", (0, 0, 100, 100))
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn a quarter clockwise
    exif[0x010F] = "camera of mine"
    out = io.BytesIO()
    photo.save(out, "JPEG", exif=exif)
    path = upload(client, out.getvalue()).json()["image_path"]
    content = client.get(path).content
    assert b"camera of mine" not in content
    with Image.open(io.BytesIO(content)) as shown:
        top: Any = shown.getpixel((150, 10))
        bottom: Any = shown.getpixel((150, 290))
    assert top[2] > 200 > 60 > top[0]
    assert bottom[0] > 200 > 60 > bottom[2]


def _with_exif(kind: str, orientation: int) -> dict[str, Any]:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return {"exif": exif}


def _with_xmp(kind: str, orientation: int) -> dict[str, Any]:
    xmp = f'<x tiff:Orientation="{orientation}"/>'
    if kind != "PNG":
        return {"xmp": xmp.encode()}
    told = PngInfo()
    told.add_itxt("XML:com.adobe.xmp", xmp)
    return {"pnginfo": told}


@pytest.mark.parametrize("told", [_with_exif, _with_xmp])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_turned_as_its_metadata_say(kind: str, told: Any) -> None:
    image = Image.new("RGB", (300, 300), "red")
    image.paste("blue", (0, 0, 150, 150))  # the upper left quarter
    for orientation, place in {1: (75, 75), 2: (225, 75), 3: (225, 225), 6: (225, 75)}.items():
        out = io.BytesIO()
        image.save(out, kind, **told(kind, orientation))
        with Image.open(io.BytesIO(make_profile_picture(out))) as shown:
            pixel: Any = shown.getpixel(place)
        assert pixel[2] > 200 > 60 > pixel[0], orientation


@pytest.mark.parametrize("kind", MAX_PIXELS)
def test_a_made_picture_holds_no_metadata(client: TestClient, kind: str) -> None:
    for content in valid(kind):
        made = client.get(upload(client, content).json()["image_path"]).content
        assert described(made) == "made"


def test_a_comment_is_never_written() -> None:
    commented = Image.new("RGB", (300, 300))
    commented.info["comment"] = SECRET
    assert described(images.encode_jpeg(commented)) == "made"


@pytest.mark.parametrize("character", ["A", "\u2800"])
def test_a_long_comment_is_no_reason_to_refuse(client: TestClient, character: str) -> None:
    told = PngInfo()
    told.add_itxt("comment", character * 100_000)
    out = io.BytesIO()
    Image.new("RGB", (40, 30)).save(out, "PNG", pnginfo=told)
    assert upload(client, out.getvalue()).status_code == 200


def test_a_photo_of_24_megapixels_is_taken(client: TestClient) -> None:
    assert upload(client, picture("JPEG", (6_000, 4_000))).status_code == 200


def _bomb() -> bytes:
    """A PNG of a few hundred bytes that says it has 40,000 x 40,000 pixels."""
    parts = list(split_png(png((100, 100), 8, 2)))
    header = struct.pack(">II", 40_000, 40_000) + parts[0].body[8:]
    return join_png([Part(b"IHDR", header), *parts[1:]])


def _progressive(frame: int, more_scans: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (40, 30)).save(out, "JPEG", progressive=True)
    parts = list(split_jpeg(out.getvalue()))
    parts = [Part(bytes([frame]), p.body) if p.kind == b"\xc2" else p for p in parts]
    return join_jpeg([*parts, *[parts[-1]] * more_scans])


def _many_pixels() -> bytes:
    """A real picture of 8,000 x 8,000 pixels in a small file."""
    return picture("PNG", (8_000, 8_000), "1")


NO_PICTURES = {
    "text": b"no picture",
    "nothing": b"",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "html": b"<!doctype html><script>alert(1)</script>",
    "truncated jpeg": picture("JPEG", (400, 400))[:-400],
    "truncated png": picture("PNG", (400, 400))[:60],
    "only a header": picture("GIF")[:6],
    "bmp": picture("BMP"),
    "bomb": _bomb(),
    "too many pixels": _many_pixels(),
    "too long": picture("PNG", (MAX_SIDE + 1, 1)),
    "too many scans": _progressive(0xC2, 100),
    "arithmetic coding": _progressive(0xCA, 0),
}


@pytest.mark.parametrize("kind", NO_PICTURES)
def test_what_is_no_picture_is_refused(client: TestClient, kind: str) -> None:
    answer = upload(client, NO_PICTURES[kind])
    assert answer.status_code == 400
    assert answer.json() == {"detail": "The file is not a picture that can be read"}
    assert kept_pictures() == []
    assert image_file(client) is None


@pytest.mark.parametrize(
    "hostile",
    [
        "../../blog.db",
        "/etc/passwd",
        "a\\..\\b.png",
        "x.php",
        "<script>.png",
        "a" * 1_000,
        "é\u202e.png",
    ],
)
def test_the_name_of_a_file_has_no_say(client: TestClient, hostile: str) -> None:
    user = upload(client, picture(), hostile).json()
    assert kept_pictures() == [user["image_file"]]
    assert user["image_file"].endswith(".jpg")
    assert len(user["image_file"]) == 36


def test_just_small_enough_and_just_too_large(client: TestClient) -> None:
    most = settings.upload_bytes
    assert upload(client, bytes(most)).status_code == 400  # read, and no picture
    assert upload(client, bytes(most + 1)).status_code == 413
    assert kept_pictures() == []


def test_what_is_too_large_is_refused_while_it_is_read(client: TestClient) -> None:
    """Neither announced nor all read: of 200 MiB only the first few are taken."""
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
    answer: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": next(messages), "more_body": True}

    async def send(message: Any) -> None:
        answer.append(message)

    scope = {
        "type": "http",
        "method": "PATCH",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
        "app": app,
        "state": {},
    }
    portal: Any = client.portal
    tracemalloc.start()
    portal.call(app, scope, receive, send)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer[0]["status"] == 413
    assert sent <= settings.upload_bytes + 2 * 2**20
    assert peak < 2 * settings.upload_bytes


def test_a_json_body_is_limited_likewise(client: TestClient) -> None:
    body = {"title": "t", "content": "c" * (settings.upload_bytes + 2**16)}
    assert client.post("/api/posts", json=body, headers=ME).status_code == 413
