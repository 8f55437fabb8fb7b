"""Pictures, in memory. CPU-bound: the async app must not do this on the loop."""

import io
from functools import cache
from typing import BinaryIO
from uuid import uuid4

from fastapi import HTTPException
from PIL import Image, ImageOps

from apps.shared.settings import settings

SIZE = (300, 300)
QUALITY = 85
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
# A file of a few kilobytes can unpack to gigabytes. So many pixels are 100 MB
# once unpacked, up to twice that while they are converted, a WebP up to 400 MB.
MOST_PIXELS = 25_000_000


def profile_picture(file: BinaryIO) -> bytes:
    """The picture in `file` as a square JPEG, upright, without what else was in the file.

    Raises HTTPException (400) if it is no picture, or a broken one, or too many pixels.
    """
    try:
        with Image.open(file, formats=FORMATS) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise ValueError("too many pixels")
            # Lets a JPEG be unpacked at a fraction of its size.
            picture.draft("RGB", (2 * SIZE[0], 2 * SIZE[1]))
            # Made small before it is turned and cut: each step copies the picture.
            rgb = picture if picture.mode == "RGB" else picture.convert("RGB")
            small = rgb.reduce(max(1, min(rgb.size) // (2 * SIZE[0])))
            upright = ImageOps.exif_transpose(small)
            return _jpeg(ImageOps.fit(upright, SIZE, Image.Resampling.LANCZOS))
    except Exception as error:  # a broken file makes decoders raise anything
        raise HTTPException(
            400, "The file is not a picture that can be read"
        ) from error


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
    picture.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()
