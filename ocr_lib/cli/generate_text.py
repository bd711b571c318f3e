"""``text_generator.py``: write one image of a text, or a data set of them with their texts."""

import argparse
import secrets
from functools import partial
from pathlib import Path
from typing import Any, List, Literal, Optional, Sequence, Tuple

import msgspec
import numpy as np

from ocr_lib.alphabet import SETS
from ocr_lib.cli.command import add_overwrite, make_parser, num_proc, run_command
from ocr_lib.cli.generate import length_span
from ocr_lib.draw.text.coverage import Coverage
from ocr_lib.errors import OCRError
from ocr_lib.feed.corpora import find_source
from ocr_lib.feed.text_plan import TextPlan, plan_texts, with_characters
from ocr_lib.feed.text_source import RenderedTexts
from ocr_lib.files import check_free, write_atomic
from ocr_lib.jobs.drawn_set import FORMATS, LABELS, DrawnSet, encode_image
from ocr_lib.recipe.part import Seed
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.rendering import STYLES, RenderingRecipe
from ocr_lib.recipe.settings import override, parse_setting
from ocr_lib.recipe.text import TextRecipe
from ocr_lib.sets.alphabets import find_alphabet

_MODULES = ["ocr_lib.feed.text_source"]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a data set's images depend on; the format is raised whenever the same settings mean other images."""

    format: Literal[1]
    seed: Seed
    channels: Literal[1, 3]
    text: TextRecipe
    rendering: RenderingRecipe
    files: str


class TextArtist:
    """Draws the texts of a data set; see `ocr_lib.jobs.drawn_set.Artist`."""

    def __init__(self, recipe: Recipe, coverage: Coverage, pictures: Sequence[Path]) -> None:
        self._rendered = RenderedTexts(recipe, coverage, pictures)

    def __call__(self, indices: range, wanted: Sequence[int]) -> Tuple[List[str], Sequence[np.ndarray]]:
        """Return all texts, and the images that are wanted."""
        texts = self._rendered.texts("files", indices)
        return texts, [self._rendered.draw("files", index, texts[index - indices.start]) for index in wanted]


def main(argv: Optional[List[str]] = None) -> int:
    """Run the command and return its exit code."""
    parser = make_parser(
        "Write one image of a word or a line to OUTPUT, or with --count and --out a data set: PNG files and their "
        f"texts in {LABELS}, or one RecordIO file. A data set of files whose writing was stopped is continued."
    )
    parser.add_argument("font_path", type=Path, metavar="FONT", help="a font file, or a folder of them")
    parser.add_argument("output", nargs="?", type=Path, metavar="OUTPUT", help="image file, as in sample.png")
    parser.add_argument("--text", metavar="TEXT", help="what the one image says (default: random)")
    parser.add_argument(
        "--texts",
        action="append",
        default=[],
        metavar="FILE",
        help="take texts from these: a word on each line, or running text to cut lines out of",
    )
    parser.add_argument("--length", type=length_span, metavar="MIN-MAX", help="of texts, in characters (default: 1-60)")
    parser.add_argument(
        "--alphabet",
        metavar="NAME|FILE|CHARACTERS",
        help=f"{', '.join(SETS)}, a text file with the characters, or these themselves (default: that of the texts, or "
        "digits)",
    )
    parser.add_argument("--style", choices=sorted(STYLES), default="plain", help="of the images")
    parser.add_argument("--height", type=int, default=RenderingRecipe().height, help="of the images, in pixels")
    parser.add_argument("--colour", action="store_true", help="write images in colour, not in grey")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change more of text and rendering, as in rendering.letters.slant=0.3 or text.casing=0.5",
    )
    parser.add_argument("--seed", type=int, help="same seed, same images (default: random; 0 for a data set)")
    parser.add_argument("--count", type=int, help="images in the data set")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the data set")
    parser.add_argument(
        "--format", choices=FORMATS, default=FORMATS[0], help="of the data set: files, or one that MXNet reads"
    )
    parser.add_argument(
        "--num_proc", type=num_proc, default="auto", help="worker processes that write a data set, or as many as pay"
    )
    add_overwrite(parser)
    return run_command(parser, _generate, argv)


def _generate(args: argparse.Namespace) -> int:
    if (args.count is None) != (args.out is None) or (args.output is None) == (args.out is None):
        raise OCRError("give either OUTPUT for one image, or both --count and --out for a data set")
    if args.text is not None and (args.out is not None or args.texts or not args.text.strip()):
        raise OCRError("--text is what the one image says that goes to OUTPUT, in place of --texts")
    if args.format == "rec" and args.out is None:
        raise OCRError("--format rec goes with --count and --out")
    if args.overwrite and args.out is not None:
        raise OCRError("--overwrite goes with OUTPUT: a data set is continued, or deleted by hand")
    is_given = args.alphabet is not None or args.text is not None
    plan = plan_texts(with_characters(_recipe(args), None if is_given else str), args.font_path)
    if args.out is None:
        return _write_one(args, plan)
    recipe = plan.recipe
    assert recipe.rendering is not None
    settings = Settings(1, recipe.seed, recipe.image.channels, recipe.text, recipe.rendering, plan.digest)
    make_artist = partial(TextArtist, recipe, plan.coverage, plan.pictures)
    drawn = DrawnSet(args.out, args.count, "text", settings, make_artist, _MODULES)
    print(drawn.write(args.format, args.num_proc, args.quiet))
    return 0


def _recipe(args: argparse.Namespace) -> Recipe:
    seed = args.seed if args.seed is not None else secrets.randbits(32) if args.out is None else 0
    least, most = args.length or (1, 60)
    settings: List[Tuple[str, Any]] = [
        ("seed", seed),
        ("image.width", None),
        ("image.channels", 3 if args.colour else 1),
        ("text.sources", [msgspec.to_builtins(find_source(file)) for file in args.texts]),
        ("text.min_length", least),
        ("text.max_length", most),
        ("rendering", args.style),
        ("rendering.height", args.height),
    ]
    alphabet = args.text if args.text is not None else args.alphabet and find_alphabet(args.alphabet)
    if alphabet:
        settings.append(("text.alphabet", "".join(dict.fromkeys(alphabet))))
    for key, value in map(parse_setting, args.set):
        if not key.startswith(("text.", "rendering.")):
            raise OCRError(f"--set {key}: only text and rendering count here")
        settings.append((key, value))
    return override(Recipe(), settings)


def _write_one(args: argparse.Namespace, plan: TextPlan) -> int:
    check_free(args.output, args.overwrite)
    rendered = RenderedTexts(plan.recipe, plan.coverage, plan.pictures)
    text = args.text if args.text is not None else rendered.texts("files", range(1))[0]
    if not len(plan.coverage.able(text)):
        raise OCRError(f"{args.font_path}: no font has all characters of {text!r}; give another font, or another text")
    write_atomic(args.output, encode_image(rendered.draw("files", 0, text), args.output))
    print(f"Image with text {text} written to {args.output}")
    return 0
