"""Conditions whose figure has to lie beyond a threshold, or between two."""

import math
from typing import Annotated, Self

from pydantic import Field, model_validator

from twinbench.analyse.claims.condition import Condition
from twinbench.analyse.results import Estimate, Verdict

# In TOML a number is a number: neither "8" nor true.
Threshold = Annotated[float, Field(strict=True)]


class Bounded(Condition):
    """`about`: no less than the one and no more than the other, as good as no difference."""

    more_than: Threshold | None = None
    less_than: Threshold | None = None
    about: tuple[Threshold, Threshold] | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if [self.more_than, self.less_than, self.about].count(None) != 2:
            raise ValueError("give one of more_than, less_than, about")
        if self.about and self.about[0] >= self.about[1]:
            raise ValueError("about is empty: write the smaller number first")
        return self

    def side(self, low: float | None, high: float | None) -> Verdict:
        """For the claim, if the whole interval lies where it has to; against it, if the whole
        interval lies where it must not. Without an interval there is nothing to say."""
        if low is None or high is None:
            return "undecided"
        lowest, highest = self.about or (
            -math.inf if self.more_than is None else self.more_than,
            math.inf if self.less_than is None else self.less_than,
        )
        # Figures may be infinite, too: that is more than any threshold, and about none.
        if low > lowest and (high < highest or highest == math.inf):
            return "supported"
        return "refuted" if high <= lowest or low >= highest else "undecided"

    def side_of(self, found: Estimate) -> Verdict:
        return self.side(found.low, found.high)

    def bound(self, unit: str = "") -> str:
        if self.about:
            return f"{self.about[0]:g} to {self.about[1]:g}{unit}"
        if self.more_than is not None:
            return f"more than {self.more_than:g}{unit}"
        return f"less than {self.less_than:g}{unit}"
