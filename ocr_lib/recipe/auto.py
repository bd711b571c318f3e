"""A recipe found from the data: plain rules, which docs/training.md has in a table."""

import math
import string
from typing import Dict, List, NamedTuple, Optional, Tuple

import msgspec
import numpy as np

from ocr_lib.recipe.network import NetworkRecipe
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import load_preset, override
from ocr_lib.zoo.recipes import model_recipe

AUTO = "auto"

_CAPTCHAS, _WORDS, _LINES = "captcha-distorted", "words", "printed-lines"  # models to begin with

_UPRIGHT = 1.5  # how many times as high as wide
_ONE_SHAPE = 1.2  # how many times the widest of most aspect ratios may be the narrowest
_MOST = 0.05, 0.95
_PIXELS_A_CHARACTER = 2400
_HEIGHTS = 16, math.inf  # the least and the most, in pixels
_STEPS_A_CHARACTER = 5  # at least
_STEPS_OF_MODELS = {_CAPTCHAS: 5, _WORDS: 1, _LINES: 2}
_WIDEST_WORD = 6  # times as wide as high
_STRIDES = (2, 2, 1), (2, 1, 1), (1, 1, 1)  # of the convolutions along the line, those that cost least first
_FEW = 0.01  # labels that may lack room, images that may have text where others have none
_MOST_KEPT = 0.75  # of the height, or it is not worth cutting off the rest
_UNEVEN = 0.5  # as `ocr_lib.images.ground` measures it: ink on paper has 0.1
# Epochs for 1,000 samples: from nothing, with a model to which most characters are new, with one that knows them.
_EPOCHS = {"captcha": (160.0, 55.0, 55.0), "text-line": (38.0, 38.0, 20.0)}
_CARE = {"captcha": 0.5, "text-line": 0.25}  # times the learning rate: more undoes what a model knows
_LEAST_EPOCHS, _MOST_EPOCHS = 4, 400
_UPDATES = 50  # of an epoch, at least, unless batches become too small
_BATCH_SIZES = (32, 16, 8)
_MODERATE: Dict[str, object] = {
    "augmentation.scale": 0.1,
    "augmentation.shear": 0.1,
    "augmentation.shift": 2.0,
    "augmentation.elastic": 1.0,
    "augmentation.blur": 0.5,
    "augmentation.noise": 5.0,
}
_STRONG: Dict[str, object] = {
    "augmentation.scale": 0.2,
    "augmentation.shear": 0.3,
    "augmentation.curves": 1,
    "augmentation.blur": 0.7,
    "augmentation.erosion": 0.2,
    "augmentation.dilation": 0.2,
    "augmentation.noise": 8.0,
}
_STRONG_SHIFT, _STRONG_ELASTIC = 1 / 12, 1 / 16  # of the image's height

_MOST_KNOWN = 0.5  # of the characters
_MOST_SEEN = 2 / 3  # of a model's characters, in labels of lines
_HEIGHTS_OF_MODEL = 32, 50  # that of captchas knows letters of up to 20 pixels


class Facts(NamedTuple):
    """What is known of N samples to train on.

    Attributes
    ----------
    heights, widths : numpy.ndarray
        (N,) int, of the images, in pixels.
    lengths, words : numpy.ndarray
        (N,) int, characters of their texts, and how many words spaces part these into.
    grey, hidden : numpy.ndarray
        (N,) float, contrast in grey, and what of it only colour shows; see `ocr_lib.images.contrast`.
    unevenness, top, bottom : numpy.ndarray
        (N,) float, of their ground; see `ocr_lib.images.ground`.
    characters : str
        Of the texts, each once.
    """

    heights: np.ndarray
    widths: np.ndarray
    lengths: np.ndarray
    words: np.ndarray
    grey: np.ndarray
    hidden: np.ndarray
    unevenness: np.ndarray
    top: np.ndarray
    bottom: np.ndarray
    characters: str


class Found(NamedTuple):
    """A recipe, and why it is as it is.

    Attributes
    ----------
    recipe : Recipe
    model : str or None
        Name of the trained network to begin with, whose shape the recipe's has.
    kept : str
        Characters of that network which no label has, to be read nevertheless.
    of_images, of_training : list of str
        The reasons of what depends on images and network, and of the rest.
    """

    recipe: Recipe
    model: Optional[str]
    kept: str
    of_images: List[str]
    of_training: List[str]


def find_recipe(facts: Facts, may_begin: bool = True, trained: Optional[Recipe] = None) -> Found:
    """Find a recipe for samples. The same facts give the same recipe.

    It is the preset ``captcha`` for single words in images of one shape, and else ``text-line``, with what the data ask
    for.

    Parameters
    ----------
    facts : Facts
    may_begin : bool
        Whether the network may begin with a model by name.
    trained : Recipe, optional
        Of a network to begin with, which keeps its image and shape, so that only how to train it matters.
    """
    is_upright = bool(np.median(facts.heights / facts.widths) > _UPRIGHT and np.median(facts.lengths) > 1)
    if is_upright:
        facts = facts._replace(heights=facts.widths, widths=facts.heights)
    crop = (0.0, 0.0) if is_upright else _crop(facts)
    facts = facts._replace(heights=np.maximum(1, np.round(facts.heights * (1 - sum(crop))).astype(int)))
    narrow, wide = np.quantile(facts.widths / facts.heights, _MOST).tolist()
    are_captchas = wide <= _ONE_SHAPE * narrow and bool(np.median(facts.words) <= 1)
    preset = load_preset("captcha" if are_captchas else "text-line")
    is_uneven = are_captchas and bool(np.median(facts.unevenness) > _UNEVEN)
    is_colour = not is_uneven and bool(np.median(facts.hidden) > np.median(facts.grey) / 2)
    nearest = _nearest_model(facts, preset)
    fitting = nearest if may_begin and trained is None else None
    width, height = _size(facts, preset, fitting)
    widths = facts.widths * height // facts.heights if width is None else np.full(len(facts.widths), width)
    model, network = _network(preset, fitting, widths, facts.lengths)
    own = trained.text.alphabet if trained else None
    begun = _known_by(model) if model else own
    is_known = begun is not None and _knows(begun, facts.characters)
    settings: Dict[str, object] = {
        "name": AUTO,
        "image.rotate": 90 if is_upright else 0,
        "image.crop": crop,
        "image.ground": "subtract" if is_uneven else "keep",
        "image.channels": 3 if is_colour else 1,
        "image.width": width,
        "image.height": height,
        "network": msgspec.to_builtins(network),
        **_training(preset, len(facts.lengths), begun is not None, is_known),
        **(_changes(trained.image.height if trained else height, begun is not None) if are_captchas else {}),
    }
    recipe = override(preset, settings)
    kept = _unseen(model, facts.characters) if model and not are_captchas else ""
    of_images = _reasons_of_images(recipe, narrow, wide, widths, _most(facts.lengths))
    of_model = _reasons_of_model(model, is_known, kept)
    return Found(recipe, model, kept, [*of_images, *of_model], _reasons(recipe, len(facts.lengths)))


def _crop(facts: Facts) -> Tuple[float, float]:
    """Return the shares of the height at the top and at the bottom that show nothing in nearly all images."""
    top, bottom = (_common(shares) for shares in (facts.top, facts.bottom))
    return (0.0, 0.0) if 1 - top - bottom > _MOST_KEPT else (top, bottom)


def _common(shares: np.ndarray) -> float:
    """Return the least share but for a few, and less than that if shares differ: others may be smaller yet."""
    least, middle = np.quantile(shares, (_FEW, 0.5)).tolist()
    return max(0, math.floor(1000 * (least - (middle - least) / 2))) / 1000


def _changes(height: int, is_begun: bool) -> Dict[str, object]:
    """Return what keeps a network from knowing few captchas by heart."""
    if is_begun:
        sizes = {"augmentation.shift": height * _STRONG_SHIFT, "augmentation.elastic": height * _STRONG_ELASTIC}
        return {**_STRONG, **sizes, "training.warmup": 1.0}
    return {**_MODERATE, "network.dropout": 0.3, "training.warmup": 1.0}


def _nearest_model(facts: Facts, preset: Recipe) -> str:
    """Return the model whose images are most like the samples."""
    if preset.image.width is not None:
        return _CAPTCHAS
    is_narrow = np.median(facts.widths / facts.heights) <= _WIDEST_WORD
    is_short = _most(facts.lengths) <= model_recipe(_WORDS).text.max_length
    return _WORDS if is_narrow and is_short and _most(facts.words) <= 1 else _LINES


def _known_by(model: str) -> str:
    """Return the characters that a model knows, or ones that look like these."""
    return string.ascii_letters + string.digits + model_recipe(model).text.alphabet


def _knows(alphabet: str, characters: str) -> bool:
    """Tell whether most of some characters are in an alphabet, be it in the other case."""
    known = {*alphabet, *alphabet.swapcase()}
    return sum(character in known for character in characters) >= _MOST_KNOWN * len(characters)


def _unseen(model: str, characters: str) -> str:
    """Return a model's characters that labels lack; none if they lack many, as labels of digits alone do."""
    alphabet = model_recipe(model).text.alphabet
    lacking = sorted(set(alphabet) - set(characters))
    return "".join(lacking) if len(lacking) <= (1 - _MOST_SEEN) * len(alphabet) else ""


def _reasons_of_images(recipe: Recipe, narrow: float, wide: float, widths: np.ndarray, longest: int) -> List[str]:
    image = recipe.image
    width = "of any width" if image.width is None else f"{image.width} wide"
    turned = "turned, as they are upright, and then " if image.rotate else ""
    colour = "in colour, since it shows what grey hides" if image.channels == 3 else "in grey"
    if image.ground == "subtract":
        colour = "as contrast to the ground around, which differs more than ink does from it"
    stride = _stride(recipe.network)
    steps = int(np.median(widths)) // stride
    every = f"every {stride} pixels" if stride > 1 else "every pixel"
    top, bottom = image.crop
    cut = [f"{top:.0%} cut off at the top and {bottom:.0%} at the bottom, where nothing is"] if top + bottom else []
    return [
        *cut,
        f"images {width} and {image.height} high: most are {turned}{narrow:.1f} to {wide:.1f} times as wide as high",
        f"{colour}; a time step {every}, {steps} in most images, for texts of up to {longest} characters",
    ]


def _reasons_of_model(model: Optional[str], is_known: bool, kept: str) -> List[str]:
    if not model:
        return []
    knows = "most of the characters" if is_known else "what letters are like, though most characters are new"
    others = [f"{kept} are read as well, since it knows them, though no label has them"] if kept else []
    return [f"the network {model} to begin with, which knows {knows}", *others]


def _reasons(recipe: Recipe, count: int) -> List[str]:
    training = recipe.training
    return [
        f"{training.epochs} epochs in batches of {training.batch_size}, since there are {count:,} images to train on"
    ]


def _size(facts: Facts, preset: Recipe, model: Optional[str]) -> Tuple[Optional[int], int]:
    """Return width, if it is the same for all, and height of the images as the network is to read them."""
    if preset.image.width is None:
        image = model_recipe(model).image if model else preset.image
        return image.width, image.height
    rows, columns = float(np.median(facts.heights)), float(np.median(facts.widths))
    longest = _most(facts.lengths)
    lowest, highest = (height / rows for height in (_HEIGHTS_OF_MODEL if model else _HEIGHTS))
    scale = max(lowest, min(1.0, highest, math.sqrt(_PIXELS_A_CHARACTER * longest / (rows * columns))))
    most = max(longest, preset.text.max_length)  # the preset's texts must fit as well
    width = max(4 * round(columns * scale / 4), 2 * most + 1)
    return width, 8 * max(2, round(rows * scale / 8))


def _most(counts: np.ndarray) -> int:
    """Return the most characters or words of a text, but for a few that are out of the ordinary."""
    return int(np.sort(counts)[int((1 - _FEW) * (len(counts) - 1))])


def _strides(widths: np.ndarray, lengths: np.ndarray) -> Tuple[int, ...]:
    """Return the largest strides that leave room for most labels."""
    for strides in _STRIDES:
        if _has_room(widths // math.prod(strides), lengths, _STEPS_A_CHARACTER):
            break
    return strides


def _has_room(steps: np.ndarray, lengths: np.ndarray, steps_a_character: int) -> bool:
    """Tell whether there are enough time steps for most labels."""
    return bool(np.quantile(steps - steps_a_character * lengths, _FEW) >= 0)


def _network(
    preset: Recipe, model: Optional[str], widths: np.ndarray, lengths: np.ndarray
) -> Tuple[Optional[str], NetworkRecipe]:
    """Return the model and its network, if there is one and labels have room in it; else a preset's with such room."""
    if model:
        network = model_recipe(model).network.folded()
        if _has_room(widths // _stride(network), lengths, _STEPS_OF_MODELS[model]):
            return model, network
    return None, _with_strides(preset.network, _strides(widths, lengths))


def _stride(network: NetworkRecipe) -> int:
    return math.prod(convolution.pool[0] for convolution in network.convolutions)


def _with_strides(network: NetworkRecipe, strides: Tuple[int, ...]) -> NetworkRecipe:
    convolutions = tuple(
        msgspec.structs.replace(convolution, pool=(stride, convolution.pool[1]))
        for convolution, stride in zip(network.convolutions, strides)
    )
    return msgspec.structs.replace(network, convolutions=convolutions)


def _training(preset: Recipe, count: int, is_begun: bool, is_known: bool) -> Dict[str, object]:
    """Return how to train: few samples are seen more often, and in smaller batches."""
    batch_size = preset.training.batch_size
    if preset.image.width is not None:
        batch_size = next((size for size in _BATCH_SIZES if count >= _UPDATES * size), _BATCH_SIZES[-1])
    epochs = _EPOCHS[preset.name][is_begun + is_known] * math.sqrt(1000 / count)
    rate = preset.training.learning_rate * batch_size / preset.training.batch_size
    return {
        "training.batch_size": batch_size,
        "training.epochs": min(max(round(epochs), _LEAST_EPOCHS), _MOST_EPOCHS),
        "training.learning_rate": rate * _CARE[preset.name] if is_known else rate,
    }
