"""Plans as files, and what is said of those that are refused."""

from pathlib import Path

import pytest

from twinbench.plan import PlanError, read_plan
from twinbench.text import MAX_CHARACTERS


def write_plan(folder: Path, text: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(text)
    return path


def refusal(folder: Path, text: str) -> str:
    """Return the message for a plan that is refused, without the path of the plan."""
    path = write_plan(folder, text)
    with pytest.raises(PlanError) as refused:
        read_plan(path)
    message = str(refused.value)
    assert message.isprintable()
    assert len(message) <= MAX_CHARACTERS
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")
