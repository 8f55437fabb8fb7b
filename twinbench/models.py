"""Base of the models in a run folder: immutable, with bounded numbers; errors of models."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import ErrorDetails

# Beyond any measured value, in any unit; sums and squares of such figures are finite.
MAX_FIGURE = 1e15
Figure = Annotated[float, Field(allow_inf_nan=False, ge=-MAX_FIGURE, le=MAX_FIGURE)]
Amount = Annotated[float, Field(allow_inf_nan=False, ge=0, le=MAX_FIGURE)]
Number = Annotated[int, Field(ge=0, le=int(MAX_FIGURE))]


class FrozenModel(BaseModel):
    """Immutable model without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def error_text(error: ErrorDetails) -> str:
    """Return what is wrong, without the words that pydantic puts before messages of validators."""
    return error["msg"].removeprefix("Value error, ")
