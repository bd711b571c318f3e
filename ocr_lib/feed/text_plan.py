"""What words and lines are rendered with: fonts, texts, pictures, all of them checked before anything is drawn."""

import hashlib
import logging
from pathlib import Path
from typing import Callable, List, NamedTuple, Optional, Sequence

from ocr_lib.direction import has_right_to_left, mirror_images
from ocr_lib.draw.text.coverage import Coverage, find_coverage
from ocr_lib.draw.text.ground import find_pictures
from ocr_lib.errors import OCRError
from ocr_lib.feed.text_source import drawn_texts
from ocr_lib.feed.texts import drawn_characters, free_characters, source_characters
from ocr_lib.files import sha256
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import override
from ocr_lib.recipe.sources import Corpus, Words
from ocr_lib.recipe.text import TextRecipe

logger = logging.getLogger(__name__)


class TextPlan(NamedTuple):
    """What is rendered.

    Attributes
    ----------
    recipe : Recipe
        With alphabet and direction.
    coverage : Coverage
    pictures : list of pathlib.Path
        To stand on.
    digest : str
        SHA-256 of all files.
    """

    recipe: Recipe
    coverage: Coverage
    pictures: List[Path]
    digest: str

    @property
    def description(self) -> str:
        """What it is, in a few words."""
        files = ", ".join(map(str, text_files(self.recipe.text)))
        return f"texts{' of ' + files if files else ''} in {len(self.coverage.fonts)} fonts"


def plan_texts(recipe: Recipe, fonts: Path) -> TextPlan:
    """Find and check all that a recipe with `rendering` renders.

    Raises
    ------
    OCRError
        If there are no such fonts or pictures, or the recipe's sources have no text that can be drawn.
    """
    assert recipe.rendering is not None
    folder = recipe.rendering.ground.pictures
    pictures = [] if folder is None else find_pictures(Path(folder))
    coverage = find_coverage(fonts, drawn_characters(recipe.text), recipe.text.case == "keep")
    free = set(coverage.nowhere) & set(free_characters(recipe.text))
    if free:
        told = ", ".join(map(repr, sorted(free)))
        raise OCRError(f"{fonts}: no font has {told}; leave it out of the alphabet, or add a font that has it")
    for file, count in drawn_texts(recipe, coverage).left_out.items():
        logger.warning("%s: left out %d words of other characters or lengths", file, count)
    files = sorted({font.path for font in coverage.fonts})
    return TextPlan(recipe, coverage, pictures, digest(recipe.text, [*files, *pictures]))


def with_characters(recipe: Recipe, make_alphabet: Optional[Callable[[str], str]]) -> Recipe:
    """Return a recipe with the direction and the alphabet of its sources of texts, if it has any.

    Parameters
    ----------
    recipe : Recipe
    make_alphabet : callable, optional
        From the sorted characters to the alphabet; the recipe's is kept when left out.

    Raises
    ------
    OCRError
        If a source can't be read.
    """
    if not recipe.text.sources:
        return recipe
    characters = source_characters(recipe.text)
    if recipe.text.direction is None and has_right_to_left(characters):
        recipe = override(recipe, {"text.direction": "rtl"})
    return with_alphabet(recipe, characters, make_alphabet) if make_alphabet else recipe


def with_alphabet(recipe: Recipe, characters: str, make_alphabet: Callable[[str], str]) -> Recipe:
    """Return a recipe with the alphabet of these characters, and of their mirror images where text may need these."""
    if recipe.text.direction == "rtl":
        characters += mirror_images(characters)
    return override(recipe, {"text.alphabet": make_alphabet("".join(sorted(set(characters))))})


def text_files(recipe: TextRecipe) -> List[Path]:
    """Return the files that texts are from."""
    return [Path(source.file) for source in recipe.sources if isinstance(source, (Words, Corpus))]


def digest(text: TextRecipe, files: Sequence[Path]) -> str:
    """Return the SHA-256 of files and of those that texts are from; empty if there are none."""
    digests = [f"{file.name} {sha256(file)}\n" for file in [*text_files(text), *files]]
    return hashlib.sha256("".join(digests).encode()).hexdigest() if digests else ""
