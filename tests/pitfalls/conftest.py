"""Every trap starts with the same data, and clears up before the next."""

import gc
from collections.abc import Iterator

import pytest

from tests.pitfalls.blog import start_afresh


@pytest.fixture(autouse=True)
def fresh_blog(request: pytest.FixtureRequest) -> Iterator[None]:
    start_afresh()
    if not request.node.get_closest_marker("filterwarnings"):
        yield
        return
    gc.freeze()  # so that only what came since is looked through: half a second less
    yield
    # What a trap leaves behind is reported here, while its warnings are expected.
    gc.collect()
    gc.unfreeze()
