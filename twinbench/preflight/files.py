"""The files that an app writes in its scratch folder, those of SQLite left out."""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

# Compared as databases: their bytes depend on when a page was written back.
SQLITE_BEGINS = b"SQLite format 3\0"
SQLITE_ENDS = ("-wal", "-shm", "-journal")
# Shorter texts are compared as such, so that what changes at every start is found in them.
LONGEST_TEXT_BYTES = 65_536


class Files:
    """The regular files below `folder`: what became of them since they were read last."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Path, str] = {}

    def changes(self) -> str:
        """Return a line for each file that is new, changed or gone: its suffix and its content.

        Names are left out, and the lines sorted: an app may draw a name, or name a folder after
        itself.
        """
        before, self._known = self._known, dict(self._read())
        lines = []
        for path in {**before, **self._known}:
            old, new = before.get(path), self._known.get(path)
            if old != new:
                what = "new" if old is None else "gone" if new is None else "changed"
                lines.append(f"{what} {path.suffix or 'file'}: {old if new is None else new}")
        return "\n".join(sorted(lines))

    def _read(self) -> Iterator[tuple[Path, str]]:
        for root, _, names in os.walk(self._folder):
            for path in (Path(root, name) for name in names if not name.endswith(SQLITE_ENDS)):
                try:
                    if shown := _content(path):
                        yield path, shown
                except OSError:  # removed meanwhile, or not ours to read
                    continue


def _content(path: Path) -> str:
    """Return the content of a file as one line; empty for a database, a link or a pipe."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        return ""
    with path.open("rb") as file:
        begin = file.read(LONGEST_TEXT_BYTES)
        if begin.startswith(SQLITE_BEGINS):
            return ""
        if found.st_size <= LONGEST_TEXT_BYTES:
            try:
                return repr(begin.decode())
            except UnicodeDecodeError:
                pass
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return f"<{found.st_size} bytes, SHA-256 {digest}>"
