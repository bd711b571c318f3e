"""Training a recognizer: all that ``lstm_ocr_train.py`` does."""

import logging
import math
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from ocr_lib.errors import OCRError, option_name
from ocr_lib.feed.data import HELD_OUT, DiskOptions, look
from ocr_lib.feed.plan import Plan, plan_disk, plan_fonts
from ocr_lib.files import check_writable
from ocr_lib.jobs.run import RunOptions, Trained, check_exportable, run
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import Settings, decode_json, encode_json, override
from ocr_lib.sets.dataset import MAX_PROBLEMS
from ocr_lib.training.exchange import GRADIENT_COMPRESSIONS, ONE_MACHINE, Exchange, broadcast, connect
from ocr_lib.training.start import LOG_FILES, Start, StartOptions, check_log_folder, find_start

logger = logging.getLogger(__name__)

_SIZES = ("training.epoch_size", "training.validation_size")


def train(
    prefix: Union[str, Path] = "ocr",
    recipe: Union[str, Path, Recipe, None] = None,
    fonts: Union[str, Path, None] = None,
    train_data: Union[str, Path, None] = None,
    *,
    texts: Union[str, Path, Sequence[Union[str, Path]]] = (),
    settings: Settings = (),
    val_data: Union[str, Path, None] = None,
    held_out: Optional[float] = None,
    format: Optional[str] = None,  # noqa: A002
    max_problems: float = MAX_PROBLEMS,
    label_pattern: Optional[str] = None,
    split: Optional[str] = None,
    resume: bool = False,
    overwrite: bool = False,
    pretrained: Union[str, Path, None] = None,
    pretrained_policy: Optional[str] = None,
    alphabet_change: Optional[str] = None,
    num_proc: Optional[int] = None,
    cpus: Optional[int] = None,
    gpus: int = 0,
    kv_store: str = "local",
    gradient_compression: str = GRADIENT_COMPRESSIONS[0],
    target_accuracy: float = math.inf,
    time_budget: float = math.inf,
    export_on_end: bool = False,
    log_dir: Union[str, Path, None] = None,
    dry_run: bool = False,
    quiet: bool = False,
) -> Trained:
    """Train a recognizer on captchas that are rendered from fonts, or on labelled images.

    This is ``lstm_ocr_train.py``, whose options have the same names. It tells the logger ``ocr_lib`` what it does, and
    writes checkpoints to ``PREFIX-*``.

    Parameters
    ----------
    prefix : str or pathlib.Path
        That the names of the checkpoint's files begin with.
    recipe : str, pathlib.Path or Recipe, optional
        A preset's name, a recipe's JSON file, or a recipe. If left out it is found from the data where `train_data` are
        given, as by the name ``auto``; for fonts it is the preset ``captcha``.
    fonts, train_data : str or pathlib.Path
        A font or a folder of them, or a data set; one of the two. With a data set, the alphabet is that of its labels
        unless `settings` have ``text.alphabet``.
    texts : str, pathlib.Path or sequence of these
        Text files to render in the fonts: a word on each line, or running text that lines are cut out of. They add to
        the recipe's sources. The default preset is ``word`` then, or ``scan`` for running text, and the alphabet is
        that of the texts unless `settings` have ``text.alphabet``.
    settings : dict, or iterable of (str, object)
        That change the recipe, as in ``{"network.hidden": 64}``.
    val_data, held_out, format, max_problems, label_pattern, split
        As for `ocr_lib.feed.streams.labelled`, where `val_data` is called `validation`.
    resume, overwrite : bool
        Go on with the run at the prefix, or replace what is there, which is refused otherwise.
    pretrained, pretrained_policy, alphabet_change
        As for `ocr_lib.training.start.StartOptions`.
    num_proc : int, optional
        Worker processes that make samples; as many as it takes if left out.
    cpus : int, optional
        Processes that compute, each on one core, at most the recipe's ``training.parts``; one for each core if left
        out. Their number changes nothing but the time it takes.
    gpus : int
        To train on; 0 trains on the CPU.
    kv_store : {"local", "device", "dist_sync", "dist_device_sync", "horovod"}
        What connects the machines that share the run, as docs/machines.md tells; the first two are for one machine.
    gradient_compression : {"none", "2bit"}
        How machines exchange gradients: as they are, or in two bits each, as docs/machines.md tells.
    target_accuracy, time_budget : float
        Training stops once a validation reaches the one, or after so many seconds, and then validates.
    export_on_end : bool
        Write ``PREFIX.onnx`` of the best epoch in the end, and try that in the beginning.
    log_dir : str or pathlib.Path, optional
        Folder for curves and TensorBoard events; ``PREFIX-log`` if left out.
    dry_run : bool
        Do all but training, and write nothing.
    quiet : bool
        Show no progress bar.

    Raises
    ------
    OCRError
        If options contradict each other, the data or what is there, or if training fails.
    """
    deadline = time.monotonic() + time_budget
    how_read = {"format": format, "label_pattern": label_pattern, "split": split}
    disk = _disk_options(fonts, train_data, val_data, held_out, max_problems, how_read)
    files = [str(file) for file in ([texts] if isinstance(texts, (str, Path)) else texts)]
    if files and disk:
        raise OCRError("--texts are rendered in fonts: leave out --train-data, and give fonts")
    pairs = list(dict(settings).items())
    prefix = str(prefix)
    preset = str(recipe) if isinstance(recipe, Path) else recipe
    weights = None if pretrained is None else str(pretrained)
    asked = StartOptions(
        prefix, preset, pairs, resume, overwrite, weights, pretrained_policy, alphabet_change, disk is not None, files
    )
    if gradient_compression not in GRADIENT_COMPRESSIONS:
        known = ", ".join(GRADIENT_COMPRESSIONS)
        raise OCRError(f"--gradient-compression {gradient_compression} is unknown: take one of {known}")
    if gradient_compression != GRADIENT_COMPRESSIONS[0] and kv_store in ONE_MACHINE:
        raise OCRError(f"--gradient-compression is for several machines, not for --kv-store {kv_store}")
    how = num_proc, cpus, gpus, gradient_compression, target_accuracy, deadline, export_on_end
    options = RunOptions(prefix, *how, Path(log_dir or f"{prefix}-log"), not resume, overwrite, dry_run, quiet)
    exchange = connect(kv_store)
    if exchange.share.rank == 0:
        trained = _lead(asked, disk, fonts, options, exchange)
    else:  # what is at the prefix is the first machine's affair
        shared = decode_json(broadcast(exchange), Recipe, "the first machine's recipe")
        start = Start(shared, prefix)
        trained = run(_planned(start, disk, fonts, num_proc)[1], start, options, exchange)
    exchange.close()
    return trained


def _lead(
    start_options: StartOptions,
    disk: Optional[DiskOptions],
    fonts: Union[str, Path, None],
    options: RunOptions,
    exchange: Exchange,
) -> Trained:
    """Train on the first machine, or the only one."""
    start = find_start(start_options)
    if not (start_options.resume or options.overwrite):
        check_log_folder(options.log_dir)
    for path in Path(options.prefix), options.log_dir / LOG_FILES[0]:
        check_writable(path)
    if options.export_on_end:
        check_exportable(options.prefix, options.overwrite, start_options.resume)
    start, plan = _planned(start, disk, fonts, options.num_proc)
    _check_sizes(plan, start_options.settings)
    broadcast(exchange, encode_json(plan.recipe))
    return run(plan, start, options, exchange)


def _planned(
    start: Start, disk: Optional[DiskOptions], fonts: Union[str, Path, None], num_proc: Optional[int]
) -> Tuple[Start, Plan]:
    """Return what a run begins with, where that is up to the data as well, and what it is trained on."""
    if disk is None:
        return start, plan_fonts(start.recipe, fonts or "", start.make_alphabet)
    seen = look(disk, start.recipe, None if start.make_alphabet else start.recipe.text.alphabet, num_proc)
    start = start.finished(seen.facts)
    plan = plan_disk(start.recipe, seen, start.make_alphabet)
    for reason in start.reasons:
        logger.info("Found from the data: %s", reason)
    return start, plan


def _disk_options(
    fonts: Union[str, Path, None],
    train_data: Union[str, Path, None],
    val_data: Union[str, Path, None],
    held_out: Optional[float],
    max_problems: float,
    how_read: Dict[str, Optional[str]],
) -> Optional[DiskOptions]:
    """Return how data on disk is read, or None where captchas are rendered."""
    if (fonts is None) == (train_data is None):
        both = "" if fonts is None else f", not both: {fonts} is taken for fonts"
        raise OCRError(f"give either fonts, or --train-data{both}")
    if train_data is not None:
        validation = None if val_data is None else Path(val_data)
        share = HELD_OUT if held_out is None else held_out
        return DiskOptions(Path(train_data), validation, held_out=share, max_problems=max_problems, **how_read)
    for option, value in {"val_data": val_data, "held_out": held_out, **how_read}.items():
        if value is not None:
            raise OCRError(f"{option_name(option)} goes with --train-data, not with fonts")
    return None


def _check_sizes(plan: Plan, settings: List[Tuple[str, Any]]) -> None:
    """Refuse sizes other than those of the data on disk."""
    for key, value in settings:
        if key in _SIZES and override(plan.recipe, [(key, value)]) != plan.recipe:
            raise OCRError(f"--set {key}: with --train-data these are the numbers of samples there are")
