"""Warm starts: what a new run takes from a network that was trained before. No MXNet needed."""

from typing import Any, Container, Iterable, NamedTuple, Sequence, Tuple

import msgspec
import numpy as np

from ocr_lib.alphabet import BLANK
from ocr_lib.errors import OCRError
from ocr_lib.fixed.steps import stepped_tensors, tensor_of
from ocr_lib.net.weights import Weights, fold_batch_norms, weight_shapes
from ocr_lib.recipe.network import NetworkRecipe, direction_names
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import override
from ocr_lib.writing import Writing

ALPHABET_CHANGES = ("fail", "union", "new")
INHERITED = ("image", "network")
FITTED = ("image.width", "image.height", "image.channels", "image.crop", "image.ground")
_WITHOUT_PARAMETERS = ("image.rotate", "image.frame", "network.cell", "network.dropout", "network.forget_bias")
_CLASSIFIER = ("pred_fc_weight", "pred_fc_bias")


class Pretrained(NamedTuple):
    """Trained weights to begin with.

    Attributes
    ----------
    weights : dict of str to numpy.ndarray
        All parameters, those of batch normalisation included.
    recipe : Recipe
        Of the network that they are for.
    """

    weights: Weights
    recipe: Recipe

    def fitted(self, fresh: Weights, recipe: Recipe) -> Weights:
        """Return the weights for a recipe of another alphabet, or of other images.

        Parameters
        ----------
        fresh : dict of str to numpy.ndarray
            The weights of its network before any training, which give what was never trained.
        recipe : Recipe
        """
        known, wanted = self.recipe, recipe
        return {
            **self.weights,
            **remap_images(self.weights, known, wanted),
            **remap_classifier(self.weights, fresh, known.text.alphabet, wanted.text.alphabet),
        }


def remap_images(trained: Weights, known: Recipe, wanted: Recipe) -> Weights:
    """Make what reads images, or their features, for images of another height or number of channels.

    Letters keep their place in the image's height, so features of a row get weights that lie between those of the rows
    nearest to that place, and less of them the more rows there are. Each channel gets an equal share of what grey had.

    Parameters
    ----------
    trained : dict of str to numpy.ndarray
        Weights of `known`'s network.
    known, wanted : Recipe
        Of networks that differ in nothing else.

    Returns
    -------
    dict of str to numpy.ndarray
        Those weights among `trained`.
    """
    channels, convolutions = wanted.image.channels, known.network.convolutions
    rows, between = known.feature_rows, _between(known.feature_rows, wanted.feature_rows)
    remapped: Weights = {}
    for prefix in direction_names(known.network)[0]:
        weight = trained[f"{prefix}i2h_weight"]  # (4 H, K rows)
        by_row = weight.reshape(len(weight), -1, rows) @ between
        if not convolutions:
            by_row = _with_channels(by_row, channels)
        remapped[f"{prefix}i2h_weight"] = by_row.reshape(len(weight), -1)
    if convolutions:
        remapped["conv0_weight"] = _with_channels(trained["conv0_weight"], channels)
    return remapped


def _with_channels(weight: np.ndarray, channels: int) -> np.ndarray:
    """Return weights (N, C, ...) of another number of channels."""
    if channels == weight.shape[1]:
        return weight
    return np.repeat(weight.sum(axis=1, keepdims=True), channels, axis=1) / np.float32(channels)


def _between(rows: int, wanted: int) -> np.ndarray:
    """Return the shares (rows, wanted) that rows have in others at the same places, whose sum is as large."""
    places = (np.arange(wanted) + 0.5) * rows / wanted - 0.5
    shares = [np.interp(places, np.arange(rows), row) for row in np.eye(rows)]
    return np.array(shares, np.float32) * np.float32(rows / wanted)


def remap_classifier(trained: Weights, fresh: Weights, known: str, wanted: str) -> Weights:
    """Make the classifier of another alphabet.

    Parameters
    ----------
    trained : dict of str to numpy.ndarray
        ``pred_fc_weight`` (1 + K, D) and ``pred_fc_bias`` (1 + K,) among others, of the K characters `known`. Row 0 is
        the blank's.
    fresh : dict of str to numpy.ndarray
        The same before any training, for the characters `wanted`.
    known, wanted : str
        The characters in the order of their classes.

    Returns
    -------
    dict of str to numpy.ndarray
        ``pred_fc_weight`` and ``pred_fc_bias`` for `wanted`: trained rows for the blank and for characters that both
        have, or `known` has in the other case; fresh ones for others.
    """
    classes = {character: index for index, character in enumerate(known, start=BLANK + 1)}
    alike = ((index, _like(character, classes)) for index, character in enumerate(wanted, start=BLANK + 1))
    pairs = [(index, classes[character]) for index, character in alike if character in classes]
    targets, sources = np.array([(BLANK, BLANK), *pairs]).T
    remapped = {name: fresh[name].copy() for name in _CLASSIFIER}
    for name, rows in remapped.items():
        rows[targets] = trained[name][sources]
    return remapped


def _like(character: str, known: Container[str]) -> str:
    """Return the character, or what it is in the other case if that alone is known."""
    return character if character in known else character.swapcase()


def change_alphabet(known: str, change: str, prefix: str, wanted: str) -> str:
    """Return the alphabet of a run that takes its weights from a checkpoint.

    Parameters
    ----------
    known : str
        The checkpoint's alphabet.
    change : {"fail", "union", "new"}
        What to do about characters that it lacks: refuse them, add them behind, or take those that are wanted alone.
    prefix : str
        The checkpoint's, for the message.
    wanted : str
        Characters of the training labels, or of the alphabet that was given.

    Raises
    ------
    OCRError
        If characters are refused, naming them.
    """
    if change == "new":
        return wanted
    lacking = sorted(set(wanted) - set(known))
    if lacking and change == "fail":
        raise OCRError(
            f"the alphabet of {prefix} lacks {', '.join(map(repr, lacking))}: --alphabet-change union adds what is "
            "lacking, --alphabet-change new keeps only what is wanted now"
        )
    return known + "".join(lacking)


def inherit(preset: Recipe, settings: Iterable[Tuple[str, Any]], pretrained: Recipe) -> Recipe:
    """Return the recipe of a run with image, network, alphabet and way to write texts of a checkpoint.

    Of the network, batch normalisation is folded away where the run's quantization, or the checkpoint's if the run
    states none, has no room for it.

    Parameters
    ----------
    preset, pretrained : Recipe
    settings : iterable of (str, object)
        As `override` takes them. Those of image and network must be the checkpoint's; see `check_inherited`.
    """
    own = [(key, value) for key, value in settings if key in FITTED or not is_inherited(key)]

    def taking(network: NetworkRecipe) -> Recipe:
        parts = {"image": pretrained.image, "network": network, "quantization": preset.quantization}
        parts["quantization"] = parts["quantization"] or pretrained.quantization
        inherited = [(name, msgspec.to_builtins(part)) for name, part in parts.items()]
        text = [(f"text.{key}", getattr(pretrained.text, key)) for key in ("alphabet", *Writing._fields)]
        return override(preset, [*inherited, *text, *own])

    quantization = taking(pretrained.network.folded()).quantization
    return taking(quantization.folded(pretrained.network) if quantization else pretrained.network)


def folded_weights(weights: Weights, known: Recipe, wanted: Recipe) -> Weights:
    """Return the weights of a checkpoint for a run that folds batch normalisation into some of them.

    Steps are left out where tensors are quantized otherwise than before.

    Parameters
    ----------
    weights : dict of str to numpy.ndarray
    known, wanted : Recipe
        The checkpoint's and the run's.
    """
    folded = fold_batch_norms(weights)
    before, after = stepped_tensors(known), stepped_tensors(wanted)
    kept: Weights = {}
    for name in weight_shapes(wanted):
        tensor = tensor_of(name)
        if tensor is None:
            has_norm = wanted.network.output_norm if name.startswith("pred_") else _has_norms(wanted)
            kept[name] = (weights if has_norm or name not in folded else folded)[name]
        elif before.get(tensor) == after[tensor]:
            kept[name] = weights[name]
    return kept


def is_inherited(key: str) -> bool:
    """Tell whether an entry of a recipe is a matter of the parameters that a checkpoint has."""
    return key.partition(".")[0] in INHERITED and key not in _WITHOUT_PARAMETERS


def _has_norms(recipe: Recipe) -> bool:
    return any(convolution.batch_norm for convolution in recipe.network.convolutions)


def check_inherited(
    settings: Iterable[Tuple[str, Any]],
    source: str,
    pretrained: Recipe,
    prefix: str,
    fitted: Sequence[str] = (),
    may_lack_norms: bool = False,
) -> None:
    """Refuse settings of image and network other than those of the checkpoint, unless they are no matter of parameters.

    Batch normalisation may be folded away.

    Parameters
    ----------
    settings : iterable of (str, object)
        As `override` takes them.
    source, prefix : str
        Where these are from, and the checkpoint's, for the message.
    fitted : sequence of str
        Those of `FITTED` for which parameters are made to fit.
    may_lack_norms : bool
        Whether the checkpoint may lack batch normalisation that settings have: exported models do.
    """
    folded = msgspec.structs.replace(pretrained, network=pretrained.network.folded())
    likes = [pretrained, folded]
    for key, value in settings:
        if key in fitted or not is_inherited(key):
            continue
        changed = [override(each, [(key, value)]) for each in likes]
        if may_lack_norms:
            changed += [msgspec.structs.replace(each, network=each.network.folded()) for each in changed]
        if all(each not in likes for each in changed):
            shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            raise OCRError(
                f"{source} {key}={shown} is not what {prefix} was trained with; leave it out: with --pretrained, image "
                "and network are the checkpoint's"
            )
