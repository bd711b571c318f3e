"""``lstm_ocr_export.py``: turn a checkpoint into a file that is served without MXNet."""

import argparse
from pathlib import Path
from typing import List, Optional

from ocr_lib.cli.command import add_checkpoint, add_overwrite, add_samples, make_parser, run_command, tell_model
from ocr_lib.jobs.export import UNSTATED, export


def main(argv: Optional[List[str]] = None) -> int:
    """Run the command and return its exit code."""
    parser = make_parser(
        "Turn a checkpoint into an ONNX file, in floating point or in 8 bits, that lstm_ocr_infer.py --model and "
        "ocr_lib.load read without MXNet. It is written only if it reads samples as the checkpoint does."
    )
    add_checkpoint(parser)
    parser.add_argument("--format", choices=["onnx"], default="onnx", help="of the file")
    parser.add_argument("--int8", action="store_true", help="weights and activations in 8 bits: smaller and faster")
    parser.add_argument("--out", type=Path, metavar="FILE", help="(default: PREFIX.onnx, or PREFIX-int8.onnx)")
    parser.add_argument("--license", default=UNSTATED, help="of the model, for the file's metadata")
    add_samples(parser)
    add_overwrite(parser)
    return run_command(parser, _export, argv)


def _export(args: argparse.Namespace) -> int:
    exported = export(
        args.prefix,
        args.out,
        samples=args.samples,
        epoch=args.epoch,
        int8=args.int8,
        num_calib=args.num_calib,
        num_test=args.num_test,
        max_drop=args.max_drop / 100,
        license=args.license,
        overwrite=args.overwrite,
    )
    path, size, before = exported.path, exported.size, exported.size_before
    tell_model(
        args.json,
        f"{path}: {size:,} bytes, against {before:,} of {exported.source}",
        {"path": str(path), "bytes": size, "bytes_before": before},
        exported.comparison,
        exported.speedups,
    )
    return 0
