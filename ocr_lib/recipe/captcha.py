"""The part of a recipe that says how captchas are drawn."""

from typing import Literal, Optional, Sequence, Tuple, get_args

from msgspec import Meta
from typing_extensions import Annotated

from ocr_lib.recipe.part import Byte, Count, Fraction, Natural, NonNegative, Part

Renderer = Literal["fast", "captcha"]
RENDERERS = get_args(Renderer)


class CaptchaRecipe(Part, frozen=True):
    """How a captcha is drawn: the parameters of ``captcha.image.ImageCaptcha``, under its names.

    Attributes
    ----------
    renderer : {"fast", "captcha"}
        What draws: ours, compiled, or the package itself, some 30 times slower. The images are the same but for
        rounding.
    width, height : int
        Size in pixels of the drawn image, before it is brought to the network's.
    font_sizes : tuple of int
        In pixels; each character takes one at random.
    lookup_table : tuple of 256 int, optional
        How strongly, up to 255, ink of each luminance covers the paper; 1.97 times the luminance when left out.
    bg_color : (int, int, int), optional
        Red, green and blue of the paper; when left out each is drawn from 238 to 255.
    fg_color : (int, int, int, int), optional
        Red, green, blue and opacity of the ink; when left out drawn from 10 to 200, and 220 to 255.
    """

    renderer: Renderer = "fast"
    width: Annotated[int, Meta(ge=10)] = 160
    height: Annotated[int, Meta(ge=10)] = 60
    font_sizes: Tuple[Count, ...] = (42, 50, 56)
    character_offset_dx: Tuple[Natural, Natural] = (0, 4)
    character_offset_dy: Tuple[Natural, Natural] = (0, 6)
    character_rotate: Tuple[float, float] = (-30.0, 30.0)
    character_warp_dx: Tuple[float, float] = (0.1, 0.3)
    character_warp_dy: Tuple[float, float] = (0.2, 0.3)
    word_space_probability: Fraction = 0.5
    word_offset_dx: NonNegative = 0.25
    lookup_table: Optional[Annotated[Tuple[int, ...], Meta(min_length=256, max_length=256)]] = None
    bg_color: Optional[Tuple[Byte, Byte, Byte]] = None
    fg_color: Optional[Tuple[Byte, Byte, Byte, Byte]] = None

    def __post_init__(self) -> None:
        if not self.font_sizes:
            raise ValueError("font_sizes is empty")
        if self.lookup_table and self.lookup_table[0]:
            raise ValueError("lookup_table begins with other than 0, so it would show where there is no ink")
        for name in ("character_offset_dx", "character_offset_dy"):
            least, most = getattr(self, name)
            if least > most:
                raise ValueError(f"{name} is from {least} to {most}")

    @property
    def masks(self) -> Sequence[int]:
        """How strongly ink of each luminance covers the paper."""
        return self.lookup_table or [int(1.97 * luminance) for luminance in range(256)]
