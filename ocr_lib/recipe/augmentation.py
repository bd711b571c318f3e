"""The part of a recipe that says how training images from disk are changed."""

from msgspec import Meta
from typing_extensions import Annotated

from ocr_lib.recipe.part import Fraction, Natural, NonNegative, Part


class AugmentationRecipe(Part, frozen=True):
    """How training images from disk are changed, each by random amounts up to these; 0 leaves them.

    Attributes
    ----------
    scale : float
        Share by which an image is stretched or squeezed along the line.
    shear : float
        Tangent of the slant's angle, either way.
    shift : float
        Pixels up or down.
    elastic : float
        Pixels by which parts of the image are displaced, smoothly (Simard et al. 2003).
    curves : int
        Most curves that are drawn across the image in the colour of its ink, as captchas have them.
    blur : float
        Standard deviation in pixels of a Gaussian.
    erosion, dilation : float
        Shares of the images whose strokes are made thinner, or thicker.
    contrast : float
        Share of the contrast that is lost.
    noise : float
        Standard deviation in grey values of noise.
    """

    scale: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    shear: NonNegative = 0.0
    shift: NonNegative = 0.0
    elastic: NonNegative = 0.0
    curves: Natural = 0
    blur: NonNegative = 0.0
    erosion: Fraction = 0.0
    dilation: Fraction = 0.0
    contrast: Fraction = 0.0
    noise: NonNegative = 0.0

    def __post_init__(self) -> None:
        if self.erosion + self.dilation > 1:
            raise ValueError(f"erosion and dilation together are {self.erosion + self.dilation:g}, more than all")
