"""The part of a recipe that says how rendered words and lines look: in which style, and how much of each effect."""

from typing import Literal, Optional, Tuple

from ocr_lib.recipe.part import Count, Fraction, NonNegative, Part


class LettersRecipe(Part, frozen=True):
    """How letters stand, and where in the image.

    Attributes
    ----------
    letter_spacing : float
        Share of the font's size by which letters stand further apart, at most; scripts that join letters keep theirs.
    touching : float
        Share of the images whose letters are pressed together, by up to a twentieth of the font's size.
    word_spacing : float
        Share by which spaces are wider at most; half of it, by which they are narrower.
    stretch : float
        Share by which the text is stretched or squeezed along the line.
    slant : float
        Tangent of the slant's angle, either way.
    rotation : float
        Degrees by which the line is turned, either way.
    curve : float
        Share of the letters' height by which the middle of the line is bent up or down.
    perspective : float
        Share of the letters' height by which each corner is displaced, either way along both axes.
    margin : (float, float)
        Least and most of what is left on each side, as a share of the letters' height; less than 0 cuts them off.
    neighbours : float
        Share of the images that a line above or below reaches into.
    """

    letter_spacing: NonNegative = 0.0
    touching: Fraction = 0.0
    word_spacing: Fraction = 0.0
    stretch: Fraction = 0.0
    slant: NonNegative = 0.0
    rotation: NonNegative = 0.0
    curve: NonNegative = 0.0
    perspective: Fraction = 0.0
    margin: Tuple[float, float] = (0.05, 0.05)
    neighbours: Fraction = 0.0

    def __post_init__(self) -> None:
        least, most = self.margin
        if not -0.5 < least <= most:
            raise ValueError(f"margin is from {least:g} to {most:g}: give the smaller first, and more than -0.5")


class InkRecipe(Part, frozen=True):
    """What the letters are made of.

    Attributes
    ----------
    colours : {"dark", "any"}
        Dark ink on light ground, or any two that differ enough.
    contrast : float
        Least difference of ink and ground, in grey values.
    spread, thinning : float
        Pixels, of 32 rows, by which strokes are thicker or thinner at most.
    broken : float
        Share of the images whose strokes have gaps.
    outline, shadow : float
        Shares of the images whose letters have an outline, or throw a shadow.
    """

    colours: Literal["dark", "any"] = "dark"
    contrast: NonNegative = 120.0
    spread: NonNegative = 0.0
    thinning: NonNegative = 0.0
    broken: Fraction = 0.0
    outline: Fraction = 0.0
    shadow: Fraction = 0.0


class GroundRecipe(Part, frozen=True):
    """What the letters stand on.

    Attributes
    ----------
    gradient : float
        Grey values by which the light changes from one side to the other, at most.
    texture : float
        Grey values by which spots differ from the ground, at most.
    bleed_through : float
        Most opacity of what shows through from the back of the paper.
    pictures : str, optional
        A folder of pictures to stand on; what is light or dark in them is toned down until letters can be read.
    """

    gradient: NonNegative = 0.0
    texture: NonNegative = 0.0
    bleed_through: Fraction = 0.0
    pictures: Optional[str] = None


class CameraRecipe(Part, frozen=True):
    """What a camera or a scanner makes of it.

    Attributes
    ----------
    blur, motion_blur : float
        Pixels, of 32 rows: most standard deviation of a Gaussian, and most length of a motion.
    low_resolution : float
        Most times that the image is made smaller, and then larger again; up to 1 leaves it.
    noise : float
        Most standard deviation of noise, in grey values.
    speckle : float
        Most specks of dirt, for each thousand pixels.
    threshold : float
        Share of the images that are black and white alone.
    jpeg : float
        Share of the images that were kept as JPEG, of a quality from 20 to 90.
    """

    blur: NonNegative = 0.0
    motion_blur: NonNegative = 0.0
    low_resolution: NonNegative = 1.0
    noise: NonNegative = 0.0
    speckle: NonNegative = 0.0
    threshold: Fraction = 0.0
    jpeg: Fraction = 0.0


class RenderingRecipe(Part, frozen=True):
    """How words and lines look that are rendered. Each image gets a random share of what is allowed.

    Attributes
    ----------
    height : int
        Of the images, in pixels. They are as wide as their texts ask for.
    letters : LettersRecipe
    ink : InkRecipe
    ground : GroundRecipe
    camera : CameraRecipe
    """

    height: Count = 32
    letters: LettersRecipe = LettersRecipe()
    ink: InkRecipe = InkRecipe()
    ground: GroundRecipe = GroundRecipe()
    camera: CameraRecipe = CameraRecipe()

    def __post_init__(self) -> None:
        if self.height < 8:
            raise ValueError(f"height {self.height}: letters of fewer than 8 rows can't be read")


STYLES = {
    "plain": RenderingRecipe(),
    "scan": RenderingRecipe(
        letters=LettersRecipe(
            letter_spacing=0.03,
            touching=0.2,
            word_spacing=0.4,
            stretch=0.15,
            slant=0.1,
            rotation=0.4,
            curve=0.05,
            margin=(-0.02, 0.12),
            neighbours=0.2,
        ),
        ink=InkRecipe(contrast=90.0, spread=0.8, thinning=0.7, broken=0.2),
        ground=GroundRecipe(gradient=30.0, texture=15.0, bleed_through=0.2),
        camera=CameraRecipe(blur=0.9, low_resolution=1.5, noise=10.0, speckle=1.0, threshold=0.5, jpeg=0.3),
    ),
    "photo": RenderingRecipe(
        letters=LettersRecipe(
            letter_spacing=0.15,
            touching=0.1,
            word_spacing=0.3,
            stretch=0.2,
            slant=0.2,
            rotation=4.0,
            curve=0.15,
            perspective=0.12,
            margin=(-0.03, 0.25),
            neighbours=0.15,
        ),
        ink=InkRecipe(colours="any", contrast=45.0, spread=1.0, thinning=0.5, outline=0.15, shadow=0.2),
        ground=GroundRecipe(gradient=50.0, texture=40.0),
        camera=CameraRecipe(blur=1.2, motion_blur=3.0, low_resolution=2.0, noise=10.0, jpeg=0.5),
    ),
}
"""What ``rendering=NAME`` stands for in the settings of a recipe."""
