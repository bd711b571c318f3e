"""``lstm_ocr_train.py``: train a recognizer on captchas rendered from fonts."""

import argparse
import logging
import math
import os
import signal
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from ocr_lib.alphabet import SETS
from ocr_lib.cli.command import make_parser, num_proc, run_command
from ocr_lib.cli.dataset import add_dataset_options
from ocr_lib.errors import OCRError
from ocr_lib.feed.data import HELD_OUT
from ocr_lib.jobs.train import train
from ocr_lib.jobs.two_steps import train_in_two_steps
from ocr_lib.recipe.auto import AUTO
from ocr_lib.recipe.captcha import RENDERERS
from ocr_lib.recipe.settings import parse_setting, preset_names
from ocr_lib.sets.alphabets import find_alphabet
from ocr_lib.training.exchange import GRADIENT_COMPRESSIONS, KV_STORES
from ocr_lib.training.start import ALPHABET, DEFAULT_PRESET, LINES_PRESET, POLICIES, WORDS_PRESET
from ocr_lib.training.warm_start import ALPHABET_CHANGES
from ocr_lib.zoo.models import model_names

logger = logging.getLogger(__name__)

# Options that the function takes under the same names.
_PASSED_ON = (
    "texts val_data held_out format max_problems label_pattern split resume overwrite pretrained pretrained_policy "
    "alphabet_change kv_store gradient_compression target_accuracy time_budget export_on_end log_dir dry_run quiet"
).split()


def main(argv: Optional[List[str]] = None) -> int:
    """Run the command and return its exit code."""
    parser = make_parser(
        "Train an LSTM-CTC recognizer on captchas that worker processes render from fonts, or on labelled images."
    )
    parser.add_argument("font_path", nargs="?", type=Path, help="a font file, or a folder of them")
    parser.add_argument(
        "--texts",
        action="append",
        default=[],
        metavar="FILE",
        help="render these in the fonts: a word on each line, or running text to cut lines out of",
    )
    parser.add_argument("--train-data", type=Path, metavar="PATH", help="train on labelled images, not on fonts")
    parser.add_argument("--val-data", type=Path, metavar="PATH", help="labelled images to validate on")
    parser.add_argument(
        "--held-out",
        type=float,
        metavar="SHARE",
        help=f"of --train-data, where there is no --val-data (default: {HELD_OUT:g})",
    )
    add_dataset_options(parser, "data on disk", "train")
    _add_start_options(parser)
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
    parser.add_argument("--cpu", type=int, help="cores to train on, a process each (default: all)")
    parser.add_argument("--gpu", type=int, default=0, help="GPUs to train on; 0 trains on the CPU")
    parser.add_argument(
        "--kv-store",
        choices=KV_STORES,
        default=KV_STORES[0],
        help="what connects the machines that share the run: lstm_ocr_launch.py starts them (default: local, for one)",
    )
    parser.add_argument(
        "--gradient-compression",
        choices=GRADIENT_COMPRESSIONS,
        default=GRADIENT_COMPRESSIONS[0],
        help="send gradients to other machines in two bits each, where the network is slow (default: none)",
    )
    parser.add_argument("--target-accuracy", type=float, default=math.inf, help="stop once a validation reaches it")
    parser.add_argument("--time-budget", type=float, default=math.inf, metavar="SECONDS", help="stop after this time")
    parser.add_argument(
        "--export-on-end",
        action="store_true",
        help="write PREFIX.onnx in the end, of the best epoch; whether that will work is tried at the beginning",
    )
    parser.add_argument("--dry-run", action="store_true", help="do all but training, and write nothing")
    parser.add_argument("--log-dir", type=Path, help="folder for curves and TensorBoard events (default: PREFIX-log)")
    return run_command(parser, _train, argv)


def _add_start_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what a run begins with, but for those that are short for a setting."""
    parser.add_argument("--prefix", default="ocr", help="path that the names of the checkpoint's files begin with")
    known = ", ".join(preset_names())
    parser.add_argument(
        "--preset",
        help=f"{AUTO}, which finds a recipe from --train-data, {known}, or a recipe's JSON file (default: {AUTO} with "
        f"--train-data, {WORDS_PRESET} or {LINES_PRESET} with --texts, else {DEFAULT_PRESET})",
    )
    parser.add_argument(
        "--alphabet",
        metavar="NAME|FILE|CHARACTERS",
        help=f"{', '.join(SETS)}, a text file with the characters, or these themselves (default: that of labels or "
        "texts, or the preset's)",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change the recipe, as in network.hidden=64"
    )
    parser.add_argument(
        "--first-step",
        metavar="float|BITS",
        help="train at PREFIX-step1 first, in floating point or with bits such as W2B8A4I32_FC_W32B32; then fold batch "
        "normalisation into the weights and train with the quantization that --set states",
    )
    parser.add_argument("--resume", action="store_true", help="go on where the run at --prefix stopped or was killed")
    parser.add_argument("--overwrite", action="store_true", help="replace the run at --prefix")
    parser.add_argument(
        "--pretrained",
        metavar="PREFIX|FILE|NAME",
        help="begin with a checkpoint (see --pretrained-policy), an exported model, or one that is trained already: "
        f"{', '.join(model_names())}",
    )
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


def _train(args: argparse.Namespace) -> int:
    os.environ["OMP_NUM_THREADS"] = "1"  # is read when MXNet is loaded: what computes on several cores is processes
    options: Dict[str, Any] = {
        "fonts": args.font_path,
        "train_data": args.train_data,
        "settings": _settings(args),
        "num_proc": args.num_proc,
        "cpus": args.cpu,
        "gpus": args.gpu,
        **{name: getattr(args, name) for name in _PASSED_ON},
    }
    if args.first_step is None:
        trained = train(args.prefix, args.preset, **options)
    else:
        trained = train_in_two_steps(args.prefix, args.preset, args.first_step, **options)
    if args.dry_run:
        return 0
    if trained.best:
        accuracy, cer = trained.best.metrics["accuracy"], trained.best.metrics["cer"]
        logger.info("Best: %s%s, accuracy %.4f, CER %.4f", args.prefix, trained.best.params, accuracy, cer)
        logger.info("To read an image with it: lstm_ocr_infer.py --prefix %s IMAGE", args.prefix)
    if trained.stopped:
        logger.warning("Stopped by %s; --resume goes on from here", trained.stopped)
        return 128 + signal.Signals[trained.stopped]
    return 0


def _settings(args: argparse.Namespace) -> List[Tuple[str, Any]]:
    settings: List[Tuple[str, Any]] = [parse_setting(text) for text in args.set]
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
