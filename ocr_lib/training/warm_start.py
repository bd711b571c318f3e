"""Warm starts: what a new run takes from a network that was trained before. No MXNet needed."""

from typing import Any, Iterable, NamedTuple, Tuple

import msgspec
import numpy as np

from ocr_lib.alphabet import BLANK
from ocr_lib.errors import OCRError
from ocr_lib.fixed.steps import stepped_tensors, tensor_of
from ocr_lib.net.weights import Weights, fold_batch_norms, weight_shapes
from ocr_lib.recipe.network import NetworkRecipe
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import override
from ocr_lib.writing import Writing

ALPHABET_CHANGES = ("fail", "union", "new")
INHERITED = ("image", "network")
_WITHOUT_PARAMETERS = ("image.rotate", "image.frame", "network.cell", "network.dropout", "network.forget_bias")
_CLASSIFIER = ("pred_fc_weight", "pred_fc_bias")


class Pretrained(NamedTuple):
    """Trained weights to begin with.

    Attributes
    ----------
    weights : dict of str to numpy.ndarray
        All parameters, those of batch normalisation included.
    alphabet : str
        The characters that the classifier tells apart.
    """

    weights: Weights
    alphabet: str

    def fitted(self, fresh: Weights, alphabet: str) -> Weights:
        """Return the weights for an alphabet, of which a fresh network's give what was never trained."""
        return {**self.weights, **remap_classifier(self.weights, fresh, self.alphabet, alphabet)}


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
        have, fresh ones for others.
    """
    classes = {character: index for index, character in enumerate(known, start=BLANK + 1)}
    pairs = [(index, classes[c]) for index, c in enumerate(wanted, start=BLANK + 1) if c in classes]
    targets, sources = np.array([(BLANK, BLANK), *pairs]).T
    remapped = {name: fresh[name].copy() for name in _CLASSIFIER}
    for name, rows in remapped.items():
        rows[targets] = trained[name][sources]
    return remapped


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
    own = [(key, value) for key, value in settings if not _is_inherited(key)]

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


def _is_inherited(key: str) -> bool:
    return key.partition(".")[0] in INHERITED and key not in _WITHOUT_PARAMETERS


def _has_norms(recipe: Recipe) -> bool:
    return any(convolution.batch_norm for convolution in recipe.network.convolutions)


def check_inherited(settings: Iterable[Tuple[str, Any]], source: str, pretrained: Recipe, prefix: str) -> None:
    """Refuse settings of image and network other than those of the checkpoint, unless they are no matter of parameters.

    Batch normalisation may be folded away.

    Parameters
    ----------
    settings : iterable of (str, object)
        As `override` takes them.
    source, prefix : str
        Where these are from, and the checkpoint's, for the message.
    """
    folded = msgspec.structs.replace(pretrained, network=pretrained.network.folded())
    likes = [pretrained, folded]
    for key, value in settings:
        if _is_inherited(key) and all(override(each, [(key, value)]) != each for each in likes):
            shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            raise OCRError(
                f"{source} {key}={shown} is not what {prefix} was trained with; leave it out: with --pretrained, image "
                "and network are the checkpoint's"
            )
