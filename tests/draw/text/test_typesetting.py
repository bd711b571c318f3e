"""Texts set in fonts: against Pillow's own setting, and against what a font is made to have."""

import numpy as np
import pytest
from fontTools.feaLib.builder import addOpenTypeFeaturesFromString
from fontTools.ttLib import TTFont
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from ocr_lib.direction import runs
from ocr_lib.draw.fonts import Font
from ocr_lib.draw.text.face import Face
from ocr_lib.draw.text.typesetting import NUM_DRAWS, typeset
from ocr_lib.recipe.rendering import LettersRecipe
from tests.conftest import FONT_DIR

SIZE = 48
MIDDLE = np.full(NUM_DRAWS, 0.5)
PLAIN = LettersRecipe()


def drawn_by_pillow(text, path):
    font = ImageFont.truetype(str(path), SIZE, layout_engine=ImageFont.Layout.BASIC)
    page = Image.new("L", (60 * len(text) + 100, 150))
    ImageDraw.Draw(page).text((50, 30), text, font=font, fill=255)
    return np.asarray(page.crop(page.getbbox()))


def ink_of(text, path, recipe=PLAIN, draws=MIDDLE):
    return typeset(text, Face(Font(path), SIZE), recipe, draws)


def cropped(ink):
    rows, columns = np.nonzero(ink)
    return ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


# A font with one width for all characters has no kerning, which Pillow's basic layout would not see.
@pytest.mark.parametrize("text", ["Hamburg", "0123456789", "a b c", "(x+y)*2", "g", "Über Öl"])
def test_letters_stand_where_pillow_sets_them(text):
    path = FONT_DIR / "IBMPlexMono-Regular.ttf"
    ours, theirs = cropped(ink_of(text, path)), drawn_by_pillow(text, path)
    assert np.abs(np.subtract(ours.shape, theirs.shape)).max() <= 2
    rows, columns = np.minimum(ours.shape, theirs.shape)
    ours, theirs = ours[:rows, :columns], theirs[:rows, :columns]
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.7  # theirs are hinted


def test_pairs_are_kerned():
    path = FONT_DIR / "Lato-Black.ttf"
    together, apart = ink_of("AV", path).shape[1], sum(ink_of(letter, path).shape[1] for letter in "AV")
    assert together < apart - 2


@given(st.text(st.sampled_from("abcXYZ01.,- "), min_size=1, max_size=12))
def test_ink_touches_all_sides_but_where_a_dash_would_fill_the_image(text):
    ink = ink_of(text, FONT_DIR / "Ubuntu-M.ttf")
    if not text.strip():
        assert ink.shape[1] == 1 and not ink.any()
        return
    assert ink[:, :2].any() and ink[:, -2:].any()  # the box of an outline may have a pixel more than its ink
    rows = np.flatnonzero(ink.any(axis=1))
    least = round(0.4 * SIZE)
    assert len(ink) >= least
    assert (rows[0] <= 1 and rows[-1] >= len(ink) - 2) or len(ink) == least


class TestSpacing:
    PATH = FONT_DIR / "Ubuntu-M.ttf"

    def width(self, text, draws, **letters):
        return ink_of(text, self.PATH, LettersRecipe(**letters), np.array(draws)).shape[1]

    def test_letters_stand_further_apart(self):
        plain = self.width("nnnnn", MIDDLE)
        assert self.width("nnnnn", [1, 0.5, 0.5, 0.5, 0.5], letter_spacing=0.5) == pytest.approx(plain + 4 * 24, abs=2)
        assert self.width("nnnnn", [0.5, 0.5, 0.5, 0.5, 0.5], letter_spacing=0.5) == pytest.approx(plain + 24, abs=2)

    def test_letters_are_pressed_together(self):
        plain = self.width("nnnnn", MIDDLE)
        pressed = self.width("nnnnn", [0.5, 0, 1, 0.5, 0.5], touching=0.1)
        assert pressed == pytest.approx(plain - 4 * SIZE / 20, abs=2)

    @pytest.mark.parametrize("draw, by", [(0, -0.5), (1 / 3, 0), (1, 1)])
    def test_spaces_are_wider_or_narrower(self, draw, by):
        plain = self.width("n n", MIDDLE)
        changed = self.width("n n", [0.5, 0.5, 0.5, draw, 0.5], word_spacing=1.0)
        assert changed == pytest.approx(plain + by * SIZE / 4, abs=1)

    @pytest.mark.parametrize("draw", [0, 1])
    def test_the_middle_is_bent(self, draw):
        flat = ink_of("nnnnnnn", self.PATH)
        bent = ink_of("nnnnnnn", self.PATH, LettersRecipe(curve=0.5), np.array([0.5, 0.5, 0.5, 0.5, draw]))
        assert len(bent) - len(flat) == pytest.approx(SIZE / 2, abs=4)
        middle, edge = (np.flatnonzero(part.any(axis=1)).mean() for part in (bent[:, 80:100], bent[:, :15]))
        assert middle < edge if draw else middle > edge


@pytest.fixture
def disguised(tmp_path):
    """Return a font whose Hebrew, Arabic and Devanagari letters look like Latin ones."""
    path = tmp_path / "disguised.ttf"
    with TTFont(FONT_DIR / "IBMPlexMono-Regular.ttf") as font:
        glyphs = font.getBestCmap()
        looks = {"\u05d0": "a", "\u05d1": "b", "\u05d2": "c", "\u0627": "f", "\u0915": "k", "\u0916": "h"}
        for table in font["cmap"].tables:
            if table.isUnicode():
                table.cmap.update({ord(letter): glyphs[ord(look)] for letter, look in looks.items()})
        font.save(path)
    return path


@pytest.mark.parametrize(
    "text, looks",
    [
        ("\u05d0\u05d1\u05d2", "cba"),
        ("\u05d0\u05d1 12 \u05d2", "c 12 ba"),
        ("\u05d0 xy \u05d1", "b xy a"),
        ("(\u05d0) \u05d1", "b (a)"),
        ("x\u0915y", "xky"),
        ("\u0915\u0916 x", "kh x"),
    ],
)
def test_scripts_run_in_their_directions(disguised, text, looks):
    assert np.array_equal(ink_of(text, disguised), ink_of(looks, disguised))


def test_letters_of_other_scripts_are_not_pulled_apart(disguised):
    spaced = LettersRecipe(letter_spacing=0.5)
    draws = np.array([1, 0.5, 0.5, 0.5, 0.5])
    assert np.array_equal(ink_of("\u0915\u0916", disguised, spaced, draws), ink_of("kh", disguised))
    assert ink_of("\u05d0\u05d1", disguised, spaced, draws).shape[1] > ink_of("ba", disguised).shape[1] + 20


def test_ligatures_of_the_font_are_used(tmp_path):
    path = tmp_path / "ligature.ttf"
    with TTFont(FONT_DIR / "IBMPlexMono-Regular.ttf") as font:
        names = font.getBestCmap()
        rule = f"feature liga {{ sub {names[ord('f')]} {names[ord('i')]} by {names[ord('W')]}; }} liga;"
        del font["GSUB"]
        addOpenTypeFeaturesFromString(font, rule)
        font.save(path)
    assert np.array_equal(ink_of("fi", path), ink_of("W", path))


def test_marks_stand_on_their_letters():
    path = FONT_DIR / "IBMPlexMono-Regular.ttf"
    assert ink_of("a\u0301", path).shape[1] == ink_of("a", path).shape[1]
    assert ink_of("a\u0301", path).shape[0] > ink_of("a", path).shape[0]


def test_runs_are_parts_of_the_text_in_visual_order():
    assert runs("abc") == [("abc", False)]
    assert runs("\u05d0\u05d1 12 \u05d2") == [(" \u05d2", True), ("12", False), ("\u05d0\u05d1 ", True)]


def test_instances_of_a_variable_font_differ(tmp_path):
    from fontTools.designspaceLib import AxisDescriptor, DesignSpaceDocument, SourceDescriptor
    from fontTools.varLib import build

    paths = []
    for weight in 0, 1:
        with TTFont(FONT_DIR / "IBMPlexMono-Regular.ttf") as font:
            for tag in "GSUB", "GPOS", "GDEF", "fpgm", "prep", "cvt ":
                if tag in font:
                    del font[tag]
            glyph = font["glyf"]["l"]
            glyph.removeHinting()
            coordinates = glyph.coordinates
            coordinates.scale((1 + 0.3 * weight, 1))
            glyph.recalcBounds(font["glyf"])
            paths.append(tmp_path / f"{weight}.ttf")
            font.save(paths[-1])
    design = DesignSpaceDocument()
    design.addAxis(AxisDescriptor(tag="wght", name="Weight", minimum=0, default=0, maximum=1))
    for weight, path in enumerate(paths):
        design.addSource(SourceDescriptor(path=str(path), font=TTFont(path), location={"Weight": weight}))
    design.addInstanceDescriptor(styleName="Light", familyName="T", location={"Weight": 0})
    design.addInstanceDescriptor(styleName="Heavy", familyName="T", location={"Weight": 1})
    variable, _, _ = build(design)
    path = tmp_path / "variable.ttf"
    variable.save(path)
    light, heavy = (typeset("l", Face(Font(path, None, k), SIZE), PLAIN, MIDDLE) for k in (0, 1))
    assert heavy.shape[1] > 1.1 * light.shape[1]
    assert Font(path, None, 1).name == "variable.ttf@1"
