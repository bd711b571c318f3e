"""``captcha_generator.py``: write one captcha, or a data set of them with their texts."""

import argparse
import secrets
import sys
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, Literal, Optional, Tuple

import msgspec
import numpy as np
from tqdm import tqdm

from ocr_lib.alphabet import SETS
from ocr_lib.cli.command import add_overwrite, make_parser, num_proc, run_command
from ocr_lib.cli.signature import is_signed, signed
from ocr_lib.cv import cv2
from ocr_lib.draw.fonts import Font, find_fonts
from ocr_lib.errors import OCRError
from ocr_lib.feed.source import make_renderer, renderer_modules, sample_draws
from ocr_lib.feed.texts import draw_texts
from ocr_lib.feed.workers import OrderedPool
from ocr_lib.files import check_free, sha256, write_atomic
from ocr_lib.recipe.captcha import RENDERERS, CaptchaRecipe
from ocr_lib.recipe.part import Seed
from ocr_lib.recipe.settings import decode_json, encode_json
from ocr_lib.recipe.text import TextRecipe
from ocr_lib.sets.alphabets import find_alphabet
from ocr_lib.sets.records import index_path, pack, record_writer

FILES_PER_TASK = 20
LABELS = "labels.tsv"
RECORDS = "captchas.rec"
SETTINGS = "captchas.json"
FORMAT = 3

Labels = List[Tuple[str, str]]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a data set's images depend on; kept beside them, so that a run that was stopped can be continued.

    The format is raised whenever the same settings come to mean other images.
    """

    format: Literal[3]
    seed: Seed
    text: TextRecipe
    captcha: CaptchaRecipe
    fonts: List[str]


class _Artist:
    """What both kinds of workers have."""

    def __init__(self, settings: Settings, fonts: List[Font]) -> None:
        self._settings = settings
        self._renderer = make_renderer(settings.captcha, fonts, settings.text.alphabet)

    def _draw(self, indices: range) -> Tuple[List[str], "np.ndarray"]:
        settings = self._settings
        draws = sample_draws("files", settings.seed, indices, settings.text.max_length)
        return draw_texts(settings.text, draws.text), draws.image


class FileWriter(_Artist):
    """The work of a worker process: images of a range of indices written to files, their names and texts returned."""

    def __init__(self, settings: Settings, fonts: List[Font], directory: Path) -> None:
        super().__init__(settings, fonts)
        self._directory = directory

    def __call__(self, indices: range) -> Labels:
        """Write those that are not there yet."""
        texts, draws = self._draw(indices)
        paths = [self._directory / f"{index:06d}.png" for index in indices]
        missing = [i for i, path in enumerate(paths) if not path.exists()]
        if missing:
            images = self._renderer.render([texts[i] for i in missing], draws[missing])
            for i, image in zip(missing, images):
                write_atomic(paths[i], encode_image(image, paths[i]), sync=False)
        return [(path.name, text) for path, text in zip(paths, texts)]


class RecordMaker(_Artist):
    """The work of a worker process: images of a range of indices with their texts, as RecordIO records."""

    def __call__(self, indices: range) -> List[bytes]:
        """Return the records."""
        texts, draws = self._draw(indices)
        images = self._renderer.render(texts, draws)
        return [
            pack(text, encode_image(image, Path("record.png")), index)
            for text, image, index in zip(texts, images, indices)
        ]


def encode_image(image: "np.ndarray", path: Path) -> bytes:
    """Encode a grey image in the format that the path's suffix says.

    Raises
    ------
    OCRError
        If OpenCV writes no such format.
    """
    try:
        done, data = cv2.imencode(path.suffix, image)
    except cv2.error:
        done = False
    if not done:
        raise OCRError(f"{path}: OpenCV writes no images called {path.suffix or 'nothing'}; try .png or .jpg")
    return bytes(data.tobytes())


def main(argv: Optional[List[str]] = None) -> int:
    """Run the command and return its exit code."""
    captcha, text = CaptchaRecipe(), TextRecipe()
    parser = make_parser(
        "Write one captcha to OUTPUT, or with --count and --out a data set: grey PNG files and their texts in "
        f"{LABELS}, or one RecordIO file. A data set of files whose writing was stopped is continued."
    )
    parser.add_argument("font_path", type=Path, metavar="FONT", help="a font file, or a folder of them")
    parser.add_argument("output", nargs="?", type=Path, metavar="OUTPUT", help="image file, as in sample.jpg")
    parser.add_argument("--num", metavar="TEXT", help="what the captcha says (default: random)")
    parser.add_argument("--width", type=int, default=captcha.width, help="of the images, in pixels")
    parser.add_argument("--height", type=int, default=captcha.height, help="of the images, in pixels")
    parser.add_argument(
        "--digits", type=_span, default=f"{text.min_length}-{text.max_length}", metavar="MIN-MAX", help="text length"
    )
    parser.add_argument(
        "--alphabet",
        default="digits",
        metavar="NAME|FILE|CHARACTERS",
        help=f"that texts are made of: {', '.join(SETS)}, a text file with the characters, or these themselves",
    )
    parser.add_argument("--seed", type=int, help="same seed, same images (default: random; 0 for a data set)")
    parser.add_argument("--count", type=int, help="images in the data set")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the data set")
    parser.add_argument(
        "--format", choices=["png", "rec"], default="png", help="of the data set: files, or one that MXNet reads"
    )
    parser.add_argument("--renderer", choices=RENDERERS, default="fast", help="ours, compiled, or the captcha package")
    parser.add_argument(
        "--num_proc", type=num_proc, default="auto", help="worker processes that write a data set, or as many as pay"
    )
    add_overwrite(parser)
    return run_command(parser, _generate, argv)


def _generate(args: argparse.Namespace) -> int:
    if (args.count is None) != (args.out is None) or (args.output is None) == (args.out is None):
        raise OCRError("give either OUTPUT for one captcha, or both --count and --out for a data set")
    if args.num is not None and (args.out is not None or not args.num):
        raise OCRError("--num is the text of the one captcha that goes to OUTPUT")
    if args.format == "rec" and args.out is None:
        raise OCRError("--format rec goes with --count and --out")
    if args.overwrite and args.out is not None:
        raise OCRError("--overwrite goes with OUTPUT: a data set is continued, or deleted by hand")
    seed = args.seed if args.seed is not None else secrets.randbits(32) if args.out is None else 0
    alphabet = find_alphabet(args.alphabet)
    text = {"alphabet": alphabet, "min_length": args.digits[0], "max_length": args.digits[1]}
    captcha = {"width": args.width, "height": args.height, "renderer": args.renderer}
    tree: Dict[str, Any] = {"format": FORMAT, "seed": seed, "text": text, "captcha": captcha, "fonts": []}
    try:
        settings = msgspec.convert(tree, Settings)
    except msgspec.ValidationError as error:
        raise OCRError(f"the captchas can't be like this: {error}") from error
    fonts = find_fonts(args.font_path, args.num or alphabet, settings.captcha.font_sizes)
    if args.out is None:
        check_free(args.output, args.overwrite or is_signed(args.output))
        return _write_one(args, settings, fonts)
    named = [f"{font.name} {sha256(font.path)}" for font in fonts]
    return _write_data_set(args, msgspec.structs.replace(settings, fonts=named), fonts)


def _write_one(args: argparse.Namespace, settings: Settings, fonts: List[Font]) -> int:
    characters = args.num or settings.text.alphabet
    draws = sample_draws("files", settings.seed, range(1), max(len(args.num or ""), settings.text.max_length))
    text = args.num or draw_texts(settings.text, draws.text)[0]
    image = make_renderer(settings.captcha, fonts, characters).render([text], draws.image)[0]
    write_atomic(args.output, signed(encode_image(image, args.output)))
    said = f"digits {[int(c) for c in text]}" if text.isdecimal() and text.isascii() else f"text {text}"
    print(f"Captcha image with {said} written to {args.output}")
    return 0


def _write_data_set(args: argparse.Namespace, settings: Settings, fonts: List[Font]) -> int:
    if args.count < 1:
        raise OCRError(f"--count must be at least 1, not {args.count}")
    tasks = [range(i, min(i + FILES_PER_TASK, args.count)) for i in range(0, args.count, FILES_PER_TASK)]
    make_work: Callable[[], Callable[[range], List[Any]]] = partial(FileWriter, settings, fonts, args.out)
    write: Callable[[Path, Iterable[Any]], str] = _write_labels
    if args.format == "rec":
        make_work, write = partial(RecordMaker, settings, fonts), _write_records
    hide = args.quiet or not sys.stderr.isatty()
    with OrderedPool[range, List[Any]](make_work, args.num_proc, renderer_modules(settings.captcha)) as pool, tqdm(
        total=args.count, unit="image", disable=hide, leave=False
    ) as bar:
        _claim(args.out, settings, args.count)
        written = write(args.out, _each(pool.map(tasks), bar))
    print(f"{args.count} captcha images and {written} written to {args.out}")
    return 0


def _each(results: Iterable[List[Any]], bar: "tqdm") -> Iterator[Any]:
    for result in results:
        yield from result
        bar.update(len(result))


def _write_labels(directory: Path, labels: Iterable[Tuple[str, str]]) -> str:
    path = directory / LABELS
    content = "".join(f"{name}\t{text}\n" for name, text in labels).encode()
    if path.exists() and not content.startswith(path.read_bytes()):
        raise OCRError(f"{path} was changed since it was written: move it away, and run this again")
    write_atomic(path, content)
    return LABELS


def _write_records(directory: Path, records: Iterable[bytes]) -> str:
    path = directory / RECORDS
    if path.exists():
        raise OCRError(f"{path} is there already: choose another --out, or delete it")
    with record_writer(path) as write:
        for record in records:
            write(record)
    return f"their texts as {path.name} and {index_path(path).name}"


def _claim(directory: Path, settings: Settings, count: int) -> None:
    """Make the folder of a data set, or accept one that holds the beginning of the same."""
    path = directory / SETTINGS
    if path.exists():
        if decode_json(path.read_bytes(), Settings, str(path)) != settings:
            raise OCRError(f"{directory} holds other captchas, see {path}: choose another --out, or delete it")
        if (directory / f"{count:06d}.png").exists():
            raise OCRError(f"{directory} holds more than {count} captchas already: raise --count, or delete it")
    elif directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise OCRError(f"{directory} is there and was not made by this command: choose another --out")
    write_atomic(path, encode_json(settings))


def _span(text: str) -> Tuple[int, int]:
    least, dash, most = text.partition("-")
    if not least.isdecimal() or (dash and not most.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not like 3-4 or 4")
    return int(least), int(most or least)
