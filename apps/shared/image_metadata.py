"""Metadata of an uploaded picture: removed before Pillow reads the file, except the orientation.

Pillow reads all metadata, and a file can be made so that this takes minutes or much memory. It
reads little of a WebP, which is passed on as it is.
"""

import re
import struct
from collections.abc import Iterator

# Segments that a JPEG is decoded from: frame (baseline, extended, progressive), tables, restart
# interval, scans, end, and the two that tell the color space (JFIF, Adobe). Not those of
# arithmetic coding: browsers do not show it, and its scans take even more work per byte.
JPEG_SEGMENTS = {0xC0, 0xC1, 0xC2, 0xC4, 0xDB, 0xDD, 0xDA, 0xD9, 0xE0, 0xEE}
# A scan of 40 bytes can visit all pixels, which takes 30 ms. libjpeg writes at most 40 segments.
MAX_JPEG_SEGMENTS = 100
# A marker; the stuffed zeros and restart markers within the data of a scan are none.
JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
JPEG_START = b"\xff\xd8"
PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_CHUNKS = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
EXIF_START = b"Exif\0\0"
ORIENTATION = 0x0112  # the EXIF tag
XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')


def strip_metadata(data: bytes) -> tuple[bytes, bytes]:
    """Return `data` with only the parts that pixels are decoded from, and its EXIF."""
    if data.startswith(JPEG_START):
        return _strip_jpeg(data)
    if data.startswith(PNG_START):
        return _strip_png(data)
    return _strip_gif(data) if data.startswith(b"GIF8") else data, b""


def _strip_jpeg(data: bytes) -> tuple[bytes, bytes]:
    kept, exif = [], b""
    for marker, segment in _jpeg_segments(data):
        if marker in JPEG_SEGMENTS:
            kept.append(segment)
        elif marker == 0xE1 and segment.startswith(EXIF_START, 4):
            exif = exif or segment[4:]
    if len(kept) > MAX_JPEG_SEGMENTS:
        raise ValueError("too many segments")
    return JPEG_START + b"".join(kept), exif


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and bytes of each segment up to the end of the first picture.

    The segment of a scan includes its data.
    """
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


def _strip_png(data: bytes) -> tuple[bytes, bytes]:
    kept, exif = [PNG_START], b""
    at = len(PNG_START)
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + size  # length, kind and checksum are 4 bytes each
        if kind in PNG_CHUNKS:
            kept.append(data[at:end])
        elif kind == b"eXIf":
            exif = exif or data[at + 8 : end - 4]
        if kind == b"IEND":
            break
        at = end
    return b"".join(kept), exif


def _strip_gif(data: bytes) -> bytes:
    palette = 3 << (data[10] & 7) + 1 if data[10] & 128 else 0
    at = 13 + palette
    kept = [data[:at]]
    while (kind := data[at]) not in b",;":  # image or end
        start, at = at, at + 1
        if kind == 0x21:  # an extension: its label, sized blocks, a zero
            at += 1
            while data[at]:
                at += 1 + data[at]
            at += 1
            if data[start + 1] == 0xF9:  # graphic control: transparency
                kept.append(data[start:at])
    return b"".join([*kept, data[at:]])


def orientation(exif: bytes, data: bytes) -> int:
    """Return the orientation (1 to 8) by EXIF, or by XMP in `data`; otherwise 1, upright."""
    tiff = exif.removeprefix(EXIF_START)
    order = "<" if tiff.startswith(b"II") else ">"
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        tags = tiff[start + 2 : start + 2 + 12 * count]
        for tag, value in struct.iter_unpack(order + "H6xH2x", tags):
            if tag == ORIENTATION:
                return int(value)
    except struct.error:  # missing or broken
        pass
    found = XMP_ORIENTATION.search(data)
    return int(found[1]) if found else 1
