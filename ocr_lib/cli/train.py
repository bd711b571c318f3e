"""``lstm_ocr_train.py``: train a recognizer on captchas rendered from fonts."""

import argparse
import logging
import math
import os
import signal
import time
from pathlib import Path
from typing import List, Optional

from ocr_lib.cli.command import make_parser, num_proc, option_name, run_command
from ocr_lib.cli.dataset import add_dataset_options
from ocr_lib.cli.export import export
from ocr_lib.cli.start import Start, add_start_options, find_start
from ocr_lib.errors import OCRError
from ocr_lib.feed.plan import DiskOptions, Plan, plan_disk, plan_fonts
from ocr_lib.feed.samples import Samples
from ocr_lib.feed.source import Batch, Task
from ocr_lib.feed.workers import OrderedPool
from ocr_lib.files import write_atomic
from ocr_lib.net.manifest import Saved
from ocr_lib.preparation import pad
from ocr_lib.recipe.captcha import RENDERERS
from ocr_lib.recipe.settings import parse_setting
from ocr_lib.training.progress import Progress

logger = logging.getLogger(__name__)

WORKER_NICENESS = 5
HELD_OUT = 0.1


def main(argv: Optional[List[str]] = None) -> int:
    """Run the command and return its exit code."""
    parser = make_parser(
        "Train an LSTM-CTC recognizer on captchas that worker processes render from fonts, or on labelled images."
    )
    parser.add_argument("font_path", nargs="?", type=Path, help="a font file, or a folder of them")
    parser.add_argument("--train-data", type=Path, metavar="PATH", help="train on labelled images, not on fonts")
    parser.add_argument("--val-data", type=Path, metavar="PATH", help="labelled images to validate on")
    parser.add_argument(
        "--held-out",
        type=float,
        metavar="SHARE",
        help=f"of --train-data, where there is no --val-data (default: {HELD_OUT:g})",
    )
    add_dataset_options(parser, "data on disk")
    add_start_options(parser)
    parser.add_argument("--loss", choices=["ctc", "warpctc"], help="MXNet's CTC loss or Baidu's library (default: ctc)")
    parser.add_argument("--epochs", type=int, help="epochs to train (default: the preset's)")
    parser.add_argument("--lr", type=float, help="learning rate (default: the preset's)")
    parser.add_argument("--seed", type=int, help="of samples and initial parameters (default: the preset's)")
    parser.add_argument(
        "--num_proc", type=num_proc, default="auto", help="worker processes that render images, or as many as it takes"
    )
    parser.add_argument(
        "--renderer", choices=RENDERERS, help="what draws: ours, compiled, or the captcha package (default: fast)"
    )
    parser.add_argument("--cpu", type=int, help="threads to train with on the CPU (default: one a core)")
    parser.add_argument("--gpu", type=int, default=0, help="GPUs to train on; 0 trains on the CPU")
    parser.add_argument("--target-accuracy", type=float, default=math.inf, help="stop once a validation reaches it")
    parser.add_argument("--time-budget", type=float, default=math.inf, metavar="SECONDS", help="stop after this time")
    parser.add_argument(
        "--export-on-end",
        action="store_true",
        help="write PREFIX.onnx in the end, of the best epoch; whether that will work is tried at the beginning",
    )
    parser.add_argument("--log-dir", type=Path, help="folder for curves and TensorBoard events (default: PREFIX-log)")
    return run_command(parser, _train, argv)


def _train(args: argparse.Namespace) -> int:
    began = time.monotonic()
    if args.cpu is not None:
        _limit_threads(args.cpu)
    start = find_start(args)
    plan = _plan(args, start)
    recipe = plan.recipe
    # The workers start while MXNet loads.
    with OrderedPool[Task, Batch](plan.make_source, args.num_proc, plan.modules, WORKER_NICENESS) as pool:
        from ocr_lib.feed.iterator import OCRIter, endless_ranges, epoch_ranges
        from ocr_lib.mx import contexts
        from ocr_lib.net.checkpoint import load_checkpoint
        from ocr_lib.training.log import TrainingLog
        from ocr_lib.training.store import Store
        from ocr_lib.training.trainer import Limits, Trainer

        devices = contexts(args.gpu)
        store = Store(start.prefix, start.manifest, start.goes_on)
        progress = store.progress() or Progress(plan.fonts, data=plan.data)
        _check_samples(args, plan, progress)
        logger.info("Recipe %s on %s, %s", recipe.name, devices[0], plan.description)
        training = recipe.training
        ranges = epoch_ranges(training.validation_size, training.batch_size)
        validation = list(pool.map(("validation", indices) for indices in ranges))
        endless = endless_ranges(training.epoch_size, training.batch_size, progress.epoch, progress.batch)
        stream = pool.map(("train", indices) for indices in endless)
        batches = math.ceil(training.epoch_size / training.batch_size)
        trainer = Trainer(
            recipe,
            OCRIter(stream, recipe, batches),
            OCRIter(validation, recipe, len(validation), pad=True),
            store,
            progress,
            devices,
            start.pretrained,
        )
        if args.export_on_end:
            export(trainer.checkpoint(), Samples(*validation[0]), is_trained=False)
        if start.pretrained:
            new = sorted(set(recipe.text.alphabet) - set(start.pretrained.alphabet))
            logger.info("Weights of %s; new characters: %s", args.pretrained, ", ".join(map(repr, new)) or "none")
        if start.prefix != args.prefix:
            store.branch(args.prefix, start.replaced)
        log = TrainingLog(args.log_dir or Path(f"{args.prefix}-log"), progress.updates, args.quiet)
        try:
            stopped = trainer.run(log, Limits(args.target_accuracy, args.time_budget - (time.monotonic() - began)))
        finally:
            log.close(progress.history)
    if args.export_on_end and not stopped:
        path = Path(f"{args.prefix}.onnx")
        write_atomic(path, export(load_checkpoint(args.prefix, "best"), _joined(validation)).data)
        logger.info("Exported to %s", path)
    return _conclude(args.prefix, store.best(), stopped)


def _plan(args: argparse.Namespace, start: Start) -> Plan:
    if (args.font_path is None) == (args.train_data is None):
        raise OCRError("give either fonts, or --train-data")
    if args.train_data is None:
        for option in ("val_data", "held_out", "format"):
            if getattr(args, option) is not None:
                raise OCRError(f"{option_name(option)} goes with --train-data, not with fonts")
        return plan_fonts(start.recipe, args.font_path)
    for key, _ in map(parse_setting, args.set):
        if key in ("training.epoch_size", "training.validation_size"):
            raise OCRError(f"--set {key}: with --train-data these are the numbers of samples there are")
    held_out = HELD_OUT if args.held_out is None else args.held_out
    options = DiskOptions(args.train_data, args.val_data, args.format, held_out, args.max_problems)
    return plan_disk(start.recipe, options, start.make_alphabet, args.num_proc)


def _check_samples(args: argparse.Namespace, plan: Plan, progress: Progress) -> None:
    """Refuse to go on with a run on other samples than those that it was begun with."""
    if progress.fonts != plan.fonts:
        began_with = ", ".join(progress.fonts) or "data on disk"
        raise OCRError(f"{args.font_path or args.train_data}: not what this run was begun with, which is {began_with}")
    if progress.data != plan.data:
        raise OCRError(f"{args.train_data}: not the samples that this run was begun with")


def _joined(batches: List[Batch]) -> Samples:
    images, widths = pad([image[:, :width] for b in batches for image, width in zip(b.images, b.widths)])
    return Samples(images, [text for b in batches for text in b.texts], widths)


def _limit_threads(count: int) -> None:
    if count < 1:
        raise OCRError(f"--cpu must be at least 1, not {count}")
    # More threads than cores only wait for each other. The variable is read when MXNet is loaded.
    os.environ["OMP_NUM_THREADS"] = str(min(count, os.cpu_count() or count))


def _conclude(prefix: str, best: Optional[Saved], stopped: Optional[str]) -> int:
    if best:
        accuracy, cer = best.metrics["accuracy"], best.metrics["cer"]
        logger.info("Best: %s%s, accuracy %.4f, CER %.4f", prefix, best.params, accuracy, cer)
        logger.info("To read an image with it: lstm_ocr_infer.py --prefix %s IMAGE", prefix)
    if stopped:
        logger.warning("Stopped by %s; --resume goes on from here", stopped)
        return 128 + signal.Signals[stopped]
    return 0
