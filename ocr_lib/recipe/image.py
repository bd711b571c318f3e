"""The part of a recipe that says what a network sees of an image."""

from typing import Literal, Optional, Tuple

from ocr_lib.recipe.part import Count, Part


class ImageRecipe(Part, frozen=True):
    """What the network sees of an image.

    Attributes
    ----------
    width, height : int
        Size in pixels to which every image is brought. Columns are the time steps. Without a width (null), each image
        keeps its aspect ratio, and batches are padded.
    mean, scale : float
        Grey values enter the network as ``(grey - mean) / scale``, 0 being black and 255 white.
    channels : {1, 3}
        Grey, or blue, green and red.
    frame : {"first", "last", "blend"}
        Of an animation what is read: a frame, or the mean of all.
    rotate : {0, 90, 180, 270}
        Degrees anticlockwise by which images are turned before all else. With 90 what is at the top comes to the left,
        so that text that runs down becomes a line.
    crop : (float, float)
        Shares of the height of an image, once turned, that are cut off at its top and at its bottom.
    ground : {"keep", "subtract"}
        Whether the network sees of each pixel its grey value, or how far its colour is from the ground around it, as
        `ocr_lib.images.ground` finds that. Then `channels` is 1, and `invert` means nothing.
    resize : {"area", "bilinear"}
        How images are resized: smaller ones by area and larger ones linearly, or all of them as OpenCV does when it is
        not told how, which is what MXNet's original example does.
    invert : {"auto", "never", "always"}
        Whether images are inverted: those whose ink is lighter than their paper, as `ocr_lib.images.polarity` finds it,
        in colour by luminance; or none; or all.
    """

    width: Optional[Count] = 80
    height: Count = 30
    mean: float = 0.0
    scale: float = 255.0
    channels: Literal[1, 3] = 1
    frame: Literal["first", "last", "blend"] = "last"
    rotate: Literal[0, 90, 180, 270] = 0
    crop: Tuple[float, float] = (0.0, 0.0)
    ground: Literal["keep", "subtract"] = "keep"
    resize: Literal["area", "bilinear"] = "area"
    invert: Literal["auto", "never", "always"] = "auto"

    def __post_init__(self) -> None:
        if self.scale == 0:
            raise ValueError("scale is 0")
        if min(self.crop) < 0 or sum(self.crop) >= 1:
            raise ValueError(f"crop {list(self.crop)} leaves nothing: shares of 0 or more, and less than 1 together")
        if self.ground == "subtract" and self.channels != 1:
            raise ValueError("ground subtract takes channels 1: it is the distance of colours that is seen")

    @property
    def size(self) -> Tuple[Optional[int], int]:
        """Width, if it is fixed, and height."""
        return self.width, self.height

    @property
    def column_size(self) -> int:
        """F, the values of an image's column, which is a time step of the network's input."""
        return self.channels * self.height
