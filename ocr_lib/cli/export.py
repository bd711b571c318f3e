"""``lstm_ocr_export.py``: turn a checkpoint into a file that is served without MXNet."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, List, Optional

from ocr_lib.cli.command import add_checkpoint, add_samples, make_parser, run_command
from ocr_lib.errors import OCRError
from ocr_lib.files import write_atomic


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


def _export(args: argparse.Namespace) -> int:
    out = args.out or Path(f"{args.prefix}-int8.onnx" if args.int8 else f"{args.prefix}.onnx")
    if out.suffix != ".onnx":
        raise OCRError(f"--out {out}: an ONNX file, so let its name end in .onnx")
    if out.is_dir():
        raise OCRError(f"--out {out} is a folder")
    from ocr_lib.data.samples import load_samples
    from ocr_lib.deploy.export import export_onnx
    from ocr_lib.deploy.predictor import Predictor
    from ocr_lib.net.checkpoint import load_checkpoint, numpy_weights
    from ocr_lib.net.reader import Reader
    from ocr_lib.recognize.comparison import accept_loss, accept_same, compare, speedup

    checkpoint = load_checkpoint(args.prefix, args.epoch)
    reader = Reader(checkpoint)
    recipe = checkpoint.recipe
    samples = load_samples(args.samples, recipe, reader.preparation, "test", args.num_test)
    network = recipe, numpy_weights(checkpoint), checkpoint.is_original, args.license
    data = export_onnx(*network)
    predictor = Predictor(data)
    comparison = compare(predictor, reader, *samples)
    accept_same(comparison)
    gain = {}
    if args.int8:
        calibration = load_samples(args.samples, recipe, reader.preparation, "validation", args.num_calib)
        data = export_onnx(*network, calibration.images)
        quantized = Predictor(data)
        comparison = compare(quantized, reader, *samples)
        accept_loss(comparison, args.max_drop / 100)
        gain = {f"speedup_{count}": speedup(quantized, predictor, samples.images[:count]) for count in (1, 128)}
    write_atomic(out, data)
    report: Dict[str, Any] = {
        "path": str(out),
        "bytes": len(data),
        "bytes_before": checkpoint.params_path.stat().st_size,
        **asdict(comparison),
        **gain,
    }
    if args.json:
        print(json.dumps(report, indent=2))
    else:
        print(f"{out}: {len(data):,} bytes, against {report['bytes_before']:,} of {checkpoint.params_path}")
        print(comparison.summary())
        if gain:
            one, many = gain.values()
            print(f"{one:.2f} times as fast as floating point for one image, {many:.2f} times for 128")
    return 0
