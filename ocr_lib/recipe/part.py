"""What all parts of a recipe share: strict structs, and the bounds of their numbers.

The structs are msgspec's, which checks types, bounds and unknown keys and names the key at fault.
"""

import msgspec
from msgspec import Meta
from typing_extensions import Annotated

Count = Annotated[int, Meta(ge=1)]
Natural = Annotated[int, Meta(ge=0)]
Seed = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Byte = Annotated[int, Meta(ge=0, le=255)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[float, Meta(gt=0)]
NonNegative = Annotated[float, Meta(ge=0)]


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all parts of a recipe."""
