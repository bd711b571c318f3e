"""The part of a recipe that says how a network is trained."""

from typing import Literal, Optional

from msgspec import Meta
from typing_extensions import Annotated

from ocr_lib.recipe.part import Count, Fraction, Natural, NonNegative, Part, Positive


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
    batch_size, parts : int
        Samples of a batch, and into how many parts it is cut. Each is computed on its own, by one core, and batch
        normalisation knows of no other (ghost batches: Hoffer et al. 2017); the parts' gradients are summed in their
        order. So the result does not depend on how many cores there are, of which as many are used as there are parts.
    batch_width : int, optional
        Where the width of images is not fixed, a batch has about the area of `batch_size` images of this width, in
        pixels, however many it has, but no more than a hundredth of the training set; of the set's mean width if left
        out, or if that hundredth has less.
    sorted_epochs : int
        In so many epochs at the beginning, samples from disk come from the narrowest to the widest, not at random.
    patience : int
        Training stops after this many validations without a better one; 0 never does.
    checkpoint_epochs : int
        A checkpoint is written after so many epochs; besides, of the best and when training ends or is stopped.
    keep : int
        So many checkpoints of whole epochs are kept, the last ones, and the best; 0 keeps all.
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
    parts: Count = 1
    batch_width: Optional[Count] = None
    epochs: Count = 100
    epoch_size: Count = 30000
    validation_size: Count = 3000
    sorted_epochs: Natural = 0
    patience: Natural = 0
    checkpoint_epochs: Count = 1
    keep: Natural = 5
