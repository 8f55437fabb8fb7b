"""Gives the apps a database and a folder of the tests' own, before either is imported."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

FOLDER = tempfile.TemporaryDirectory(prefix="twinbench-apps-")
DATABASE = Path(FOLDER.name) / "database" / "blog.db"
MEDIA = Path(FOLDER.name) / "media"
DATABASE.parent.mkdir()

# Read once, when the settings are imported; not left behind for servers that other tests start.
OWN = {"BLOG_DATABASE": str(DATABASE), "BLOG_MEDIA": str(MEDIA)}
os.environ.update(OWN)
import apps.shared.settings  # noqa: E402, F401

for variable in OWN:
    del os.environ[variable]


@pytest.fixture(params=["sync", "async"])
def name(request: pytest.FixtureRequest) -> str:
    """Of one app after the other."""
    return str(request.param)


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Database and media as the first start of an app makes them, which takes a tenth of a second;
    it is the same for both (test_same_work.py)."""
    from tests.apps.serving import serving

    with serving("sync"):
        pass
    return shutil.copytree(FOLDER.name, tmp_path_factory.mktemp("seeded"), dirs_exist_ok=True)


@pytest.fixture
def client(name: str, seeded: Path) -> Iterator[TestClient]:
    """Of the app `name`, on fresh data. What it raises is answered with a 500, as in a server."""
    from tests.apps.serving import serving

    for used in (DATABASE.parent, MEDIA):
        shutil.rmtree(used, ignore_errors=True)
    shutil.copytree(seeded, FOLDER.name, dirs_exist_ok=True)
    with serving(name, fresh=False) as found:
        yield found
