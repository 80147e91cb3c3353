"""Messages of the page: the form and the limits of each field."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from . import digits
from .networks import Settings
from .served_set import MOST_ENTRIES, MOST_PATTERNS

MOST_ADDED, MOST_STEPS, MOST_SEED = 40, 100, 2**31 - 1
LARGEST = 1e6
"""Largest size of a number in a cue, and largest β."""

Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
Letters = Annotated[str, Field(pattern=r"^[A-Qb-z]+$", max_length=MOST_ENTRIES)]
"""Grey levels of a picture, see `digits.encode`."""


class Message(BaseModel):
    """A message in which every field has a name and a type of the ones given here."""

    model_config = ConfigDict(extra="forbid", strict=True)


class SeparationChoice(Message):
    """A separation by its name, and its numbers."""

    name: Literal["softmax", "sparsemax", "entmax", "topk", "polynomial", "rectified"]
    beta: Annotated[float, Field(ge=0, le=LARGEST)] | Literal["auto"] | None = None
    degree: Annotated[int, Field(ge=2, le=20)] | None = None
    k: Annotated[int, Field(ge=1, le=MOST_PATTERNS)] | None = None


class Network(Message):
    """A network by its kind, and the settings of that kind."""

    kind: Literal["classical", "dense", "modern"]
    rule: Literal["hebbian", "covariance", "pseudo_inverse", "storkey", "perceptron"] | None = None
    schedule: Literal["asynchronous", "synchronous"] | None = None
    temperature: Annotated[float, Field(ge=0, le=100)] | None = None
    similarity: Literal["euclidean", "dot"] | None = None
    separation: SeparationChoice | None = None

    def settings(self) -> Settings:
        """Return the settings that were given."""
        return self.model_dump(exclude_none=True)


class MemoryQuestion(Message):
    """A network, and its patterns: the first `count` of the set, then further pictures."""

    network: Network
    count: Annotated[int, Field(ge=0, le=MOST_PATTERNS)]
    pictures: Annotated[list[Letters], Field(max_length=MOST_ADDED)] = []

    def levels(self) -> list[list[int]]:
        """Return the added pictures as levels 0 … 16."""
        return [digits.decode(letters) for letters in self.pictures]


class CueQuestion(MemoryQuestion):
    """A cue for such a memory. `source` is the pattern that it was made of, or −1."""

    cue: Annotated[list[Number], Field(min_length=1, max_length=MOST_ENTRIES)]
    known: Annotated[list[Literal[0, 1]], Field(max_length=MOST_ENTRIES)] | None = None
    clamp: bool = True
    evidence: Literal["known", "all"] = "known"
    steps: Annotated[int, Field(ge=1, le=MOST_STEPS)] = MOST_STEPS
    seed: Annotated[int, Field(ge=0, le=MOST_SEED)] = 0
    source: Annotated[int, Field(ge=-1, le=MOST_PATTERNS + MOST_ADDED)] = -1
