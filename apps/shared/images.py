"""Profile pictures, made in memory. CPU-bound: the async app runs this in worker threads.

Scaling one upload down takes at most 350 MB of memory, whatever the file is, and a few seconds:
240 MB for a progressive JPEG in CMYK, 200 MB for a WebP, 160 MB for a PNG, and what malloc keeps
of earlier ones. One kind takes up to 700 MB: a WebP, lossless or with transparency, with many
code tables, which libwebp builds before the first pixel. tests/apps/test_hostile_pictures.py
measures both limits.
"""

import io
from typing import BinaryIO
from uuid import uuid4

from fastapi import HTTPException
from PIL import Image, ImageOps

from apps.shared.image_metadata import ORIENTATION, orientation, strip_metadata
from apps.shared.settings import settings

SIZE = (300, 300)
QUALITY = 85
# A file of a few kilobytes can unpack to gigabytes: 4 bytes a pixel, and 8 more in a progressive
# JPEG. A phone's photo has 24 million pixels. A WebP takes 16 bytes a pixel.
MAX_PIXELS = {
    "JPEG": 25_000_000,
    "PNG": 25_000_000,
    "GIF": 25_000_000,
    "WEBP": 12_500_000,
}
# Each row takes memory too, and a long, thin picture can hardly be scaled down.
# No side of a WebP is longer than this.
MAX_SIDE = 16_384
STRIP_ROWS = 64  # of the scaled picture


def make_profile_picture(file: BinaryIO) -> bytes:
    """Return the picture in `file` as an upright, square JPEG without metadata.

    Raise HTTPException (400) if it is not a picture, is broken, or has too many pixels.
    """
    try:
        file.seek(0)
        upright = _scale_upright(file.read())
        return encode_jpeg(
            ImageOps.fit(upright, SIZE, Image.Resampling.LANCZOS)
        )
    except Exception as error:  # decoders raise anything for a broken file
        raise HTTPException(
            400, "The file is not a picture that can be read"
        ) from error


def _scale_upright(data: bytes) -> Image.Image:
    """Return the picture in `data`, scaled down and turned as its metadata say."""
    pixels, exif = strip_metadata(data)
    with Image.open(io.BytesIO(pixels), formats=tuple(MAX_PIXELS)) as picture:
        scaled = _scale(picture)
        exif = exif or picture.info.get("exif", b"")
    scaled.getexif()[ORIENTATION] = orientation(exif, data)
    ImageOps.exif_transpose(scaled, in_place=True)
    return scaled


def _scale(picture: Image.Image) -> Image.Image:
    """Return a new RGB picture whose shorter side is near twice that of SIZE."""
    width, height = picture.size
    if (
        width * height > MAX_PIXELS[str(picture.format)]
        or max(width, height) > MAX_SIDE
    ):
        raise ValueError("too many pixels")
    # A JPEG is then decoded at a fraction of its size.
    picture.draft("RGB", (2 * SIZE[0], 2 * SIZE[1]))
    # Before a second picture exists: decoding a progressive JPEG needs much memory.
    picture.load()
    width, height = picture.size
    factor = max(1, min(width, height) // (2 * SIZE[0]))
    scaled = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    # In strips, because each step copies its input.
    for top in range(0, height, STRIP_ROWS * factor):
        bottom = min(top + STRIP_ROWS * factor, height)
        strip = picture.crop((0, top, width, bottom))
        scaled.paste(strip.convert("RGB").reduce(factor), (0, top // factor))
    return scaled


def encode_jpeg(picture: Image.Image) -> bytes:
    """Return `picture` as a JPEG."""
    out = io.BytesIO()
    # Without `comment` Pillow would copy that of the source file.
    picture.save(out, "JPEG", quality=QUALITY, comment=b"")
    return out.getvalue()


def check_upload_size(size: int | None) -> None:
    """Raise HTTPException (413) if an upload of `size` bytes is too large."""
    if size is None or size > settings.upload_bytes:
        raise upload_too_large()


def upload_too_large() -> HTTPException:
    """Return the error for an upload that is too large."""
    limit = settings.upload_bytes / 2**20
    return HTTPException(413, f"At most {limit:g} MiB can be uploaded")


def random_name() -> str:
    """Return a name for a picture file; the client's own name is never used."""
    return f"{uuid4().hex}.jpg"


def demo_picture(number: int) -> bytes:
    """Return the picture of the demo user `number`: a gradient of two colors."""
    gradient = Image.linear_gradient("L").resize(SIZE)
    light = f"hsl({number * 47 % 360}, 70%, 75%)"
    dark = f"hsl({number * 83 % 360}, 60%, 35%)"
    return encode_jpeg(ImageOps.colorize(gradient, light, dark))
