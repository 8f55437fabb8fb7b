"""No upload takes more time or memory than the docstring of apps/shared/images.py says."""

import base64
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import psutil
import pytest

from apps.shared.images import MAX_PIXELS, MAX_SIDE
from apps.shared.settings import settings
from tests.apps.mutated_pictures import (
    MAX_MB,
    MAX_WEBP_TABLES_MB,
    Part,
    case,
    chunk,
    join_gif,
    join_jpeg,
    join_png,
    png,
    reset_peak,
    segment,
    split_jpeg,
    split_png,
    status_mb,
)
from tests.apps.serving import ME, PATH, picture
from tests.support.processes import LONG_S
from twinbench.measure.server import Server
from twinbench.paths import ROOT
from twinbench.plan import Target

pytestmark = pytest.mark.slow

CASES = 1_000  # of each format
# The largest file, without the form around it.
MAX_BYTES = settings.upload_bytes - 1_000


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.apps.mutated_pictures", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip


@pytest.mark.timeout(700)
@pytest.mark.parametrize("kind", MAX_PIXELS)
def test_mutated_picture_is_made_or_refused(kind: str) -> None:
    done = _run(kind, "0", str(CASES))
    outcomes = dict(line.partition(" ")[::2] for line in done.stdout.splitlines())
    wrong = {seed: fault for seed, fault in outcomes.items() if fault not in ("made", "refused")}
    for seed, fault in wrong.items():
        data = base64.b64encode(zlib.compress(case(kind, int(seed)))).decode()
        ended = fault or f"ended by signal {-done.returncode} (24: too much CPU time)"
        pytest.fail(f"{kind} {seed}: {ended} {done.stderr}\nzlib, base64: {data}")
    assert len(outcomes) == CASES
    assert 0.2 < list(outcomes.values()).count("made") / CASES < 0.8


def _png_with(part: Part, times: int | None = None) -> bytes:
    """Return a PNG with `part` as many times as fit into an upload, or `times`."""
    first, *rest = split_png(picture("PNG"))
    each = len(chunk(part.kind, part.body))
    return join_png([first, *[part] * (times or (MAX_BYTES - 500) // each), *rest])


def _pieces() -> bytes:
    """Return EXIF in as many segments as fit into an upload."""
    bodies = (b"MM\0*\0\0\0\x08\0\0", b"x" * 10)
    first, more = (Part(b"\xe1", b"Exif\0\0" + body) for body in bodies)
    times = (MAX_BYTES - 1_000) // len(segment(0xE1, more.body))
    return join_jpeg([first, *[more] * times, *split_jpeg(picture("JPEG"))])


def _numbers() -> bytes:
    """Return EXIF with two million numbers, each an object when Pillow copies it."""
    size = MAX_BYTES - 10_000
    tags = [(0x0112, 3, 1, 6 << 16), (40_000, 3, size // 2, 64)]
    head = b"MM\0*\0\0\0\x08" + struct.pack(">H", 2)
    return head + b"".join(struct.pack(">HHII", *tag) for tag in tags) + b"\x7f" * (size + 100)


def _scans() -> bytes:
    """Return a progressive JPEG of 25 million pixels that repeats its last scan."""
    parts = list(split_jpeg(picture("JPEG", (5_000, 5_000), "L", progressive=True)))
    return join_jpeg([*parts, *[parts[-1]] * 20_000])


# Files that take much memory or more than ten seconds if Pillow reads all of them.
COSTLY: dict[str, Callable[[], bytes]] = {
    "endless comment": lambda: _png_with(
        Part(b"iTXt", b"comment\0\1\0\0\0" + zlib.compress("\u2800".encode() * 30_000)), 1
    ),
    "profiles": lambda: _png_with(Part(b"iCCP", b"a\0\0" + zlib.compress(bytes(2**20 - 1)))),
    "numbers": lambda: _png_with(Part(b"eXIf", _numbers()), 1),
    "pieces of exif": _pieces,
    "scans": _scans,
    "gif comment": lambda: _gif((65_535, 2_700)),
}


@pytest.mark.parametrize("name", COSTLY)
def test_costly_picture_is_made_or_refused(name: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(COSTLY[name]())
    assert file.stat().st_size <= settings.upload_bytes
    done = _run("-", str(file))
    assert done.stdout in ("0 made\n", "0 refused\n"), (done.stdout, done.returncode, done.stderr)


def _gif(size: tuple[int, int]) -> bytes:
    """Return a GIF whose comment Pillow stores as a million objects."""
    screen = struct.pack("<HHBBB", *size, 0, 0, 0)
    image = struct.pack("<HHHHBB", 0, 0, *size, 0, 2) + b"\1\0\0"
    comment = b"\2xy" * ((MAX_BYTES - 100) // 3) + b"\0"
    parts = [Part(b"GIF89a", screen), Part(b"!\xf9", b"\4\x08\0\0\0\0"), Part(b"!\xfe", comment)]
    return join_gif([*parts, Part(b",", image)])


def _webp_of_tables() -> bytes:
    """Return a lossless WebP with the most code tables, each of one symbol."""
    bits: list[str] = []

    def put(value: int, count: int) -> None:
        bits.append(format(value, f"0{count}b")[::-1])  # the lowest first

    def one_symbol() -> None:
        put(1, 4)

    def byte() -> None:  # 256 symbols of 8 bits each
        for value, count in [(0, 1), (8, 4), *[(0, 3)] * 11, (1, 3), (1, 1), (3, 3), (254, 8)]:
            put(value, count)

    width, height = 3_500, 3_568
    put(0x2F, 8)
    put(width - 1, 14)
    put(height - 1, 14)
    for value, count in [(0, 4), (0, 2), (1, 1), (0, 4)]:
        put(value, count)
    for code in (byte, byte, one_symbol, one_symbol, one_symbol):
        code()
    tables = (min(tile, 0xFFFF) for tile in range(width * height // 16))
    bits += [format(table & 255, "08b") + format(table >> 8, "08b") for table in tables]
    bits.append("1000" * 5 * 0x10000)
    text = "".join(bits)
    data = int(text[::-1], 2).to_bytes(len(text) // 16 * 2 + 64, "little")
    body = b"WEBPVP8L" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


# The files of each format that take most memory, and their status. A narrow JPEG is not decoded
# at a fraction of its size.
NARROW = (4 * 299, MAX_SIDE)
SQUARE = (5_000, 5_000)
WORST: dict[str, tuple[Callable[[], bytes], int]] = {
    "jpeg": (lambda: picture("JPEG", NARROW, "CMYK", progressive=True), 200),
    "jpeg, square": (lambda: picture("JPEG", SQUARE, "CMYK", progressive=True), 200),
    "png": (lambda: png(NARROW, 16, 6, interlaced=True), 200),
    "png, square": (lambda: png(SQUARE, 16, 6, interlaced=True), 200),
    "png, too long": (lambda: png((1, 25_000_000), 8, 2), 400),
    "gif": (lambda: _gif((5_000, 5_000)), 400),
    "gif, too large": (lambda: _gif((65_535, 2_700)), 400),
    "webp": (lambda: picture("WEBP", (3_500, 3_570), "RGBA", method=0), 200),
    "webp, too large": (lambda: picture("WEBP", SQUARE, "RGBA", method=0), 400),
    "webp of tables": (_webp_of_tables, 200),
}


@pytest.fixture(scope="module")
def worst() -> dict[str, tuple[bytes, int]]:
    """Return the files, made once because it takes seconds."""
    return {kind: (make(), status) for kind, (make, status) in WORST.items()}


def _upload_two(client: httpx2.Client, content: bytes) -> list[int]:
    def one(_number: int) -> int:
        return client.patch(PATH, files={"file": ("me", content)}).status_code

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, range(2)))


@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
def test_two_concurrent_uploads_keep_the_memory_limit(
    name: str, worst: dict[str, tuple[bytes, int]], tmp_path: Path
) -> None:
    taken_mb = {}
    own = {"BLOG_DATABASE": str(tmp_path / "blog.db"), "BLOG_MEDIA": str(tmp_path / "media")}
    server = Server(Target(name=name, app=f"apps.{name}_app.main:app", env=own))
    try:
        server.wait_until_ready(LONG_S)
        [pid] = (child.pid for child in psutil.Process(server.child.pid).children())
        with httpx2.Client(base_url=server.url, headers=ME, timeout=LONG_S) as client:
            assert _upload_two(client, picture("PNG")) == [200, 200]  # imports everything
            idle_mb = status_mb("VmRSS", pid)
            for kind, (content, status) in worst.items():
                assert len(content) <= settings.upload_bytes
                reset_peak(pid)
                assert _upload_two(client, content) == [status] * 2, kind
                taken_mb[kind] = status_mb("VmHWM", pid) - idle_mb
    finally:
        server.stop()
    assert taken_mb.pop("webp of tables") < 2 * MAX_WEBP_TABLES_MB
    assert max(taken_mb.values()) < 2 * MAX_MB, taken_mb
