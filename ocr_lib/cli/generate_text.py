"""``text_generator.py``: write one image of a text, or a data set of them with their texts."""

import argparse
from functools import partial
from pathlib import Path
from typing import Any, List, Literal, Optional, Sequence, Tuple

import msgspec
import numpy as np

from ocr_lib.alphabet import SETS
from ocr_lib.cli.command import make_parser, run_command
from ocr_lib.cli.drawing import (
    add_data_set,
    add_places,
    add_settings,
    check_options,
    check_places,
    chosen_seed,
    chosen_settings,
    length_span,
)
from ocr_lib.draw.text.coverage import Coverage
from ocr_lib.errors import OCRError
from ocr_lib.feed.corpora import find_source
from ocr_lib.feed.text_plan import TextPlan, plan_texts, with_characters
from ocr_lib.feed.text_source import RenderedTexts
from ocr_lib.files import check_free, write_atomic
from ocr_lib.jobs.drawn_set import LABELS, DrawnSet, encode_image
from ocr_lib.recipe.part import Seed
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.rendering import STYLES, RenderingRecipe
from ocr_lib.recipe.settings import override
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
    add_places(parser, "sample.png")
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
    add_settings(parser, "rendering.letters.slant=0.3 or text.casing=0.5")
    add_data_set(parser)
    return run_command(parser, _generate, argv)


def _generate(args: argparse.Namespace) -> int:
    check_places(args, "image")
    if args.text is not None and (args.out is not None or args.texts or not args.text.strip()):
        raise OCRError("--text is what the one image says that goes to OUTPUT, in place of --texts")
    check_options(args)
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
    least, most = args.length or (1, 60)
    settings: List[Tuple[str, Any]] = [
        ("seed", chosen_seed(args)),
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
    return override(Recipe(), settings + chosen_settings(args, "text", "rendering"))


def _write_one(args: argparse.Namespace, plan: TextPlan) -> int:
    check_free(args.output, args.overwrite)
    rendered = RenderedTexts(plan.recipe, plan.coverage, plan.pictures)
    text = args.text if args.text is not None else rendered.texts("files", range(1))[0]
    if not len(plan.coverage.able(text)):
        raise OCRError(f"{args.font_path}: no font has all characters of {text!r}; give another font, or another text")
    write_atomic(args.output, encode_image(rendered.draw("files", 0, text), args.output))
    print(f"Image with text {text} written to {args.output}")
    return 0
