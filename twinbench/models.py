"""Base of the models in a run folder: immutable, with bounded numbers."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# Beyond any measured value, in any unit; sums and squares of such figures are finite.
MAX_FIGURE = 1e15
Figure = Annotated[float, Field(allow_inf_nan=False, ge=-MAX_FIGURE, le=MAX_FIGURE)]
Amount = Annotated[float, Field(allow_inf_nan=False, ge=0, le=MAX_FIGURE)]
Number = Annotated[int, Field(ge=0, le=int(MAX_FIGURE))]


class FrozenModel(BaseModel):
    """Immutable model without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)
