"""``lstm_ocr_export.py``: turn a checkpoint into files that are served without MXNet."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, List, Optional

from ocr_lib.cli.command import (
    add_checkpoint,
    add_overwrite,
    add_samples,
    make_parser,
    refuse_others,
    run_command,
    tell_model,
)
from ocr_lib.jobs.export import UNSTATED, export
from ocr_lib.jobs.export_fixed import Written, export_c, export_hls, export_web

_OF_FORMATS = {"onnx": ("int8",), "hls": ("simd_factor", "pe")}


def main(argv: Optional[List[str]] = None) -> int:
    """Run the command and return its exit code."""
    parser = make_parser(
        "Turn a checkpoint into an ONNX file, in floating point or in 8 bits, that lstm_ocr_infer.py --model and "
        "ocr_lib.load read without MXNet; into a reader in C or a page for browsers, which compute in whole numbers; "
        "or, if it is in whole numbers, into a header for an FPGA. What reads samples much worse than the checkpoint "
        "is not written."
    )
    add_checkpoint(parser)
    parser.add_argument(
        "--format",
        choices=["onnx", "c", "web", "hls"],
        default="onnx",
        help="an ONNX file; a folder that make builds a reader of, in C99; a page that reads in browsers, offline too; "
        "or the header for LSTM-PYNQ's HLS code",
    )
    parser.add_argument("--int8", action="store_true", help="weights and activations in 8 bits: smaller and faster")
    parser.add_argument(
        "--simd-factor", type=int, metavar="F", help="with --format hls: a unit takes F cycles a column"
    )
    parser.add_argument("--pe", type=int, metavar="P", help="with --format hls: units that are computed at a time")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="PATH",
        help="(default: PREFIX.onnx or PREFIX-int8.onnx; PREFIX-c; PREFIX.html; PREFIX.hpp)",
    )
    parser.add_argument("--license", default=UNSTATED, help="of the model, for the metadata of an ONNX file")
    add_samples(parser)
    add_overwrite(parser)
    return run_command(parser, _export, argv)


def _export(args: argparse.Namespace) -> int:
    refuse_others(args, "format", _OF_FORMATS)
    if args.format == "onnx":
        return _export_onnx(args)
    common: Dict[str, Any] = {"epoch": args.epoch, "overwrite": args.overwrite}
    calibration = {"num_calib": args.num_calib, "num_test": args.num_test, "max_drop": args.max_drop / 100}
    if args.format == "c":
        written = export_c(args.prefix, args.out, samples=args.samples, **calibration, **common)
        ways = f"make -C {written.path} test builds and tests {written.path / 'ocr_reader'}, which reads PGM files"
    elif args.format == "web":
        written = export_web(args.prefix, args.out, samples=args.samples, **calibration, **common)
        ways = "any browser opens it, from a disk too, and reads without a server"
    else:
        written = export_hls(args.prefix, args.out, simd_factor=args.simd_factor or 1, pe=args.pe or 1, **common)
        ways = "LSTM-PYNQ's HLS code includes it as r_model_fw_bw.hpp"
    return _tell(args.json, written, ways)


def _tell(as_json: bool, written: Written, ways: str) -> int:
    path, size, before = written.path, written.num_bytes, written.source.stat().st_size
    memory = written.memory._asdict() if written.memory else {}
    compared = asdict(written.comparison) if written.comparison else {}
    if as_json:
        print(json.dumps({"path": str(path), "bytes": size, "bytes_before": before, **memory, **compared}, indent=2))
        return 0
    print(f"{path}: {size:,} bytes, against {before:,} of {written.source}")
    if written.comparison:
        print(f"calibrated to whole numbers of 8 bits: {written.comparison.summary()}")
    if written.memory:
        print("{ram:,} bytes of memory where there is little, {fast_ram:,} where speed counts".format(**memory))
    print(ways)
    return 0


def _export_onnx(args: argparse.Namespace) -> int:
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
