"""``lstm_ocr_export.py``: turn a checkpoint into a file that is served without MXNet."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Dict, List, NamedTuple, Optional

from ocr_lib.cli.command import add_checkpoint, add_samples, make_parser, run_command, tell_model
from ocr_lib.errors import OCRError
from ocr_lib.feed.samples import Samples, load_samples
from ocr_lib.files import write_atomic
from ocr_lib.recognize.comparison import Comparison, accept_loss, accept_same, compare, speedups

if TYPE_CHECKING:
    from ocr_lib.net.checkpoint import Checkpoint


class Exported(NamedTuple):
    """A model file that was checked against its checkpoint.

    Attributes
    ----------
    data : bytes
    comparison : Comparison
        With the checkpoint.
    speedups : dict
        How many times faster 8 bits are than floating point, by the number of images in a batch.
    """

    data: bytes
    comparison: Comparison
    speedups: Dict[int, float]


def main(argv: Optional[List[str]] = None) -> int:
    """Run the command and return its exit code."""
    parser = make_parser(
        "Turn a checkpoint into an ONNX file, in floating point or in 8 bits, that lstm_ocr_infer.py --model and "
        "ocr_lib.deploy.Predictor read without MXNet. It is written only if it reads samples as the checkpoint does."
    )
    add_checkpoint(parser)
    parser.add_argument("--format", choices=["onnx"], default="onnx", help="of the file")
    parser.add_argument("--int8", action="store_true", help="weights and activations in 8 bits: smaller and faster")
    parser.add_argument("--out", type=Path, metavar="FILE", help="(default: PREFIX.onnx, or PREFIX-int8.onnx)")
    parser.add_argument("--license", default="not stated", help="of the model, for the file's metadata")
    add_samples(parser)
    return run_command(parser, _export, argv)


def export(
    checkpoint: "Checkpoint",
    samples: Samples,
    calibration: Optional[Samples] = None,
    max_drop: float = 1.0,
    model_license: str = "not stated",
    is_trained: bool = True,
) -> Exported:
    """Export a checkpoint, in 8 bits if there are samples to calibrate with, and have both read samples.

    Raises
    ------
    OCRError
        If they read them differently, or with 8 bits lose more than `max_drop` of exact match; or if what exporting
        takes is not installed.
    """
    try:
        from ocr_lib.deploy.export import export_onnx
        from ocr_lib.deploy.predictor import Predictor
    except ImportError as error:
        raise OCRError(f"exporting needs another package ({error}): pip install 'ocr-lib[export]'") from error
    from ocr_lib.net.checkpoint import numpy_weights
    from ocr_lib.net.reader import Reader

    reader = Reader(checkpoint)
    network = checkpoint.recipe, numpy_weights(checkpoint), model_license
    data = export_onnx(*network)
    predictor = Predictor(data)
    comparison = compare(predictor, reader, *samples)
    accept_same(comparison, is_trained)
    if calibration is None:
        return Exported(data, comparison, {})
    data = export_onnx(*network, calibration.images, calibration.widths)
    quantized = Predictor(data)
    comparison = compare(quantized, reader, *samples)
    accept_loss(comparison, max_drop)
    return Exported(data, comparison, speedups(quantized, predictor, samples.images))


def _export(args: argparse.Namespace) -> int:
    out = args.out or Path(f"{args.prefix}-int8.onnx" if args.int8 else f"{args.prefix}.onnx")
    if out.suffix != ".onnx" or out.is_dir():
        raise OCRError(f"--out {out}: give the name of a file, ending in .onnx")
    from ocr_lib.net.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(args.prefix, args.epoch)
    where = args.samples, checkpoint.recipe, checkpoint.preparation
    calibration = load_samples(*where, "validation", args.num_calib) if args.int8 else None
    samples = load_samples(*where, "test", args.num_test)
    exported = export(checkpoint, samples, calibration, args.max_drop / 100, args.license)
    write_atomic(out, exported.data)
    size, before = len(exported.data), checkpoint.params_path.stat().st_size
    tell_model(
        args.json,
        f"{out}: {size:,} bytes, against {before:,} of {checkpoint.params_path}",
        {"path": str(out), "bytes": size, "bytes_before": before},
        exported.comparison,
        exported.speedups,
    )
    return 0
