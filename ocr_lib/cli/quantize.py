"""``lstm_ocr_quantize.py``: turn a checkpoint into one of 8 bits, for MXNet."""

import argparse
from typing import List, Optional

from ocr_lib.cli.command import add_checkpoint, add_overwrite, add_samples, make_parser, run_command, tell_model
from ocr_lib.jobs.quantize import CALIB_MODES, quantize


def main(argv: Optional[List[str]] = None) -> int:
    """Run the command and return its exit code."""
    parser = make_parser(
        "Turn a checkpoint into one that computes in 8 bits, which lstm_ocr_infer.py --prefix takes like any other. It "
        "is written only if it reads samples about as well. To deploy without MXNet, see lstm_ocr_export.py --int8."
    )
    add_checkpoint(parser)
    parser.add_argument("--out", metavar="PREFIX", help="of the new checkpoint (default: PREFIX-int8)")
    parser.add_argument(
        "--calib-mode",
        choices=CALIB_MODES,
        default="naive",
        help="where the ranges of activations come from: extremes over samples, the least loss of information, or each "
        "call's own values",
    )
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="LAYER",
        help="leave this layer in floating point (repeatable): conv0 and so on, l0 and so on, pred_fc",
    )
    add_samples(parser)
    add_overwrite(parser)
    return run_command(parser, _quantize, argv)


def _quantize(args: argparse.Namespace) -> int:
    quantized = quantize(
        args.prefix,
        args.out,
        samples=args.samples,
        epoch=args.epoch,
        calib_mode=args.calib_mode,
        exclude=args.exclude,
        num_calib=args.num_calib,
        num_test=args.num_test,
        max_drop=args.max_drop / 100,
        overwrite=args.overwrite,
    )
    path, prefix = quantized.path, quantized.prefix
    tell_model(
        args.json,
        f"{path} and what belongs to it written; lstm_ocr_infer.py --prefix {prefix} reads with it",
        {"path": str(path)},
        quantized.comparison,
        quantized.speedups,
    )
    return 0
