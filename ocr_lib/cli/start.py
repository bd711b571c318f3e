"""What a training run begins with, as the options say: recipe, alphabet, weights, or where another run stands."""

import argparse
from functools import partial
from pathlib import Path
from typing import Any, Callable, List, NamedTuple, Optional, Tuple

from ocr_lib.alphabet import SETS
from ocr_lib.cli.command import option_name
from ocr_lib.errors import OCRError
from ocr_lib.net.manifest import Manifest, claim, manifest_path, read_manifest, read_recipe
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import load_preset, override, parse_setting, preset_names, preset_settings
from ocr_lib.sets.alphabets import find_alphabet
from ocr_lib.training.warm_start import ALPHABET_CHANGES, Pretrained, change_alphabet, check_inherited, inherit

DEFAULT_PRESET = "captcha"
ALPHABET = "text.alphabet"
POLICIES = ("resume", "retrain")

Settings = List[Tuple[str, Any]]


class Start(NamedTuple):
    """What a run begins with.

    Attributes
    ----------
    recipe : Recipe
    prefix : str
        Of the run to go on with, else of the new one.
    manifest : Manifest, optional
        What is there.
    goes_on : bool
        The run of that manifest goes on, be it under another prefix.
    replaced : Manifest, optional
        Of what is overwritten where a run goes on under another prefix.
    make_alphabet : callable, optional
        From the characters of the training labels to the alphabet; the recipe's is kept if left out.
    pretrained : Pretrained, optional
        Weights of a checkpoint.
    """

    recipe: Recipe
    prefix: str
    manifest: Optional[Manifest]
    goes_on: bool = False
    replaced: Optional[Manifest] = None
    make_alphabet: Optional[Callable[[str], str]] = None
    pretrained: Optional[Pretrained] = None


def add_start_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what a run begins with, but for those that are short for a setting."""
    parser.add_argument("--prefix", default="ocr", help="path that the names of the checkpoint's files begin with")
    known = ", ".join(preset_names())
    parser.add_argument("--preset", help=f"{known}, or a recipe's JSON file (default: {DEFAULT_PRESET})")
    parser.add_argument(
        "--alphabet",
        metavar="NAME|FILE",
        help=f"{', '.join(SETS)}, or a text file with the characters (default: the labels', or the preset's)",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change the recipe, as in network.hidden=64"
    )
    parser.add_argument("--resume", action="store_true", help="go on where the run at --prefix stopped or was killed")
    parser.add_argument("--overwrite", action="store_true", help="replace the run at --prefix")
    parser.add_argument("--pretrained", metavar="PREFIX", help="begin with a checkpoint; see --pretrained-policy")
    parser.add_argument(
        "--pretrained-policy",
        choices=POLICIES,
        help="go on with all of that run under a new --prefix, or train its weights anew (default: retrain)",
    )
    parser.add_argument(
        "--alphabet-change",
        choices=ALPHABET_CHANGES,
        help="where the --pretrained alphabet lacks characters: stop, add them, or take the new alphabet alone "
        "(default: fail)",
    )


def find_start(args: argparse.Namespace) -> Start:
    """Find out what a run begins with; `args` has the options of ``lstm_ocr_train.py``.

    Raises
    ------
    OCRError
        If options contradict each other or what is there.
    """
    _check(args)
    there = claim(args.prefix, args.resume, args.overwrite)
    settings = _settings(args)
    if args.resume:
        return Start(_continued(args.prefix, there, settings), args.prefix, there, goes_on=True)
    if args.pretrained_policy == "resume":
        manifest = _resumable(args.pretrained)
        recipe = _continued(args.pretrained, manifest, settings)
        return Start(recipe, args.pretrained, manifest, goes_on=True, replaced=there)
    if args.pretrained is not None:
        return _retrained(args, settings, there)
    recipe = override(load_preset(args.preset or DEFAULT_PRESET), settings)
    is_given = any(key == ALPHABET for key, _ in settings)
    return Start(recipe, args.prefix, there, make_alphabet=None if is_given else str)


def _check(args: argparse.Namespace) -> None:
    if args.pretrained is None:
        for option in ("pretrained_policy", "alphabet_change"):
            if getattr(args, option) is not None:
                raise OCRError(f"{option_name(option)} goes with --pretrained")
        return
    if args.resume:
        raise OCRError("--resume goes on with the run at --prefix as it is: leave out --pretrained, or --resume")
    if Path(args.pretrained).resolve() == Path(args.prefix).resolve():
        raise OCRError(f"--pretrained and --prefix are both {args.prefix}: give a new --prefix, or --resume alone")
    if args.pretrained_policy == "resume":
        for option in ("alphabet_change", "preset"):
            if getattr(args, option) is not None:
                raise OCRError(
                    f"{option_name(option)} goes with --pretrained-policy retrain: a run that goes on keeps its own"
                )


def _settings(args: argparse.Namespace) -> Settings:
    settings: Settings = [parse_setting(text) for text in args.set]
    if args.alphabet is not None:
        if any(key == ALPHABET for key, _ in settings):
            raise OCRError(f"give either --alphabet, or --set {ALPHABET}")
        settings.append((ALPHABET, find_alphabet(args.alphabet)))
    short = {
        "training.loss": args.loss,
        "training.epochs": args.epochs,
        "training.learning_rate": args.lr,
        "seed": args.seed,
        "captcha.renderer": args.renderer,
    }
    return settings + [(key, value) for key, value in short.items() if value is not None]


def _continued(prefix: str, manifest: Optional[Manifest], settings: Settings) -> Recipe:
    for key, _ in settings:
        if not key.startswith("training.") or key in ("training.epoch_size", "training.batch_size"):
            raise OCRError(f"{key} can't change when a run is resumed")
    return override(read_recipe(prefix, manifest), settings)


def _resumable(prefix: str) -> Manifest:
    manifest = read_manifest(prefix)
    if manifest is None:
        raise OCRError(f"{manifest_path(prefix)}: no such file; --pretrained-policy retrain takes weights alone")
    if not manifest.states:
        raise OCRError(f"{prefix} is of 8 bits, which can't be trained: take the checkpoint that it was made from")
    return manifest


def _retrained(args: argparse.Namespace, settings: Settings, there: Optional[Manifest]) -> Start:
    from ocr_lib.net.checkpoint import load_checkpoint, numpy_weights

    prefix = args.pretrained
    checkpoint = load_checkpoint(prefix)
    known = checkpoint.recipe.text.alphabet
    preset = load_preset(args.preset or DEFAULT_PRESET)
    if args.preset is not None:
        check_inherited(preset_settings(args.preset), f"--preset {args.preset}:", checkpoint.recipe, prefix)
    check_inherited(settings, "--set", checkpoint.recipe, prefix)
    given = dict(settings).get(ALPHABET)
    others = [(key, value) for key, value in settings if key != ALPHABET]
    recipe = inherit(preset, others, checkpoint.recipe)
    change = partial(change_alphabet, known, args.alphabet_change or "fail", prefix)
    if given is not None:
        recipe = override(recipe, [(ALPHABET, change(given))])
    elif args.train_data is None and args.alphabet_change == "new":
        raise OCRError("--alphabet-change new needs --alphabet where captchas are rendered")
    pretrained = Pretrained(numpy_weights(checkpoint), known)
    return Start(recipe, args.prefix, there, make_alphabet=None if given is not None else change, pretrained=pretrained)
