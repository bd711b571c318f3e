"""What a service answers, as OpenAPI describes it."""

from typing import Any, Dict, List, Optional

from typing_extensions import NotRequired, TypedDict


class CharacterAnswer(TypedDict):
    """A character of a text, how sure it is, from 0 to 1, and where it is, in pixels from the left."""

    text: str
    confidence: float
    x: float


class AlternativeAnswer(TypedDict):
    """A text that the image may show, and how probable it is."""

    text: str
    confidence: float


class LatticeAnswer(TypedDict):
    """The probabilities of classes at each time step: those of `classes`, the blank being the empty text.

    `path` is the row of the likeliest class at each step; `width` is that of the image's line in pixels.
    """

    classes: List[str]
    probabilities: List[List[float]]
    path: List[int]
    width: int


class ReadingAnswer(TypedDict):
    """What an image says, or what is wrong with it."""

    name: NotRequired[str]
    text: NotRequired[str]
    confidence: NotRequired[float]
    characters: NotRequired[List[CharacterAnswer]]
    alternatives: NotRequired[List[AlternativeAnswer]]
    lattice: NotRequired[LatticeAnswer]
    error: NotRequired[str]


class ReadAnswer(TypedDict):
    """What the images of a request say, in their order."""

    model: str
    readings: List[ReadingAnswer]


class ModelAnswer(TypedDict):
    """A model."""

    name: str
    alphabet: str
    direction: str
    width: Optional[int]
    height: int
    channels: int
    precision: str
    bytes: int
    sha256: str
    license: str
    figures: Dict[str, Any]


class ModelsAnswer(TypedDict):
    """The models of a service; the first reads what names no other."""

    models: List[ModelAnswer]


class StateAnswer(TypedDict):
    """Whether all is well."""

    status: str


class ErrorAnswer(TypedDict):
    """What was wrong with a request, in a line."""

    error: str
