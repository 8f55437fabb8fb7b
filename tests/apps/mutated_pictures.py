"""Mutated picture files, and what `make_profile_picture` makes of them.

`python -m tests.apps.mutated_pictures FORMAT FIRST END` tries cases FIRST to END - 1 of the fuzz
test, `python -m tests.apps.mutated_pictures - FILE` one file. A case may hang, so the tests run it
in a child process: it ends after CPU_S of CPU time, and its last line names the case.
"""

import io
import re
import resource
import struct
import sys
import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from fastapi import HTTPException
from PIL import Image, PngImagePlugin

from apps.shared.images import demo_picture, make_profile_picture

# The largest accepted pictures take one or two seconds.
CPU_S = 10
# The limits in the docstring of apps/shared/images.py.
MAX_MB = 350
MAX_WEBP_TABLES_MB = 700
SECRET = b"SECRET"  # in all metadata
SIZE = (70, 50)


@dataclass(frozen=True, slots=True)
class Part:
    """A chunk, segment or block of a file; `lie` is added to its length field."""

    kind: bytes
    body: bytes = b""
    tail: bytes = b""  # of a JPEG: the data of a scan
    lie: int = 0


def chunk(kind: bytes, body: bytes, lie: int = 0) -> bytes:
    """Return a chunk of a PNG with a valid checksum."""
    length = struct.pack(">I", (len(body) + lie) & 0xFFFFFFFF)
    return length + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def segment(kind: int, body: bytes, lie: int = 0) -> bytes:
    """Return a segment of a JPEG."""
    return bytes([0xFF, kind]) + struct.pack(">H", (len(body) + 2 + lie) & 0xFFFF) + body


def png(size: tuple[int, int], depth: int, color_type: int, *, interlaced: bool = False) -> bytes:
    """Return a black PNG. Pillow reads more kinds of PNG than it writes."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color_type]
    packer = zlib.compressobj(1)
    steps = ADAM7 if interlaced else [(0, 0, 1, 1)]
    pixels = b""
    for left, top, across, down in steps:
        width, rows = -(-(size[0] - left) // across), -(-(size[1] - top) // down)
        row = b"\4" + bytes((width * depth * channels + 7) // 8)  # the filter that takes longest
        block = max(1, 2**20 // len(row))  # rows at once: one by one takes seconds
        for begin in range(0, rows if width > 0 else 0, block):
            pixels += packer.compress(row * min(block, rows - begin))
    header = struct.pack(">IIBBBBB", *size, depth, color_type, 0, 0, interlaced)
    parts = [Part(b"IHDR", header), Part(b"IDAT", pixels + packer.flush()), Part(b"IEND")]
    if color_type == 3:
        parts.insert(1, Part(b"PLTE", bytes(range(256)) * 3))
    return join_png(parts)


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)]
ADAM7.append((0, 1, 1, 2))


def split_png(data: bytes) -> Iterator[Part]:
    at = 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        yield Part(kind, data[at + 8 : at + 8 + length])
        at += 12 + length


def join_png(parts: Iterable[Part]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(p.kind, p.body, p.lie) for p in parts)


def split_jpeg(data: bytes) -> Iterator[Part]:
    at = 2
    while at < len(data) and data[at + 1] != 0xD9:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        found = (
            re.compile(rb"\xff[^\x00\xd0-\xd7]").search(data, end) if data[at + 1] == 0xDA else None
        )
        after = found.start() if found else end
        yield Part(data[at + 1 : at + 2], data[at + 4 : end], data[end:after])
        at = after


def join_jpeg(parts: Iterable[Part]) -> bytes:
    segments = b"".join(segment(p.kind[0], p.body, p.lie) + p.tail for p in parts)
    return b"\xff\xd8" + segments + b"\xff\xd9"


def split_webp(data: bytes) -> Iterator[Part]:
    at = 12
    while at < len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        yield Part(kind, data[at + 8 : at + 8 + length])
        at += 8 + length + length % 2


def join_webp(parts: Iterable[Part]) -> bytes:
    chunks = b"".join(
        p.kind + struct.pack("<I", (len(p.body) + p.lie) & 0xFFFFFFFF) + p.body
        + bytes(len(p.body) % 2)
        for p in parts
    )  # fmt: skip
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def split_gif(data: bytes) -> Iterator[Part]:
    """Yield the blocks, whose length is part of the body."""

    def table(flags: int) -> int:
        return 3 << (flags & 7) + 1 if flags & 128 else 0

    at = 13 + table(data[10])
    yield Part(b"GIF89a", data[6:at])
    while data[at : at + 1] != b";":
        start, head = at, 2 if data[at : at + 1] == b"!" else 1
        at += 2 if head == 2 else 11 + table(data[at + 9])
        while data[at]:
            at += 1 + data[at]
        at += 1
        yield Part(data[start : start + head], data[start + head : at])


def join_gif(parts: Iterable[Part]) -> bytes:
    return b"".join(p.kind + p.body for p in parts) + b";"


SPLIT: dict[str, Callable[[bytes], Iterator[Part]]] = {
    "PNG": split_png, "JPEG": split_jpeg, "WEBP": split_webp, "GIF": split_gif,
}  # fmt: skip
JOIN: dict[str, Callable[[Iterable[Part]], bytes]] = {
    "PNG": join_png, "JPEG": join_jpeg, "WEBP": join_webp, "GIF": join_gif,
}  # fmt: skip


def _saved(kind: str, mode: str = "RGB", **options: object) -> bytes:
    """Return a picture with noise and with metadata."""
    picture = Image.merge("RGB", [Image.effect_noise(SIZE, 40 * k) for k in (1, 2, 3)])
    picture = picture.convert(mode)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, SECRET.decode()
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_text("comment", SECRET.decode())
        info.add_itxt("XML:com.adobe.xmp", SECRET.decode(), zip=True)
        options["pnginfo"] = info
    if kind != "GIF":
        options |= {"exif": exif, "icc_profile": SECRET, "dpi": (300, 300)}
    if kind in ("JPEG", "WEBP", "MPO"):
        options["xmp"] = SECRET
    out = io.BytesIO()
    picture.save(out, kind, **{"comment": SECRET, **options})
    return out.getvalue()


@cache
def valid(kind: str) -> list[bytes]:
    """Return valid files of `kind`."""
    frames: dict[str, Any] = {
        "save_all": True,
        "append_images": [Image.new("RGB", SIZE, c) for c in ("red", "blue")],
    }
    if kind == "PNG":
        kinds = [(1, 0), (16, 2), (8, 3), (16, 4), (8, 6)]
        return [
            *(png(SIZE, *one, interlaced=i) for one in kinds for i in (False, True)),
            *(_saved(kind, mode) for mode in ("P", "L", "RGB", "RGBA", "I;16")),
            _saved(kind, **frames),
        ]
    if kind == "JPEG":
        return [
            *(_saved(kind, mode, progressive=p) for mode in ("L", "RGB", "CMYK") for p in (0, 1)),
            _saved(kind, restart_marker_blocks=2),
            _saved("MPO", **frames),
        ]
    if kind == "WEBP":
        return [
            *(_saved(kind, mode, lossless=one) for mode in ("RGB", "RGBA") for one in (0, 1)),
            _saved(kind, **frames),
        ]
    return [
        *(_saved(kind, mode, interlace=i) for mode in ("P", "L") for i in (0, 1)),
        _saved(kind, "P", transparency=3),
        _saved(kind, **frames),
    ]


def _foreign_png(exif: bytes) -> list[Part]:
    keys = (b"comment", b"exif", b"icc_profile", b"dpi", b"bbox", b"transparency", b"interlace")
    texts = ("\u2800", "\u2800" * 30_000, "A" * 70_000)
    long = [zlib.compress(text.encode()) for text in texts]
    return [
        *(Part(b"iTXt", key + b"\0\1\0\0\0" + text) for key in keys for text in long),
        *(Part(b"zTXt", key + b"\0\0" + text) for key in keys for text in long),
        *(Part(b"tEXt", key + b"\0" + SECRET) for key in keys),
        *(Part(b"iCCP", b"a\0\0" + text) for text in long),
        Part(b"eXIf", exif),
        *(Part(b"tRNS", bytes(size)) for size in (1, 2, 6, 256)),
        *(Part(b"acTL", struct.pack(">II", frames, 0)) for frames in (1, 2**31)),
        Part(b"fcTL", struct.pack(">IIIIIHHBB", 0, *SIZE, 0, 0, 1, 1, 2, 1)),
        Part(b"fdAT", struct.pack(">I", 1) + zlib.compress(b"")),
        *(Part(name) for name in (b"IDAT", b"PLTE", b"IEND", b"aBcD", b"read")),
    ]


@cache
def foreign(kind: str) -> list[Part]:
    """Return parts with metadata that Pillow reads or would write."""
    exif = b"MM\0*\0\0\0\x08" + struct.pack(">H", 2) + SECRET * 100
    if kind == "PNG":
        return _foreign_png(exif)
    if kind == "JPEG":
        return [
            *(Part(b"\xfe", text) for text in (SECRET, b"A" * 65_533)),
            *(
                Part(b"\xe1", b"Exif\0\0" + body)
                for body in (exif, b"II*\0\x08\0\0\0\xff\xff", b"")
            ),
            Part(b"\xe2", b"MPF\0" + exif),
            *(Part(b"\xe2", b"ICC_PROFILE\0" + bytes([n, 2]) + SECRET) for n in (1, 2)),
            Part(b"\xed", b"Photoshop 3.0\0" + b"8BIM\x03\xed\0\0\0\0\0\0" + SECRET),
            *(Part(b"\xee", b"Adobe\0d\0\0\0\0" + bytes([n])) for n in (0, 1, 2)),
            *(Part(bytes([k]), b"\x08\0\x32\0\x46\1\1\x11\0") for k in (0xC3, 0xC9, 0xCA)),
            *(Part(bytes([k]), b"\0\1") for k in (0xDD, 0xDC, 0xD8, 0x01, 0xF0)),
        ]
    if kind == "WEBP":
        kinds = (b"EXIF", b"XMP ", b"ICCP", b"ANIM", b"ANMF", b"ALPH", b"VP8X", b"VP8L", b"VP8 ")
        return [Part(k, body) for k in kinds for body in (exif, b"", bytes(10))]
    return [
        *(Part(b"!\xfe", size + SECRET * 20 + b"\0") for size in (b"\1", b"\x78", b"\xff")),
        Part(b"!\xff", b"\x0bNETSCAPE2.0\3\1\0\0\0"),
        *(Part(b"!\xf9", b"\4" + bytes([f]) + b"\1\0\3\0") for f in (0, 1, 8, 9, 12, 13)),
    ]


def _mutate(parts: list[Part], kind: str, draw: Random) -> None:
    """Change one part."""
    at = draw.randrange(len(parts))
    part = parts[at]
    place = draw.randrange(len(part.body) + 1)
    match draw.choice(["drop", "repeat", "swap", "insert", "cut", "long", "noise", "lie", "scan"]):
        case "drop":
            del parts[at]
        case "repeat":
            parts[at:at] = [part] * draw.choice((1, 2, 40))
        case "swap":
            other = draw.randrange(len(parts))
            parts[at], parts[other] = parts[other], part
        case "insert":
            parts.insert(at, draw.choice(foreign(kind)))
        case "cut":
            parts[at] = replace(part, body=part.body[:place])
        case "long":
            more = draw.randbytes(draw.choice((1, 100, 60_000)))
            parts[at] = replace(part, body=(part.body[:place] + more + part.body[place:])[:65_533])
        case "noise":  # an extreme value, or any
            size = draw.choice((1, 2, 4))
            value = draw.choice((b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", draw.randbytes(4)))
            body = part.body[:place] + value[:size] + part.body[place + size :]
            parts[at] = replace(part, body=body[: len(part.body)])
        case "lie":
            parts[at] = replace(part, lie=draw.choice((-len(part.body), -1, 1, 1000, 2**31)))
        case _:
            tail = bytearray(part.tail)
            for _ in range(min(len(tail), draw.choice((1, 20)))):
                tail[draw.randrange(len(tail))] = draw.randrange(256)
            parts[at] = replace(part, tail=bytes(tail))


def case(kind: str, seed: int) -> bytes:
    """Return a file of `kind` with one to three mutations."""
    draw = Random(f"{kind} {seed}")  # the same on every machine
    parts = list(SPLIT[kind](draw.choice(valid(kind))))
    for _ in range(draw.randint(1, 3)):
        if parts:
            _mutate(parts, kind, draw)
    data = JOIN[kind](parts)
    return data[: draw.randrange(len(data))] if draw.random() < 0.05 else data


def outcome(data: bytes) -> str:
    """Return "made", "refused", or a description of the fault."""
    max_mb = MAX_WEBP_TABLES_MB if data[8:12] == b"WEBP" else MAX_MB
    reset_peak()
    before_mb = status_mb("VmRSS")
    try:
        made = make_profile_picture(io.BytesIO(data))
    except HTTPException as refused:
        made = b"" if refused.status_code == 400 else refused.detail.encode()
    taken_mb = status_mb("VmHWM") - before_mb
    if taken_mb > max_mb:
        return f"it needs {taken_mb:.0f} MB"
    return described(made) if made else "refused"


def described(made: bytes) -> str:
    """Return "made" if `made` is a profile picture without metadata, or a description of it."""
    usual = demo_picture(1)
    head = usual.index(b"\xff\xda") + 14
    if made[:head] != usual[:head] or SECRET in made:
        return f"metadata of the file are left: {made[:head]!r}"
    with Image.open(io.BytesIO(made)) as shown:
        shown.load()
        return "made" if (shown.size, shown.mode) == ((300, 300), "RGB") else str(shown)


def status_mb(name: str, pid: int | str = "self") -> float:
    """Return a value of /proc/PID/status in MB, or 0 without /proc."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next(
        (int(line.split()[1]) * 1_024 / 1e6 for line in lines if line.startswith(name)), 0.0
    )


def reset_peak(pid: int | str = "self") -> None:
    """Reset the peak of resident memory, VmHWM, where there is /proc."""
    if (peak := Path(f"/proc/{pid}/clear_refs")).exists():
        peak.write_text("5")


def main(kind: str, first: str, last: str = "") -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")  # of Pillow, about files
    make_profile_picture(io.BytesIO(demo_picture(1)))  # imports what Pillow needs
    seeds = range(int(first), int(last)) if last else range(1)
    for seed in seeds:
        sys.stdout.write(f"{seed} ")
        sys.stdout.flush()
        # End this process after CPU_S more seconds of CPU.
        limit = int(time.process_time()) + 1 + CPU_S
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
        sys.stdout.write(outcome(case(kind, seed) if last else Path(first).read_bytes()) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
