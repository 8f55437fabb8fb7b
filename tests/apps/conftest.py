"""Gives the apps a database of the tests' own, before either is imported."""

import os
import tempfile
from pathlib import Path

FOLDER = tempfile.TemporaryDirectory(prefix="twinbench-apps-")
DATABASE = Path(FOLDER.name) / "blog.db"

# Read once, when the settings are imported; not left behind for servers that other tests start.
os.environ["BLOG_DATABASE"] = str(DATABASE)
import apps.shared.settings  # noqa: E402, F401

del os.environ["BLOG_DATABASE"]
