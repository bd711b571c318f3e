"""``lstm_ocr_quantize.py``: turn a checkpoint into one of few bits."""

import argparse
import json
from pathlib import Path
from typing import Any, Dict, List, Optional, Union

from ocr_lib.cli.command import (
    add_checkpoint,
    add_overwrite,
    add_samples,
    make_parser,
    refuse_others,
    run_command,
    tell_model,
)
from ocr_lib.errors import OCRError
from ocr_lib.fixed.calibrate import RANGES
from ocr_lib.jobs.export import NUM_CALIB
from ocr_lib.jobs.quantize import CALIB_MODES, Quantized, quantize
from ocr_lib.jobs.quantize_fixed import calibrate, measure

_ENGINES = ("mxnet", "fixed")
_OF_ENGINES = {"mxnet": ("exclude",), "fixed": ("bits", "mode", "output_dir")}


def main(argv: Optional[List[str]] = None) -> int:
    """Run the command and return its exit code."""
    parser = make_parser(
        "Turn a checkpoint into one that computes in few bits, which lstm_ocr_infer.py --prefix takes like any other. "
        "It is written only if it reads samples about as well. To deploy without MXNet, see lstm_ocr_export.py."
    )
    add_checkpoint(parser)
    parser.add_argument(
        "--engine",
        choices=_ENGINES,
        default=_ENGINES[0],
        help="MXNet's own operators of 8 bits, or whole numbers alone, as docs/low-bits.md tells",
    )
    parser.add_argument(
        "--mode",
        choices=["calib", "test"],
        help="with --engine fixed: make a quantized checkpoint, or measure one and write what is deployed of it "
        "(default: calib)",
    )
    parser.add_argument(
        "--bits",
        choices=["8", "16", "mixed"],
        help="with --engine fixed: of weights and activations; mixed gives each layer's weights the fewest that "
        "--max-drop allows (default: 8)",
    )
    parser.add_argument("--out", metavar="PREFIX", help="of the new checkpoint (default: PREFIX-int8, or PREFIX-fixed)")
    parser.add_argument(
        "--output-dir",
        type=Path,
        metavar="DIR",
        help="with --engine fixed: for quant_info.json and, of --mode test, the integer model and golden tensors "
        "(default: of the quantized checkpoint, PREFIX-quantized)",
    )
    parser.add_argument(
        "--calib-mode",
        choices=[*CALIB_MODES, *RANGES],
        help="where the ranges of activations come from. MXNet's: extremes over samples, the least loss of "
        "information, or each call's own values. With --engine fixed: extremes, all but one value in 10,000, the least "
        "squared error, or the least loss of information (default: naive, or mse)",
    )
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="LAYER",
        help="leave this layer in floating point (repeatable): conv0 and so on, l0 and so on, pred_fc",
    )
    add_samples(parser)
    parser.add_argument("--subset", type=int, dest="num_calib", default=NUM_CALIB, help="another name of --num-calib")
    add_overwrite(parser)
    return run_command(parser, _quantize, argv)


def _quantize(args: argparse.Namespace) -> int:
    refuse_others(args, "engine", _OF_ENGINES)
    known = {"mxnet": CALIB_MODES, "fixed": RANGES}[args.engine]
    if args.calib_mode not in (None, *known):
        raise OCRError(f"--calib-mode {args.calib_mode}: with --engine {args.engine} it is one of {', '.join(known)}")
    if args.mode == "test":
        return _measure(args)
    common: Dict[str, Any] = {
        "samples": args.samples,
        "epoch": args.epoch,
        "num_calib": args.num_calib,
        "num_test": args.num_test,
        "max_drop": args.max_drop / 100,
        "overwrite": args.overwrite,
    }
    quantized: Quantized
    if args.engine == "fixed":
        bits: Union[int, str] = "mixed" if args.bits == "mixed" else int(args.bits or 8)
        choice = args.calib_mode or "mse"
        quantized = calibrate(args.prefix, args.out, bits=bits, choice=choice, output_dir=args.output_dir, **common)
    else:
        calib_mode = args.calib_mode or "naive"
        quantized = quantize(args.prefix, args.out, calib_mode=calib_mode, exclude=args.exclude, **common)
    path, prefix = quantized.path, quantized.prefix
    tell_model(
        args.json,
        f"{path} and what belongs to it written; lstm_ocr_infer.py --prefix {prefix} reads with it",
        {"path": str(path)},
        quantized.comparison,
        quantized.speedups,
    )
    return 0


def _measure(args: argparse.Namespace) -> int:
    refuse_others(args, "mode", {"calib": ("out", "bits", "calib_mode")})
    measured = measure(
        args.prefix, samples=args.samples, epoch=args.epoch, num_test=args.num_test, output_dir=args.output_dir
    )
    if args.json:
        print(json.dumps({**measured._asdict(), "folder": str(measured.folder)}, indent=2))
        return 0
    figures = "" if measured.accuracy is None else f": exact match {measured.accuracy:.2%}, CER {measured.cer:.2%}"
    print(f"{measured.images} images read in whole numbers{figures}")
    if measured.is_checked:
        print("Training's graph gives the same logits, every one")
    print(f"{measured.folder}: model.bin, quant_info.json and golden.npz written")
    return 0
