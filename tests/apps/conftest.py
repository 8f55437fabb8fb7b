"""Gives the apps a database and a folder of the tests' own, before either is imported."""

import os
import tempfile
from pathlib import Path

FOLDER = tempfile.TemporaryDirectory(prefix="twinbench-apps-")
DATABASE = Path(FOLDER.name) / "database" / "blog.db"
MEDIA = Path(FOLDER.name) / "media"
DATABASE.parent.mkdir()

# Read once, when the settings are imported; not left behind for servers that other tests start.
OWN = {"BLOG_DATABASE": str(DATABASE), "BLOG_MEDIA": str(MEDIA)}
os.environ.update(OWN)
import apps.shared.settings  # noqa: E402, F401

for name in OWN:
    del os.environ[name]
