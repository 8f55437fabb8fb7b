"""CPU-bound work of the /workload routes, which exist for measuring."""

import io
from functools import cache

from PIL import Image, ImageOps

from apps.shared.images import encode_jpeg, make_profile_picture
from apps.shared.security import (
    DEMO_PASSWORD,
    DEMO_PASSWORD_HASH,
    verify_password,
)


def digest(n: int) -> int:
    """Return a checksum over `n` steps of a linear congruential generator.

    Pure Python that never releases the GIL, about 70 ns a step.
    """
    value = 1
    for _ in range(n):
        value = (value * 1_103_515_245 + 12_345) & 0x7FFF_FFFF
    return value


def verify_demo_password() -> bool:
    """Verify one password with Argon2, which releases the GIL."""
    return verify_password(DEMO_PASSWORD, DEMO_PASSWORD_HASH)


@cache
def sample_picture() -> bytes:
    """Return a JPEG of 1,200 x 900 pixels, always the same."""
    rings = Image.radial_gradient("L").resize((1200, 900))
    return encode_jpeg(
        Image.merge("RGB", (rings, ImageOps.invert(rings), rings))
    )


def make_sample_thumbnail() -> bytes:
    """Make a profile picture of the sample picture with Pillow."""
    return make_profile_picture(io.BytesIO(sample_picture()))
