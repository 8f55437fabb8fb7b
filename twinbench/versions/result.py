"""Which versions of an app a run compares, as run folders hold it and reports show it."""

from twinbench.models import FrozenModel

# The targets of a comparison. The base is measured twice: what it shows against itself is noise.
BASE, HEAD, BASE_AGAIN = "base", "head", "base_again"


class Version(FrozenModel):
    """Version of an app.

    `ref`: as it was asked for, such as "main"; "working tree" with `changed` files that are not
    committed. `commit`: the full name of the commit, of a working tree the one it is based on, and
    `subject` its first line. `environment`: what its environment was installed from, such as
    "uv.lock"; empty if it is not its own.
    """

    ref: str
    commit: str
    subject: str = ""
    changed: int = 0
    environment: str = ""


class ComparedVersions(FrozenModel):
    """Versions that a run compares.

    `fail_on`: the margin beyond which a slower row fails the comparison, 0.05 for 5 %; None: none.
    """

    base: Version
    head: Version
    fail_on: float | None = None
