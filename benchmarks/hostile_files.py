"""Mutated files of each kind that is read: every one must be read, or refused in one line.

Mutants are read in processes of their own, by what reads such files in use. A fault is a process that dies, an answer
that does not come, an exception other than ours, more than one line of text, or too much memory.

    python benchmarks/hostile_files.py --count 1000 symbol params
    python benchmarks/hostile_files.py png jpeg bmp tiff webp pnm gif
"""

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from image_mutations import mutated_image, mutated_png, mutated_tiff
from mutations import mutated
from report import ROOT, make_parser

MOST_S = 20.0  # to read a mutant
MOST_MB = 1000.0  # of the process that reads them
_STARTING_S = 120.0
_SAFE_BYTES = 6 * 2**30  # of addresses, so that the machine survives what is looked for

READ, REFUSED = "read", "refused"
IMAGE_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WebP", "PNM", "GIF")


class Kind(NamedTuple):
    """Whole files to mutate, what reads one from its bytes, and how they are mutated."""

    seeds: Sequence[bytes]
    read: Callable[[bytes], object]
    mutate: Callable[[Sequence[bytes], np.random.Generator], bytes] = mutated


class Source(NamedTuple):
    """What makes a kind in a folder of its own, and how many mutants are enough."""

    make: Callable[[Path], Kind]
    count: int = 1000


class Found(NamedTuple):
    """What became of the mutants of a kind."""

    kind: str
    mutants: int
    read: int
    refused: int
    faults: List[str]
    slowest_ms: float
    peak_mb: float


def classic(folder: Path, suffix: str) -> Kind:
    """Return a file of a checkpoint of MXNet's own example, of a small network, with either loss."""
    from tests import original_example

    sizes = {"steps": 8, "hidden": 6, "layers": 2}
    original_example.save(folder / "ocr", rows=8, **sizes)
    kind = checkpoint_file(folder, suffix)
    if suffix.endswith(".params"):
        return kind
    return Kind([*kind.seeds, original_example.warpctc_symbol(**sizes).encode()], kind.read)


def ours(folder: Path, suffix: str) -> Kind:
    """Return a file of a checkpoint of ours, with convolutions, without its manifest."""
    from ocr_lib.net.manifest import manifest_path
    from ocr_lib.recipe.settings import load_preset, override
    from tests.small_network import random_params, save

    network = {"hidden": 6, "convolutions": [{"filters": 4}, {"filters": 4}], "output_norm": True}
    recipe = override(load_preset("captcha"), [(f"network.{key}", value) for key, value in network.items()])
    save(folder / "ocr", recipe, random_params(recipe))
    manifest_path(str(folder / "ocr")).unlink()
    return checkpoint_file(folder, suffix)


def int8(folder: Path, suffix: str) -> Kind:
    """Return a file of a checkpoint of 8 bits."""
    from ocr_lib.mx import mx
    from ocr_lib.net.checkpoint import load_checkpoint
    from ocr_lib.net.manifest import RECIPE
    from ocr_lib.quant.int8 import quantize
    from ocr_lib.recipe.settings import encode_json
    from tests import original_example

    original_example.save(folder / "source", rows=8, steps=12, hidden=6, layers=2)
    checkpoint = load_checkpoint(str(folder / "source"))
    images = np.random.default_rng(0).integers(0, 256, (8, 8, 12), np.uint8)
    symbol, params = quantize(checkpoint, images)
    symbol.save(str(folder / "ocr-symbol.json"))
    mx.nd.save(str(folder / "ocr-0100.params"), params)
    (folder / f"ocr{RECIPE}").write_bytes(encode_json(checkpoint.recipe))
    return checkpoint_file(folder, suffix)


def checkpoint_file(folder: Path, suffix: str) -> Kind:
    """Return the file of the checkpoint ``ocr``, which is read by loading that and having it read an image."""
    from ocr_lib.net.checkpoint import load_checkpoint
    from ocr_lib.net.reader import Reader

    (path,) = folder.glob(f"ocr-*{suffix}")
    image = np.random.default_rng(0).integers(0, 256, (30, 80), np.uint8)

    def read(data: bytes) -> object:
        path.write_bytes(data)
        return Reader(load_checkpoint(str(folder / "ocr")), 1).read([image])

    return Kind([path.read_bytes()], read)


def images(folder: Path, image_format: str) -> Kind:
    """Return image files of a format, of every kind that it has."""
    from ocr_lib.images.decode import decode_image
    from tests.images.image_seeds import ANIMATIONS, SEEDS

    mutate = {"PNG": mutated_png, "TIFF": mutated_tiff}.get(image_format, mutated_image)
    animations = [ANIMATIONS[image_format]] if image_format in ANIMATIONS else []
    return Kind([*SEEDS[image_format], *animations], decode_image, mutate)


KINDS = {
    "symbol": Source(partial(classic, suffix="symbol.json")),
    "params": Source(partial(classic, suffix=".params")),
    "our-symbol": Source(partial(ours, suffix="symbol.json")),
    "our-params": Source(partial(ours, suffix=".params")),
    "int8-symbol": Source(partial(int8, suffix="symbol.json")),
    "int8-params": Source(partial(int8, suffix=".params")),
    **{name.lower(): Source(partial(images, image_format=name), 10_000) for name in IMAGE_FORMATS},
}


def work(name: str, seed: int, first: int, count: int) -> None:
    """Read mutants, and print for each what became of it, milliseconds, and the memory of this process by then."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as said:
        kind = KINDS[name].make(Path(folder))
        for whole in kind.seeds:
            kind.read(whole)
        os.dup2(said.fileno(), sys.stderr.fileno())
        resource.setrlimit(resource.RLIMIT_AS, (_SAFE_BYTES, _SAFE_BYTES))
        _answer("ready", 0.0)
        for index in range(first, first + count):
            data = kind.mutate(kind.seeds, np.random.default_rng([seed, index]))
            began = time.perf_counter()
            outcome = _outcome(kind.read, data)
            passed = time.perf_counter() - began
            said.seek(0)
            _answer(f"prints {text!r}" if (text := said.read()) else outcome, 1000 * passed)
            said.seek(0)
            said.truncate()


def _outcome(read: Callable[[bytes], object], data: bytes) -> str:
    from ocr_lib.errors import OCRError

    try:
        read(data)
    except OCRError as error:
        if len(str(error).splitlines()) != 1:
            return f"not one line: {str(error)!r}"
        return f"memory was refused: {error}" if _lacks_memory(error) else REFUSED
    except Exception as error:  # whatever it is, it is a fault
        return f"{type(error).__name__}: {error}"
    return READ


def _lacks_memory(error: Optional[BaseException]) -> bool:
    if error is None:
        return False
    return bool(re.search("bad_alloc|[Ff]ailed to allocate", str(error))) or _lacks_memory(error.__cause__)


def _answer(outcome: str, ms: float) -> None:
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps([outcome, ms, peak_mb]), flush=True)


def answers(name: str, seed: int, count: int) -> Iterator[Tuple[str, float, float]]:
    """Have mutants read by processes, another one whenever one dies, and give what `work` says of each."""
    done = 0
    while done < count:
        command = [sys.executable, __file__, "--work", name, str(seed), str(done), str(count - done)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
            if _next_line(process, _STARTING_S) == b"":
                raise SystemExit(f"{name}: whole files can't be read")
            began = time.perf_counter()
            while line := _next_line(process, MOST_S):
                yield tuple(json.loads(line))
                done += 1
                began = time.perf_counter()
        if done < count or process.returncode:
            yield f"ended with {process.returncode}", 1000 * (time.perf_counter() - began), 0.0
            done += 1


def _next_line(process: "subprocess.Popen[bytes]", limit_s: float) -> bytes:
    """Return a process's next line, or nothing if it ends before, or does not answer and is killed."""
    assert process.stdout is not None
    timer = threading.Timer(limit_s, process.kill)
    timer.start()
    try:
        return process.stdout.readline()
    finally:
        timer.cancel()


def examine(name: str, seed: int, count: int) -> Found:
    """Have so many mutants of a kind read."""
    results = list(answers(name, seed, count))
    counts = Counter(outcome for outcome, *_ in results)
    peak_mb = max(peak for *_, peak in results)
    faults = [f"{i}: {outcome}" for i, (outcome, *_) in enumerate(results) if outcome not in (READ, REFUSED)]
    if peak_mb > MOST_MB:
        faults.append(f"{peak_mb:.0f} MB were taken")
    slowest_ms = max(ms for _, ms, _ in results)
    return Found(name, count, counts[READ], counts[REFUSED], faults, slowest_ms, peak_mb)


def main() -> int:
    """Print a table, or with --json an array of objects; return 1 if there is a fault."""
    parser = make_parser(__doc__)
    parser.add_argument(
        "kinds", nargs="*", choices=[*KINDS, []], metavar="KIND", help=f"{', '.join(KINDS)} (default: all)"
    )
    parser.add_argument("--count", type=int, help="mutants of each kind (default: 1000, or what a kind says)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    found = []
    line = "{:<12} {:>7} {:>7} {:>7} {:>7} {:>10} {:>8}"
    if not args.json:
        print(line.format("kind", "mutants", "read", "refused", "faults", "slowest ms", "peak MB"))
    for name in args.kinds or KINDS:
        found.append(examine(name, args.seed, KINDS[name].count if args.count is None else args.count))
        *figures, slowest, peak = found[-1]._replace(faults=len(found[-1].faults))
        if not args.json:
            print(line.format(*figures, f"{slowest:.0f}", f"{peak:.0f}"), flush=True)
    if args.json:
        print(json.dumps([each._asdict() for each in found], indent=2))
    faults = [f"{each.kind} {fault}" for each in found for fault in each.faults]
    print(*faults, sep="\n", end="\n" if faults else "", file=sys.stderr)
    return bool(faults)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(sys.argv[2], *map(int, sys.argv[3:]))
    else:
        sys.exit(main())
