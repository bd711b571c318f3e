"""``captcha_generator.py``: write one captcha, or a data set of them with their texts."""

import argparse
from functools import partial
from typing import Any, Final, List, Literal, Optional, Sequence, Tuple

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
from ocr_lib.cli.signature import is_signed, signed
from ocr_lib.draw.fonts import Font, find_fonts
from ocr_lib.errors import OCRError
from ocr_lib.feed.source import make_renderer, renderer_modules, sample_draws
from ocr_lib.feed.texts import draw_texts
from ocr_lib.files import check_free, sha256, write_atomic
from ocr_lib.jobs.drawn_set import LABELS, DrawnSet, encode_image
from ocr_lib.recipe.captcha import RENDERERS, CaptchaRecipe
from ocr_lib.recipe.part import Seed
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import override
from ocr_lib.recipe.text import TextRecipe
from ocr_lib.sets.alphabets import find_alphabet

FORMAT: Final = 3


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a data set's images depend on; kept beside them, so that a run that was stopped can be continued.

    The format is raised whenever the same settings come to mean other images.
    """

    format: Literal[3]
    seed: Seed
    text: TextRecipe
    captcha: CaptchaRecipe
    fonts: List[str]


class CaptchaArtist:
    """Draws the captchas of a data set; see `ocr_lib.jobs.drawn_set.Artist`."""

    def __init__(self, settings: Settings, fonts: List[Font]) -> None:
        self._settings = settings
        self._renderer = make_renderer(settings.captcha, fonts, settings.text.alphabet)

    def __call__(self, indices: range, wanted: Sequence[int]) -> Tuple[List[str], Sequence[np.ndarray]]:
        """Return all texts, and the images that are wanted."""
        settings = self._settings
        draws = sample_draws("files", settings.seed, indices, settings.text.max_length)
        texts = draw_texts(settings.text, draws.text)
        rows = [index - indices.start for index in wanted]
        return texts, list(self._renderer.render([texts[row] for row in rows], draws.image[rows])) if rows else []


def main(argv: Optional[List[str]] = None) -> int:
    """Run the command and return its exit code."""
    captcha, text = CaptchaRecipe(), TextRecipe()
    parser = make_parser(
        "Write one captcha to OUTPUT, or with --count and --out a data set: grey PNG files and their texts in "
        f"{LABELS}, or one RecordIO file. A data set of files whose writing was stopped is continued."
    )
    add_places(parser, "sample.jpg")
    parser.add_argument("--num", metavar="TEXT", help="what the captcha says (default: random)")
    parser.add_argument("--width", type=int, default=captcha.width, help="of the images, in pixels")
    parser.add_argument("--height", type=int, default=captcha.height, help="of the images, in pixels")
    parser.add_argument(
        "--digits",
        type=length_span,
        default=f"{text.min_length}-{text.max_length}",
        metavar="MIN-MAX",
        help="text length",
    )
    parser.add_argument(
        "--alphabet",
        default="digits",
        metavar="NAME|FILE|CHARACTERS",
        help=f"that texts are made of: {', '.join(SETS)}, a text file with the characters, or these themselves",
    )
    parser.add_argument("--renderer", choices=RENDERERS, default="fast", help="ours, compiled, or the captcha package")
    add_settings(parser, "captcha.font_sizes=[30,40]")
    add_data_set(parser)
    return run_command(parser, _generate, argv)


def _generate(args: argparse.Namespace) -> int:
    check_places(args, "captcha")
    if args.num is not None and (args.out is not None or not args.num):
        raise OCRError("--num is the text of the one captcha that goes to OUTPUT")
    check_options(args)
    recipe = _recipe(args)
    fonts = find_fonts(args.font_path, args.num or recipe.text.alphabet, recipe.captcha.font_sizes)
    settings = Settings(FORMAT, recipe.seed, recipe.text, recipe.captcha, [])
    if args.out is None:
        check_free(args.output, args.overwrite or is_signed(args.output))
        return _write_one(args, settings, fonts)
    named = [f"{font.name} {sha256(font.path)}" for font in fonts]
    settings = msgspec.structs.replace(settings, fonts=named)
    make_artist = partial(CaptchaArtist, settings, fonts)
    drawn = DrawnSet(args.out, args.count, "captcha", settings, make_artist, renderer_modules(settings.captcha))
    print(drawn.write(args.format, args.num_proc, args.quiet))
    return 0


def _recipe(args: argparse.Namespace) -> Recipe:
    least, most = args.digits
    settings: List[Tuple[str, Any]] = [
        ("seed", chosen_seed(args)),
        ("image.width", None),
        ("text.alphabet", find_alphabet(args.alphabet)),
        ("text.min_length", least),
        ("text.max_length", most),
        ("captcha.width", args.width),
        ("captcha.height", args.height),
        ("captcha.renderer", args.renderer),
    ]
    return override(Recipe(), settings + chosen_settings(args, "captcha"))


def _write_one(args: argparse.Namespace, settings: Settings, fonts: List[Font]) -> int:
    characters = args.num or settings.text.alphabet
    draws = sample_draws("files", settings.seed, range(1), max(len(args.num or ""), settings.text.max_length))
    text = args.num or draw_texts(settings.text, draws.text)[0]
    image = make_renderer(settings.captcha, fonts, characters).render([text], draws.image)[0]
    write_atomic(args.output, signed(encode_image(image, args.output)))
    said = f"digits {[int(c) for c in text]}" if text.isdecimal() and text.isascii() else f"text {text}"
    print(f"Captcha image with {said} written to {args.output}")
    return 0
