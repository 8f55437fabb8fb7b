"""Every trap starts with the same data, and clears up before the next."""

import gc
from collections.abc import Iterator

import pytest

from tests.pitfalls.blog import start_afresh


@pytest.fixture(autouse=True)
def fresh_blog(request: pytest.FixtureRequest) -> Iterator[None]:
    start_afresh()
    yield
    # What a trap leaves behind is reported here, while its warnings are expected.
    if request.node.get_closest_marker("filterwarnings"):
        gc.collect()
