"""Pictures, in memory. CPU-bound: the async app must not do this on the loop.

While an upload is made small, it takes at most 350 MB of memory, whatever the file is, and a few
seconds: 240 MB for a progressive JPEG in four colours, 200 MB for a WebP, 160 MB for a PNG, and
what malloc keeps of earlier ones. One kind takes up to 700 MB: a WebP, lossless or with
transparency, of many code tables, which libwebp builds before the first pixel.
tests/apps/test_hostile_pictures.py measures both.
"""

import io
import re
import struct
from collections.abc import Iterator
from functools import cache
from typing import BinaryIO
from uuid import uuid4

from fastapi import HTTPException
from PIL import Image, ImageOps

from apps.shared.settings import settings

SIZE = (300, 300)
QUALITY = 85
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
# A file of a few kilobytes can unpack to gigabytes: 4 bytes a pixel, and 8 more in a progressive
# JPEG. A phone's photo has 24 million. A WebP takes 16 bytes a pixel.
MOST_PIXELS = {
    "JPEG": 25_000_000,
    "PNG": 25_000_000,
    "GIF": 25_000_000,
    "WEBP": 12_500_000,
}
# Each row costs memory too, and what is long and thin can hardly be made small.
# A WebP has no longer side than this.
MOST_SIDE = 16_384

# What a JPEG is decoded from: frame (baseline, extended, progressive), tables, restart interval,
# scans, end, and the two that tell the colours (JFIF, Adobe). No arithmetic coding: browsers do
# not show it, and it packs the work of a scan into even fewer bytes.
JPEG_PARTS = {0xC0, 0xC1, 0xC2, 0xC4, 0xDB, 0xDD, 0xDA, 0xD9, 0xE0, 0xEE}
# A scan of 40 bytes can be a walk over all pixels, 30 ms. libjpeg writes 40 parts at most.
MOST_JPEG_PARTS = 100
# A marker; what is between the data of a scan is none.
JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
PNG_PARTS = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
PNG_START = b"\x89PNG\r\n\x1a\n"
ORIENTATION = 0x0112  # the tag of EXIF
XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
STRIP = 64  # rows, once made small


def profile_picture(file: BinaryIO) -> bytes:
    """The picture in `file` as a square JPEG, upright, without what else was in the file.

    Raises HTTPException (400) if it is no picture, or a broken one, or too many pixels.
    """
    try:
        file.seek(0)
        upright = _upright(file.read())
        return _jpeg(ImageOps.fit(upright, SIZE, Image.Resampling.LANCZOS))
    except Exception as error:  # a broken file makes decoders raise anything
        raise HTTPException(
            400, "The file is not a picture that can be read"
        ) from error


def _upright(data: bytes) -> Image.Image:
    """The picture in `data`, made small, turned as its EXIF or XMP says."""
    bare, exif = _without_metadata(data)
    with Image.open(io.BytesIO(bare), formats=FORMATS) as picture:
        small = _small(picture)
        exif = exif or picture.info.get("exif", b"")
    small.getexif()[ORIENTATION] = _orientation(exif, data)
    ImageOps.exif_transpose(small, in_place=True)
    return small


def _small(picture: Image.Image) -> Image.Image:
    """`picture` in RGB, its shorter side near twice SIZE: new, so it has nothing of the file."""
    width, height = picture.size
    if (
        width * height > MOST_PIXELS[str(picture.format)]
        or max(width, height) > MOST_SIDE
    ):
        raise ValueError("too many pixels")
    # Lets a JPEG be unpacked at a fraction of its size.
    picture.draft("RGB", (2 * SIZE[0], 2 * SIZE[1]))
    picture.load()  # before there is a second picture: a progressive JPEG needs much until then
    width, height = picture.size
    factor = max(1, min(width, height) // (2 * SIZE[0]))
    small = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    # In strips: each step copies what it works on.
    for top in range(0, height, STRIP * factor):
        strip = picture.crop(
            (0, top, width, min(top + STRIP * factor, height))
        )
        small.paste(strip.convert("RGB").reduce(factor), (0, top // factor))
    return small


def _without_metadata(data: bytes) -> tuple[bytes, bytes]:
    """`data` with nothing but what its pixels are decoded from; and its EXIF.

    Pillow reads all metadata, and some files make that take minutes, or much memory. Of a WebP
    it reads little.
    """
    if data.startswith(b"\xff\xd8"):
        return _bare_jpeg(data)
    if data.startswith(PNG_START):
        return _bare_png(data)
    return _bare_gif(data) if data.startswith(b"GIF8") else data, b""


def _bare_jpeg(data: bytes) -> tuple[bytes, bytes]:
    kept, exif = [], b""
    for marker, part in _jpeg_parts(data):
        if marker in JPEG_PARTS:
            kept.append(part)
        elif marker == 0xE1 and part.startswith(b"Exif\0\0", 4):
            exif = exif or part[4:]
    if len(kept) > MOST_JPEG_PARTS:
        raise ValueError("too many parts")
    return b"\xff\xd8" + b"".join(kept), exif


def _jpeg_parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Each segment with its marker, a scan with its data, up to the end of the first picture."""
    at = 2
    while found := JPEG_MARKER.search(data, at):
        start = found.start()
        marker = data[start + 1]
        if marker == 0xD9:
            yield marker, data[start : start + 2]
            return
        at = start + 2 + int.from_bytes(data[start + 2 : start + 4])
        if marker == 0xDA:
            following = JPEG_MARKER.search(data, at)
            at = following.start() if following else len(data)
        yield marker, data[start:at]


def _bare_png(data: bytes) -> tuple[bytes, bytes]:
    kept, exif = [PNG_START], b""
    at = len(PNG_START)
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + size  # length, kind and checksum are 4 bytes each
        if kind in PNG_PARTS:
            kept.append(data[at:end])
        elif kind == b"eXIf":
            exif = exif or data[at + 8 : end - 4]
        if kind == b"IEND":
            break
        at = end
    return b"".join(kept), exif


def _bare_gif(data: bytes) -> bytes:
    at = 13 + (
        3 << (data[10] & 7) + 1 if data[10] & 128 else 0
    )  # screen, palette
    kept = [data[:at]]
    while (first := data[at]) not in b",;":  # image, end
        start, at = at, at + 1
        if (
            first == 0x21
        ):  # an extension: its kind, blocks after their length, 0
            at += 1
            while data[at]:
                at += 1 + data[at]
            at += 1
            if data[start + 1] == 0xF9:  # tells what is transparent
                kept.append(data[start:at])
    return b"".join([*kept, data[at:]])


def _orientation(exif: bytes, data: bytes) -> int:
    """How the camera was held: by EXIF, or by XMP anywhere in `data`; otherwise 1, upright."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = "<" if tiff.startswith(b"II") else ">"
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        tags = tiff[start + 2 : start + 2 + 12 * count]
        for tag, value in struct.iter_unpack(order + "H6xH2x", tags):
            if tag == ORIENTATION:
                return int(value)
    except struct.error:  # none, or a broken one
        pass
    found = XMP_ORIENTATION.search(data)
    return int(found[1]) if found else 1


def refuse_too_large(size: int | None) -> None:
    """Raises HTTPException (413) if an upload of `size` bytes is too large."""
    if size is None or size > settings.upload_bytes:
        raise too_large()


def too_large() -> HTTPException:
    most = settings.upload_bytes / 2**20
    return HTTPException(413, f"At most {most:g} MiB can be uploaded")


def new_name() -> str:
    """What an upload is kept as; what it was called at home has no say in it."""
    return f"{uuid4().hex}.jpg"


def demo_picture(number: int) -> bytes:
    """A picture for the demo user `number`: two colours, fading into each other."""
    fade = Image.linear_gradient("L").resize(SIZE)
    light, dark = (
        f"hsl({number * 47 % 360}, 70%, 75%)",
        f"hsl({number * 83 % 360}, 60%, 35%)",
    )
    return _jpeg(ImageOps.colorize(fade, light, dark))


@cache
def fixed_picture() -> bytes:
    """What /workload/thumbnail works on: 1,200 x 900 pixels, the same every time."""
    rings = Image.radial_gradient("L").resize((1200, 900))
    return _jpeg(Image.merge("RGB", (rings, ImageOps.invert(rings), rings)))


def fixed_thumbnail() -> bytes:
    """The profile picture made of the fixed one."""
    return profile_picture(io.BytesIO(fixed_picture()))


def _jpeg(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    # Pillow would write the comment of a file, and some never end.
    picture.save(out, "JPEG", quality=QUALITY, comment=b"")
    return out.getvalue()
