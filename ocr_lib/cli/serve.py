"""``lstm_ocr_serve.py``: read images that come by HTTP."""

import argparse
import logging
from pathlib import Path
from typing import List, Optional, Tuple

from ocr_lib.cli.command import make_parser, run_command
from ocr_lib.cores import usable_cores
from ocr_lib.errors import OCRError, naming, option_name
from ocr_lib.installation import how_to_install
from ocr_lib.serve.settings import MEBIBYTE, Limits, Settings
from ocr_lib.zoo.models import model_names

_LIMITS = Limits()
_LEAST = {
    "workers": 1,
    "batch_size": 1,
    "max_body": 0.001,
    "max_pixels": 1,
    "max_images": 1,
    "max_queue": 1,
    "timeout": 0.1,
}


def main(argv: Optional[List[str]] = None) -> int:
    """Run the command and return its exit code."""
    parser = make_parser(
        "Read images that come by HTTP: POST /v1/read takes them as files of a form, as the body, or in JSON, and / is "
        "a page for browsers. SIGTERM ends it when what is in flight is answered; SIGHUP, or a changed file, loads "
        "models again."
    )
    parser.add_argument(
        "--model",
        action="append",
        required=True,
        metavar="[NAME=]FILE|NAME",
        help="an exported model, which goes by its file's name or the one given, or one that is trained already: "
        f"{', '.join(model_names())}; may be repeated, and the first is the default",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8000, help="0 takes one that is free")
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: one for each core)")
    parser.add_argument(
        "--batch-size", type=int, default=64, metavar="N", help="images to put through a network at a time"
    )
    parser.add_argument(
        "--max-body", type=float, default=_LIMITS.body_bytes / MEBIBYTE, metavar="MIB", help="of a request"
    )
    parser.add_argument("--max-pixels", type=int, default=_LIMITS.pixels, metavar="N", help="of an image")
    parser.add_argument("--max-images", type=int, default=_LIMITS.images, metavar="N", help="of a request")
    parser.add_argument(
        "--max-queue",
        type=int,
        default=_LIMITS.queue,
        metavar="N",
        help="images that wait in a process; then come 503s",
    )
    parser.add_argument(
        "--timeout", type=float, default=_LIMITS.seconds, metavar="SECONDS", help="to arrive in, and to be read in"
    )
    parser.add_argument("--grace", type=float, default=20.0, metavar="SECONDS", help="for what is in flight at the end")
    parser.add_argument(
        "--api-key-file", type=Path, metavar="FILE", help="keys, one a line, of which requests need one"
    )
    parser.add_argument(
        "--cors-origin", action="append", default=[], metavar="ORIGIN", help="whose pages may ask; repeatable"
    )
    parser.add_argument("--root-path", default="", metavar="PATH", help="under which a proxy in front has it")
    return run_command(parser, _serve, argv)


def _serve(args: argparse.Namespace) -> int:
    cores = usable_cores()
    workers = cores if args.workers is None else args.workers
    for name, least in _LEAST.items():
        value = workers if name == "workers" else getattr(args, name)
        if value < least:
            raise OCRError(f"{option_name(name)} must be at least {least}, not {value}")
    if not 0 <= args.port <= 65535:
        raise OCRError(f"--port must be from 0 to 65535, not {args.port}")
    settings = Settings(
        models=_models(args.model),
        limits=Limits(int(args.max_body * MEBIBYTE), args.max_pixels, args.max_images, args.timeout, args.max_queue),
        batch_size=args.batch_size,
        threads=max(1, cores // workers),
        keys=_keys(args.api_key_file) if args.api_key_file else (),
        origins=tuple(args.cors_origin),
        root_path=args.root_path,
        grace=args.grace,
        logs_requests=not args.quiet,
        log_level=logging.WARNING if args.quiet else logging.INFO,
    )
    try:
        from ocr_lib.serve.supervisor import serve
    except ImportError as error:
        raise OCRError(f"the service needs FastAPI and Uvicorn ({error}): {how_to_install('serve')}") from error
    serve(settings, args.host, args.port, workers)
    return 0


def _models(given: List[str]) -> Tuple[Tuple[str, str], ...]:
    """Return names and files of models; a file's own name may have an equals sign."""
    found = {}
    for each in given:
        name, is_named, path = each.partition("=")
        if not is_named or Path(each).exists():
            name, path = Path(each).stem, each
        if not name:
            raise OCRError(f"--model {each}: the name is empty")
        if name in found:
            raise OCRError(f"two models are called {name}: give one another name, --model NAME={path}")
        found[name] = path
    return tuple(found.items())


def _keys(path: Path) -> Tuple[str, ...]:
    with naming(path):
        lines = path.read_bytes().decode("ascii", "replace").splitlines()
    keys = tuple(line.strip() for line in lines if line.strip())
    if not keys or not all(key.isprintable() and key.isascii() for key in keys):
        raise OCRError(f"{path}: no key, or one that is not printable ASCII; it has one a line")
    return keys
