"""A recipe: all that describes a training run.

Defaults are those of the default preset's family; a preset is a small JSON file in ``ocr_lib/presets`` that states what
differs.
"""

from typing import List, Optional

from ocr_lib.alphabet import Alphabet
from ocr_lib.geometry import shrunk
from ocr_lib.recipe.augmentation import AugmentationRecipe
from ocr_lib.recipe.captcha import CaptchaRecipe
from ocr_lib.recipe.image import ImageRecipe
from ocr_lib.recipe.network import NetworkRecipe
from ocr_lib.recipe.part import Part, Seed
from ocr_lib.recipe.quantization import QuantizationRecipe
from ocr_lib.recipe.rendering import RenderingRecipe
from ocr_lib.recipe.text import TextRecipe
from ocr_lib.recipe.training import TrainingRecipe


class Recipe(Part, frozen=True):
    """A whole run. With the fonts it determines every sample, and with one thread every parameter.

    What is drawn in fonts are captchas, or with `rendering` words and lines.
    """

    name: str = "captcha"
    seed: Seed = 0
    image: ImageRecipe = ImageRecipe()
    text: TextRecipe = TextRecipe()
    captcha: CaptchaRecipe = CaptchaRecipe()
    rendering: Optional[RenderingRecipe] = None
    augmentation: AugmentationRecipe = AugmentationRecipe()
    network: NetworkRecipe = NetworkRecipe()
    quantization: Optional[QuantizationRecipe] = None
    training: TrainingRecipe = TrainingRecipe()

    def __post_init__(self) -> None:
        self._check_quantization()
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

    def _check_quantization(self) -> None:
        """Refuse colour, bits of no layer, and batch normalisation of what is quantized, for which there is no room."""
        if self.quantization is None:
            return
        if self.image.channels != 1:
            raise ValueError(f"quantization takes grey images, and image.channels is {self.image.channels}")
        unknown = self.quantization.weight_bits.keys() - set(self.layer_names)
        if unknown:
            known = ", ".join(self.layer_names)
            raise ValueError(f"quantization.weight_bits: {min(unknown)} is none of the layers {known}")
        if self.network != self.quantization.folded(self.network):
            raise ValueError(
                "quantization takes convolutions without batch_norm, and a classifier without network.output_norm: "
                "train without quantization, then --pretrained folds them into the weights"
            )

    @property
    def layer_names(self) -> List[str]:
        """Names of the layers that have weights."""
        convolutions = [f"conv{i}" for i in range(len(self.network.convolutions))]
        return [*convolutions, *(f"l{layer}" for layer in range(self.network.layers)), "pred_fc"]

    @property
    def is_whole(self) -> bool:
        """Whether the network computes in whole numbers alone."""
        return self.quantization is not None and not self.quantization.has_floats(bool(self.network.convolutions))

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
        return (convolutions[-1].filters if convolutions else self.image.channels) * self.feature_rows

    @property
    def alphabet(self) -> Alphabet:
        """Characters the network tells apart."""
        return Alphabet(self.text.alphabet, self.text.writing)
