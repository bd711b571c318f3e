"""The part of a recipe that says how texts are rendered."""

import json

import msgspec
import pytest

from ocr_lib.errors import OCRError
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.rendering import STYLES
from ocr_lib.recipe.settings import encode_json, load_preset, override
from ocr_lib.recipe.sources import Corpus, Pattern


@pytest.mark.parametrize("name", STYLES)
def test_a_style_stands_for_its_entries(name, tmp_path):
    recipe = override(Recipe(), {"rendering": name})
    assert recipe.rendering == STYLES[name]
    path = tmp_path / "own.json"
    path.write_text(json.dumps({"name": "own", "rendering": name}))
    assert load_preset(path).rendering == STYLES[name]
    path.write_bytes(encode_json(recipe))
    assert load_preset(path) == recipe


def test_entries_change_one_by_one():
    recipe = override(Recipe(), [("rendering", "photo"), ("rendering.letters.slant", "0.5"), ("rendering.height", 48)])
    photo = STYLES["photo"]
    expected = msgspec.structs.replace(photo, height=48, letters=msgspec.structs.replace(photo.letters, slant=0.5))
    assert recipe.rendering == expected
    assert override(Recipe(), {"rendering.height": 40}).rendering == msgspec.structs.replace(STYLES["plain"], height=40)
    assert override(recipe, {"rendering": "null"}).rendering is None


@pytest.mark.parametrize(
    "key, value, error",
    [
        ("rendering", "foto", "rendering: foto is none of the styles plain, scan, photo"),
        ("rendering.letters.margin", [0.2, 0.1], "margin is from 0.2 to 0.1"),
        ("rendering.letters.margin", [-0.7, 0.1], "margin is from -0.7"),
        ("rendering.height", 4, "letters of fewer than 8 rows can't be read"),
        ("rendering.ink.spread", -1, "Expected `float` >= 0"),
        ("rendering.letters.slnt", 1, "no such key in a recipe"),
        ("text.sources", [{"kind": "book", "file": "a"}], "Invalid value 'book' - at `[$].text.sources"),
        ("text.sources", [{"kind": "words"}], "missing required field `file`"),
        ("text.sources", [{"kind": "words", "file": "a", "weight": 0}], "Expected `float` > 0"),
    ],
)
def test_wrong_entries_are_named(key, value, error):
    with pytest.raises(OCRError, match=error):
        override(Recipe(), {key: value})


def test_an_unknown_style_in_a_file_is_named_with_the_file(tmp_path):
    (tmp_path / "own.json").write_text('{"rendering": "foto"}')
    with pytest.raises(OCRError, match="own.json: rendering: foto is none of the styles"):
        load_preset(tmp_path / "own.json")


def test_sources_are_settings_as_json():
    given = '[{"kind": "corpus", "file": "book.txt", "weight": 2}, {"kind": "pattern", "pattern": "x+"}]'
    assert override(Recipe(), {"text.sources": given}).text.sources == (Corpus("book.txt", 2.0), Pattern("x+"))


@pytest.mark.parametrize("name", ["word", "scan"])
def test_presets_render_texts(name):
    recipe = load_preset(name)
    assert recipe.rendering is not None and recipe.image.height == recipe.rendering.height
