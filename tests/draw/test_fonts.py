"""Fonts are found, and a bad one is named."""

import re
import shutil

import pytest
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables._g_l_y_f import Glyph

from ocr_lib.draw.fonts import find_fonts
from ocr_lib.errors import OCRError

DIGITS = "0123456789"
SIZES = (42, 50, 56)


def test_a_folder_gives_its_fonts_by_name(font_dir):
    fonts = find_fonts(font_dir, DIGITS, SIZES)
    assert len(fonts) >= 5
    assert fonts == sorted(fonts) == sorted(font_dir.glob("*.ttf"))


def test_the_fonts_we_bring_have_letters_too(font_dir):
    assert find_fonts(font_dir, "ABCXYZabcxyz-", SIZES)


def test_a_file_gives_itself_whatever_its_name(font, tmp_path):
    assert find_fonts(font, DIGITS, SIZES) == [font]
    copy = shutil.copy(font, tmp_path / "a font")
    assert find_fonts(copy, DIGITS, SIZES) == [copy]


def test_suffixes_in_upper_case_count_and_other_files_do_not(font, tmp_path):
    for name in "B.TTF", "a.ttf", "c.Otf":
        shutil.copy(font, tmp_path / name)
    (tmp_path / "LICENCE.txt").write_text("free")
    (tmp_path / "more").mkdir()
    assert [path.name for path in find_fonts(tmp_path, DIGITS, SIZES)] == ["B.TTF", "a.ttf", "c.Otf"]


def test_names_a_folder_without_fonts(tmp_path):
    (tmp_path / "LICENCE.txt").touch()
    with pytest.raises(OCRError, match=f"{tmp_path}: no .ttf or .otf file in this folder"):
        find_fonts(tmp_path, DIGITS, SIZES)


def test_names_a_missing_path(tmp_path):
    with pytest.raises(OCRError, match=f"{tmp_path}/absent.ttf: no such font file or folder"):
        find_fonts(tmp_path / "absent.ttf", DIGITS, SIZES)


@pytest.mark.parametrize("content", [b"", b"these are words\n", b"\0\1\0\0" + b"\xff" * 200, b"OTTO", b"\0" * 5000])
@pytest.mark.parametrize("as_folder", [True, False])
def test_names_a_file_that_is_no_font(font, tmp_path, content, as_folder):
    shutil.copy(font, tmp_path / "a good one.ttf")
    bad = tmp_path / "bad.ttf"
    bad.write_bytes(content)
    with pytest.raises(OCRError, match=f"{re.escape(str(bad))}: not a font that can be read"):
        find_fonts(tmp_path if as_folder else bad, DIGITS, SIZES)


def test_names_a_folder_called_like_a_font(font, tmp_path):
    shutil.copy(font, tmp_path / "good.ttf")
    (tmp_path / "bad.ttf").mkdir()
    with pytest.raises(OCRError, match="bad.ttf: not a font that can be read"):
        find_fonts(tmp_path, DIGITS, SIZES)


def test_names_a_cut_off_font(font_dir, tmp_path):
    bad = tmp_path / "bad.ttf"
    for font in find_fonts(font_dir, DIGITS, SIZES):
        data = font.read_bytes()
        for share in range(1, 20):
            bad.write_bytes(data[: len(data) * share // 20])
            with pytest.raises(OCRError, match="bad.ttf: not a font that can be read .*cut off"):
                find_fonts(bad, DIGITS, SIZES)


def test_names_the_characters_that_a_font_lacks(subset_font, tmp_path):
    even = subset_font(tmp_path / "even.ttf", "02468 ")
    assert find_fonts(even, "80", SIZES) == [even]
    with pytest.raises(OCRError, match=f"{even}: this font has no glyph for '1', '9'$"):
        find_fonts(even, "0198", SIZES)


def test_one_font_of_a_folder_that_lacks_a_character_is_enough(subset_font, font, tmp_path):
    shutil.copy(font, tmp_path / "all.ttf")
    subset_font(tmp_path / "odd.ttf", "13579 ")
    with pytest.raises(OCRError, match="odd.ttf: this font has no glyph for '0'"):
        find_fonts(tmp_path, "01", SIZES)


def test_a_font_must_have_a_space(subset_font, tmp_path):
    # The captcha package draws one between characters; without a glyph that is a box.
    with pytest.raises(OCRError, match="tight.ttf: this font has no glyph for ' '"):
        find_fonts(subset_font(tmp_path / "tight.ttf", DIGITS), DIGITS, SIZES)


def test_a_glyph_without_ink_is_none(font, tmp_path):
    path = tmp_path / "faint.ttf"
    with TTFont(font) as parsed:
        parsed["glyf"][parsed.getBestCmap()[ord("7")]] = Glyph()
        parsed.save(path)
    assert find_fonts(path, "0 8", SIZES)
    with pytest.raises(OCRError, match="faint.ttf: this font has no glyph for '7'$"):
        find_fonts(path, "78", SIZES)


def test_a_size_that_cannot_be_drawn_is_named_with_the_font(font):
    with pytest.raises(OCRError, match="Ubuntu-M.ttf: not a font that can be read"):
        find_fonts(font, DIGITS, [0])
