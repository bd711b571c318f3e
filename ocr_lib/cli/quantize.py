"""``lstm_ocr_quantize.py``: turn a checkpoint into one of 8 bits, for MXNet."""

import argparse
from typing import List, Optional

from ocr_lib.cli.command import add_checkpoint, add_samples, make_parser, run_command, tell_model
from ocr_lib.errors import OCRError
from ocr_lib.net.manifest import read_manifest


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
        choices=["naive", "entropy", "none"],
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
    return run_command(parser, _quantize, argv)


def _quantize(args: argparse.Namespace) -> int:
    out = args.out or f"{args.prefix}-int8"
    previous = read_manifest(out)
    if previous and previous.states:
        raise OCRError(f"{out} holds a training run: choose another --out")
    from ocr_lib.feed.samples import load_samples
    from ocr_lib.net.checkpoint import load_checkpoint, split_params
    from ocr_lib.net.reader import Reader
    from ocr_lib.quant.int8 import quantize
    from ocr_lib.recognize.comparison import accept_loss, compare, speedups
    from ocr_lib.training.progress import Progress
    from ocr_lib.training.store import Store

    checkpoint = load_checkpoint(args.prefix, args.epoch)
    reader = Reader(checkpoint)
    where = args.samples, checkpoint.recipe, checkpoint.preparation
    calibration = load_samples(*where, "validation", args.num_calib)
    samples = load_samples(*where, "test", args.num_test)
    symbol, params = quantize(checkpoint, calibration.images, args.calib_mode, args.exclude)
    arg_params, aux_params = split_params(params)
    quantized = Reader(checkpoint._replace(symbol=symbol, arg_params=arg_params, aux_params=aux_params))
    comparison = compare(quantized, reader, *samples)
    accept_loss(comparison, args.max_drop / 100)
    metrics = {} if comparison.accuracy is None else {"accuracy": comparison.accuracy, "cer": comparison.cer or 0.0}
    path = Store(out, previous).commit(checkpoint.recipe, symbol, {"params": params}, Progress(), metrics, is_best=True)
    tell_model(
        args.json,
        f"{path} and what belongs to it written; lstm_ocr_infer.py --prefix {out} reads with it",
        {"path": str(path)},
        comparison,
        speedups(quantized, reader, samples.images),
    )
    return 0
