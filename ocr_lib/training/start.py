"""What a training run begins with: recipe, alphabet, weights, or where another run stands. No MXNet unless it must."""

from functools import partial
from pathlib import Path
from typing import Any, Callable, List, NamedTuple, Optional, Tuple, Union

import msgspec

from ocr_lib.errors import OCRError, option_name
from ocr_lib.feed.corpora import find_source
from ocr_lib.installation import how_to_install
from ocr_lib.net.manifest import Manifest, check_free_prefix, check_prefix, read_recipe, resumable
from ocr_lib.net.weights import Weights
from ocr_lib.recipe.auto import AUTO, Facts, find_recipe
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import load_preset, override, preset_settings, stated_settings
from ocr_lib.recipe.sources import Words
from ocr_lib.training.warm_start import (
    FITTED,
    Pretrained,
    change_alphabet,
    check_inherited,
    folded_weights,
    inherit,
    is_inherited,
)
from ocr_lib.zoo.models import SUFFIX as MODEL
from ocr_lib.zoo.models import is_model, model_path
from ocr_lib.zoo.recipes import model_recipe

DEFAULT_PRESET = "captcha"
WORDS_PRESET, LINES_PRESET = "word", "scan"
ALPHABET = "text.alphabet"
POLICIES = ("resume", "retrain")
LOG_FILES = ("train.log", "curves.csv", "curves.png")
_SIZES = ("training.epoch_size", "training.batch_size")

Settings = List[Tuple[str, Any]]


class StartOptions(NamedTuple):
    """What the user says of it.

    Attributes
    ----------
    prefix : str
        Of the run.
    recipe : str or Recipe, optional
        A preset, a recipe's JSON file or a recipe; if left out it is found from the data where these have labels, as by
        the name `AUTO`, and else that of `DEFAULT_PRESET`.
    settings : list of (str, object)
        That change it, as `ocr_lib.recipe.settings.override` takes them.
    resume, overwrite : bool
        Go on with the run at the prefix, or replace what is there.
    pretrained : str, optional
        To begin with: the prefix of a checkpoint, an exported model, or the name of one that comes with this package.
    pretrained_policy : {"resume", "retrain"}, optional
        Go on with all of that run under the new prefix, or train its weights anew, which is the default.
    alphabet_change : {"fail", "union", "new"}, optional
        See `ocr_lib.training.warm_start.change_alphabet`; "fail" by default.
    has_labels : bool
        The training data have labels, from which the alphabet may be taken.
    texts : list of str
        Files with texts to draw, besides those that the recipe has.
    """

    prefix: str
    recipe: Union[str, Recipe, None] = None
    settings: Settings = []  # noqa: RUF012
    resume: bool = False
    overwrite: bool = False
    pretrained: Optional[str] = None
    pretrained_policy: Optional[str] = None
    alphabet_change: Optional[str] = None
    has_labels: bool = False
    texts: List[str] = []  # noqa: RUF012


class Start(NamedTuple):
    """What a run begins with.

    Attributes
    ----------
    recipe : Recipe
        If it is to be found from the data, only its seed and what it says of texts count.
    prefix : str
        Of the run to go on with, else of the new one.
    manifest : Manifest, optional
        Of the run to go on with, be it under another prefix.
    make_alphabet : callable, optional
        From the characters of the training labels to the alphabet; the recipe's is kept if left out.
    load_pretrained : callable, optional
        Gives trained weights to begin with, when training begins.
    finish : callable, optional
        Where something is found from the data: from what is known of these to what the run begins with.
    reasons : list of str
        Why what was found is as it is, a line each.
    """

    recipe: Recipe
    prefix: str
    manifest: Optional[Manifest] = None
    make_alphabet: Optional[Callable[[str], str]] = None
    load_pretrained: Optional[Callable[[], Pretrained]] = None
    finish: Optional[Callable[[Facts], "Start"]] = None
    reasons: List[str] = []  # noqa: RUF012

    def finished(self, facts: Callable[[], Facts]) -> "Start":
        """Return it with all that is found from the data, if anything is."""
        return self.finish(facts()) if self.finish else self


def find_start(options: StartOptions) -> Start:
    """Find out what a run begins with.

    Raises
    ------
    OCRError
        If options contradict each other or what is there.
    """
    _check(options)
    start = _found(_with_texts(options))
    quantization = start.recipe.quantization
    if quantization and not quantization.is_trainable:
        raise OCRError(
            "quantization: training is exact for weights and activations of 16 bits together, and 8 internal ones: "
            "take fewer, or quantize what is trained, by lstm_ocr_quantize.py --engine fixed"
        )
    return start


def _found(options: StartOptions) -> Start:
    if options.resume:
        manifest = resumable(options.prefix)
        return Start(_continued(options.prefix, manifest, options.settings), options.prefix, manifest)
    check_prefix(options.prefix)
    if not options.overwrite:
        check_free_prefix(options.prefix)
    if options.pretrained is None:
        is_given = any(key == ALPHABET for key, _ in options.settings)
        make_alphabet = None if is_given else str
        if not is_found(options):
            recipe = override(_recipe(options.recipe), options.settings)
            return Start(recipe, options.prefix, make_alphabet=make_alphabet)
        needed = [(key, value) for key, value in options.settings if key == "seed" or key.startswith("text.")]
        recipe = override(load_preset(DEFAULT_PRESET), needed)
        start = Start(recipe, options.prefix, make_alphabet=make_alphabet)
        return start._replace(finish=partial(_with_found, start, options.settings))
    if options.pretrained_policy == "resume":
        manifest = resumable(options.pretrained, "--pretrained")
        return Start(_continued(options.pretrained, manifest, options.settings), options.pretrained, manifest)
    return _retrained(options, options.pretrained)


def is_found(options: StartOptions) -> bool:
    """Tell whether the recipe is found from the data: if that is asked for, or they have labels and none is named.

    Raises
    ------
    OCRError
        If it is asked for and there are no such data.
    """
    if options.recipe == AUTO and not options.has_labels:
        raise OCRError(f"--preset {AUTO} looks at labelled images: give --train-data, or another preset")
    return options.has_labels and options.recipe in (None, AUTO)


def _with_found(start: Start, settings: Settings, facts: Facts) -> Start:
    """Return a start with the recipe for samples, and the trained network that suits them."""
    has_own = any(is_inherited(key) and key not in FITTED for key, _ in settings)
    found = find_recipe(facts, may_begin=not has_own)
    reasons = [*found.of_images, *found.of_training]
    if found.model is None:
        return start._replace(recipe=override(found.recipe, settings), finish=None, reasons=reasons)
    known = msgspec.structs.replace(model_recipe(found.model), network=found.recipe.network)
    image = msgspec.to_builtins(found.recipe.image)
    sizes = [(key, image[key.partition(".")[2]]) for key in FITTED]
    recipe = inherit(found.recipe, [*sizes, *settings], known)
    make_alphabet = start.make_alphabet and (lambda characters: "".join(sorted({*characters, *found.kept})))
    load = partial(_load_pretrained, found.model)
    return start._replace(
        recipe=recipe, make_alphabet=make_alphabet, load_pretrained=load, finish=None, reasons=reasons
    )


def _with_found_training(start: Start, inherited: Callable[[Recipe], Recipe], trained: Recipe, facts: Facts) -> Start:
    found = find_recipe(facts, trained=trained)
    return start._replace(recipe=inherited(found.recipe), finish=None, reasons=found.of_training)


def check_log_folder(folder: Path) -> None:
    """Refuse a folder for the logs of a new run that has another's, or is none.

    Raises
    ------
    OCRError
        Naming what is there.
    """
    if folder.exists() and not folder.is_dir():
        raise OCRError(f"--log-dir {folder} is a file: give the name of a folder")
    for name in LOG_FILES:
        if (folder / name).exists():
            raise OCRError(
                f"{folder / name} is there already: --overwrite replaces it, another --log-dir leaves it alone"
            )


def _check(options: StartOptions) -> None:
    if options.resume:
        for option in ("overwrite", "recipe", "texts"):
            if getattr(options, option):
                raise OCRError(f"--resume goes on with the run at --prefix as it is: leave out {_name(option)}")
    if options.pretrained is None:
        for option in ("pretrained_policy", "alphabet_change"):
            if getattr(options, option) is not None:
                raise OCRError(f"{option_name(option)} goes with --pretrained")
        return
    if options.resume:
        raise OCRError("--resume goes on with the run at --prefix as it is: leave out --pretrained, or --resume")
    if Path(options.pretrained).resolve() == Path(options.prefix).resolve():
        raise OCRError(f"--pretrained and --prefix are both {options.prefix}: give a new --prefix, or --resume alone")
    if options.pretrained_policy == "resume":
        for option in ("alphabet_change", "recipe"):
            if getattr(options, option) is not None:
                raise OCRError(
                    f"{_name(option)} goes with --pretrained-policy retrain: a run that goes on keeps its own"
                )


def _name(option: str) -> str:
    return "--preset" if option == "recipe" else option_name(option)


def _with_texts(options: StartOptions) -> StartOptions:
    """Return options where the files with texts are among the recipe's sources, and their kind chooses a preset."""
    sources = [find_source(file) for file in options.texts]
    if not sources:
        return options
    default = WORDS_PRESET if all(isinstance(source, Words) for source in sources) else LINES_PRESET
    options = options._replace(recipe=options.recipe or default)
    all_sources = [*override(_recipe(options.recipe), options.settings).text.sources, *sources]
    settings = {**dict(options.settings), "text.sources": msgspec.to_builtins(all_sources)}
    return options._replace(settings=list(settings.items()), texts=[])


def _recipe(recipe: Union[str, Recipe, None]) -> Recipe:
    return recipe if isinstance(recipe, Recipe) else load_preset(recipe or DEFAULT_PRESET)


def _continued(prefix: str, manifest: Manifest, settings: Settings) -> Recipe:
    recipe = read_recipe(prefix, manifest)
    for key, value in settings:
        may_change = key.startswith("training.") and key not in _SIZES
        if not may_change and override(recipe, [(key, value)]) != recipe:
            raise OCRError(f"{key} can't change when a run is resumed")
    return override(recipe, settings)


def _retrained(options: StartOptions, prefix: str) -> Start:
    find = is_found(options)
    own = load_preset(DEFAULT_PRESET) if find else _recipe(options.recipe)
    trained, weights = _trained(prefix)
    known = trained.text.alphabet
    settings = options.settings
    if isinstance(options.recipe, Recipe):
        check_inherited(stated_settings(options.recipe), "recipe:", trained, prefix)
    elif options.recipe is not None and not find:
        stated = preset_settings(options.recipe)
        check_inherited(stated, f"--preset {options.recipe}:", trained, prefix, may_lack_norms=True)
    check_inherited(settings, "--set", trained, prefix, FITTED)
    given = dict(settings).get(ALPHABET)
    others = [(key, value) for key, value in settings if key != ALPHABET]
    change = partial(change_alphabet, known, options.alphabet_change or "fail", prefix)
    if given is not None:
        others.append((ALPHABET, change(given)))
    elif not options.has_labels and options.alphabet_change == "new":
        raise OCRError("--alphabet-change new needs --alphabet where captchas are rendered")

    def inherited(own: Recipe) -> Recipe:
        return inherit(own, others, trained)

    recipe = inherited(own)
    pretrained = Pretrained(folded_weights(weights, trained, recipe), trained)
    make_alphabet = None if given is not None else change
    start = Start(recipe, options.prefix, make_alphabet=make_alphabet, load_pretrained=lambda: pretrained)
    fitted = msgspec.structs.replace(trained, image=recipe.image)
    return start._replace(finish=partial(_with_found_training, start, inherited, fitted)) if find else start


def _load_pretrained(name: str) -> Pretrained:
    recipe, weights = _trained(name)
    return Pretrained(weights, recipe)


def _trained(name: str) -> Tuple[Recipe, Weights]:
    """Return the recipe and the weights of a checkpoint, or of an exported model, be it one by name."""
    if name.endswith(MODEL) or is_model(name):
        try:
            from ocr_lib.deploy.weights import read_model
        except ImportError as error:
            raise OCRError(
                f"--pretrained {name} needs another package ({error}): {how_to_install('export')}"
            ) from error
        return read_model(model_path(name))
    from ocr_lib.net.checkpoint import load_checkpoint, numpy_weights

    checkpoint = load_checkpoint(name)
    return checkpoint.recipe, numpy_weights(checkpoint)
