"""A recipe: all that describes a training run, as frozen structs with strict JSON in and out.

The structs are msgspec's, which checks types, bounds and unknown keys and names the key at fault. Defaults are those of
the default preset's family; a preset is a small JSON file in ``ocr_lib/presets`` that states what differs.
"""

from typing import Literal, Optional, Sequence, Tuple, get_args

import msgspec
from msgspec import Meta
from typing_extensions import Annotated

from ocr_lib.alphabet import DIGITS, Alphabet
from ocr_lib.errors import OCRError
from ocr_lib.geometry import Shrinkage, shrunk

Count = Annotated[int, Meta(ge=1)]
Natural = Annotated[int, Meta(ge=0)]
Seed = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Byte = Annotated[int, Meta(ge=0, le=255)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[float, Meta(gt=0)]
NonNegative = Annotated[float, Meta(ge=0)]
Renderer = Literal["fast", "captcha"]
RENDERERS = get_args(Renderer)


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all parts of a recipe."""


class ImageRecipe(Part, frozen=True):
    """What the network sees of an image.

    Attributes
    ----------
    width, height : int
        Size in pixels to which every image is brought. Columns are the time steps. Without a width (null), each image
        keeps its aspect ratio, and batches are padded.
    mean, scale : float
        Grey values enter the network as ``(grey - mean) / scale``, 0 being black and 255 white.
    """

    width: Optional[Count] = 80
    height: Count = 30
    mean: float = 0.0
    scale: float = 255.0

    def __post_init__(self) -> None:
        if self.scale == 0:
            raise ValueError("scale is 0")

    @property
    def size(self) -> Tuple[Optional[int], int]:
        """Width, if it is fixed, and height."""
        return self.width, self.height


class TextRecipe(Part, frozen=True):
    """Which texts are drawn: uniformly many characters, each uniform over the alphabet."""

    alphabet: str = DIGITS
    min_length: Count = 3
    max_length: Count = 4

    def __post_init__(self) -> None:
        try:
            Alphabet(self.alphabet)
        except OCRError as error:
            raise ValueError(str(error)) from error
        if self.min_length > self.max_length:
            raise ValueError(f"min_length {self.min_length} is more than max_length {self.max_length}")


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
    blur: NonNegative = 0.0
    erosion: Fraction = 0.0
    dilation: Fraction = 0.0
    contrast: Fraction = 0.0
    noise: NonNegative = 0.0

    def __post_init__(self) -> None:
        if self.erosion + self.dilation > 1:
            raise ValueError(f"erosion and dilation together are {self.erosion + self.dilation:g}, more than all")


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
    """

    convolutions: Tuple[Convolution, ...] = ()
    layers: Count = 2
    hidden: Count = 100
    bidirectional: bool = False
    merge: Literal["concat", "sum"] = "concat"
    cell: Literal["fused", "unrolled"] = "fused"
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    output_norm: bool = False

    @property
    def width(self) -> int:
        """Outputs of each LSTM layer."""
        return self.hidden * (2 if self.bidirectional and self.merge == "concat" else 1)

    def shrinkage(self, axis: int) -> Tuple[Shrinkage, ...]:
        """Return what the convolutions do to image columns, axis 0, or to rows, axis 1."""
        return tuple(convolution.shrinkage(axis) for convolution in self.convolutions)


class TrainingRecipe(Part, frozen=True):
    """Loss, optimizer, schedule and the sizes of things.

    Attributes
    ----------
    epoch_size, validation_size : int
        Samples in a training epoch, and in the fixed validation set.
    schedule : {"constant", "step", "cosine"}
        Of the learning rate, after `warmup` epochs of linear growth: constant; times `step_factor` every `step_epochs`
        epochs; or half a cosine down to 0 over all epochs (Loshchilov and Hutter 2017).
    clip_norm : float
        Gradients are scaled down to this global norm (Pascanu et al. 2013); 0 leaves them.
    sorted_epochs : int
        In so many epochs at the beginning, samples from disk come from the narrowest to the widest, not at random.
    patience : int
        Training stops after this many validations without a better one; 0 never does.
    """

    loss: Literal["ctc", "warpctc"] = "ctc"
    optimizer: Literal["sgd", "adam"] = "adam"
    learning_rate: Positive = 0.004
    momentum: Fraction = 0.9
    weight_decay: NonNegative = 0.0
    schedule: Literal["constant", "step", "cosine"] = "constant"
    warmup: NonNegative = 0.0
    step_epochs: Count = 10
    step_factor: Annotated[float, Meta(gt=0, le=1)] = 0.5
    clip_norm: NonNegative = 0.0
    batch_size: Count = 128
    epochs: Count = 100
    epoch_size: Count = 30000
    validation_size: Count = 3000
    sorted_epochs: Natural = 0
    patience: Natural = 0


class Recipe(Part, frozen=True):
    """A whole run. With the fonts it determines every sample, and with one thread every parameter."""

    name: str = "captcha"
    seed: Seed = 0
    image: ImageRecipe = ImageRecipe()
    text: TextRecipe = TextRecipe()
    captcha: CaptchaRecipe = CaptchaRecipe()
    augmentation: AugmentationRecipe = AugmentationRecipe()
    network: NetworkRecipe = NetworkRecipe()
    training: TrainingRecipe = TrainingRecipe()

    def __post_init__(self) -> None:
        if self.feature_rows < 1:
            raise ValueError(f"network.convolutions leave nothing of image.height {self.image.height}")
        if self.image.width is None:
            if self.network.cell == "unrolled":
                raise ValueError("network.cell unrolled has a node for each time step, so it needs an image.width")
        elif self.training.sorted_epochs:
            raise ValueError("training.sorted_epochs is about widths, which image.width makes all the same")
        elif self.time_steps < 1:
            raise ValueError(f"network.convolutions leave nothing of image.width {self.image.width}")
        elif self.text.max_length > self.time_steps:
            raise ValueError(
                f"{self.text.max_length} characters need as many time steps, and the network gives {self.time_steps}: "
                "raise image.width, or lower text.max_length or the pools of network.convolutions"
            )

    @property
    def time_steps(self) -> int:
        """T', the time steps of the network's output, where the width of images is fixed."""
        assert self.image.width is not None
        return shrunk(self.image.width, self.network.shrinkage(0))

    @property
    def feature_rows(self) -> int:
        """Rows that the convolutions leave of an image."""
        return shrunk(self.image.height, self.network.shrinkage(1))

    @property
    def features(self) -> int:
        """Features of each time step that the LSTM layers read."""
        convolutions = self.network.convolutions
        return (convolutions[-1].filters if convolutions else 1) * self.feature_rows

    @property
    def alphabet(self) -> Alphabet:
        """Characters the network tells apart."""
        return Alphabet(self.text.alphabet)
