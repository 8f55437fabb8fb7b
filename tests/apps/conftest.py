"""Database and media folder of the tests, set before an app is imported."""

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

# Settings are read once, at import. Removed afterwards: other tests start servers.
ENVIRONMENT = {"BLOG_DATABASE": str(DATABASE), "BLOG_MEDIA": str(MEDIA)}
os.environ.update(ENVIRONMENT)
import apps.shared.settings  # noqa: E402, F401

for variable in ENVIRONMENT:
    del os.environ[variable]


@pytest.fixture(params=["sync", "async"])
def name(request: pytest.FixtureRequest) -> str:
    """Name of each app."""
    return str(request.param)


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the database and media of a first start, the same for both apps."""
    from tests.apps.serving import serving

    with serving("sync"):
        pass
    return shutil.copytree(FOLDER.name, tmp_path_factory.mktemp("seeded"), dirs_exist_ok=True)


@pytest.fixture
def client(name: str, seeded: Path) -> Iterator[TestClient]:
    """Client of the app `name` on fresh data; exceptions become a 500, as in a server."""
    from tests.apps.serving import serving

    for used in (DATABASE.parent, MEDIA):
        shutil.rmtree(used, ignore_errors=True)
    shutil.copytree(seeded, FOLDER.name, dirs_exist_ok=True)
    with serving(name, fresh=False) as found:
        yield found
