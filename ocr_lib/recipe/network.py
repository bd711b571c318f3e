"""The part of a recipe that describes the network."""

from typing import List, Literal, Tuple

import msgspec
from msgspec import Meta
from typing_extensions import Annotated

from ocr_lib.geometry import Shrinkage
from ocr_lib.recipe.part import Count, Part


class Convolution(Part, frozen=True):
    """A convolution, batch normalisation, ReLU and max pooling.

    Attributes
    ----------
    filters : int
    pool : (int, int)
        Size and stride of the pooling over time steps and over height.
    kernel : (int, int)
        Size over time steps and over height.
    padding : bool
        Put zeros around the image, such that the convolution keeps its size.
    batch_norm : bool
        Otherwise the convolution has a bias.
    """

    filters: Count
    pool: Tuple[Count, Count] = (2, 2)
    kernel: Tuple[Count, Count] = (3, 3)
    padding: bool = True
    batch_norm: bool = True

    def __post_init__(self) -> None:
        if self.padding and not (self.kernel[0] % 2 and self.kernel[1] % 2):
            raise ValueError(f"a kernel of {self.kernel[0]}x{self.kernel[1]} can't keep the size: set padding to false")

    def shrinkage(self, axis: int) -> Shrinkage:
        """Return what it does to time steps, axis 0, or to rows, axis 1."""
        return Shrinkage(0 if self.padding else self.kernel[axis] - 1, self.pool[axis])


class NetworkRecipe(Part, frozen=True):
    """The network: convolutions, then LSTM layers, then the classifier.

    Attributes
    ----------
    convolutions : tuple of Convolution
        May be empty: the LSTM then reads the image's columns as they are.
    layers, hidden : int
        LSTM layers, and units in each direction of each.
    merge : {"concat", "sum"}
        What is done with the outputs of the two directions of a layer.
    cell : {"fused", "unrolled"}
        The fused operator trains and runs fast; the unrolled graph has one node per gate and time step. Their
        parameters are the same.
    dropout : float
        Share of what LSTM layers and the classifier read that is left out in training (Srivastava et al. 2014).
    output_norm : bool
        Batch normalisation before the classifier.
    forget_bias : float
        What biases of forget gates begin with (Jozefowicz et al. 2015): a cell that forgets slowly finds strokes that
        are many columns apart.
    """

    convolutions: Tuple[Convolution, ...] = ()
    layers: Count = 2
    hidden: Count = 100
    bidirectional: bool = False
    merge: Literal["concat", "sum"] = "concat"
    cell: Literal["fused", "unrolled"] = "fused"
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    output_norm: bool = False
    forget_bias: float = 0.0

    @property
    def width(self) -> int:
        """Outputs of each LSTM layer."""
        return self.hidden * (2 if self.bidirectional and self.merge == "concat" else 1)

    def folded(self, convolutions: bool = True, classifier: bool = True) -> "NetworkRecipe":
        """Return the network without batch normalisation of its convolutions, of its classifier, or of both."""
        kept = tuple(
            msgspec.structs.replace(c, batch_norm=c.batch_norm and not convolutions) for c in self.convolutions
        )
        return msgspec.structs.replace(self, convolutions=kept, output_norm=self.output_norm and not classifier)

    def shrinkage(self, axis: int) -> Tuple[Shrinkage, ...]:
        """Return what the convolutions do to image columns, axis 0, or to rows, axis 1."""
        return tuple(convolution.shrinkage(axis) for convolution in self.convolutions)


def direction_names(recipe: NetworkRecipe) -> List[List[str]]:
    """Return what the names of LSTM parameters begin with, by layer and direction, the forward one first."""
    return [[f"l{layer}_", f"l{layer}_r_"][: 1 + recipe.bidirectional] for layer in range(recipe.layers)]
