"""Fonts are found, and a bad one is named."""

import logging
import re
import shutil
from pathlib import Path

import pytest
from fontTools.ttLib import TTCollection, TTFont
from fontTools.ttLib.tables._g_l_y_f import Glyph

from ocr_lib.draw.fonts import Font, find_fonts
from ocr_lib.errors import OCRError

DIGITS = "0123456789"
SIZES = (42, 50, 56)


def test_a_folder_gives_its_fonts_by_name(font_dir):
    fonts = find_fonts(font_dir, DIGITS, SIZES)
    assert len(fonts) >= 5
    assert fonts == [Font(path) for path in sorted(font_dir.glob("*.ttf"))]


def test_the_fonts_we_bring_have_letters_too(font_dir):
    assert find_fonts(font_dir, "ABCXYZabcxyz-", SIZES)


def test_a_file_gives_itself_whatever_its_name(font, tmp_path):
    assert find_fonts(font, DIGITS, SIZES) == [Font(font)]
    copy = Path(shutil.copy(font, tmp_path / "a font"))
    assert find_fonts(copy, DIGITS, SIZES) == [Font(copy)]


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
        data = font.path.read_bytes()
        for share in range(1, 20):
            bad.write_bytes(data[: len(data) * share // 20])
            with pytest.raises(OCRError, match="bad.ttf: not a font that can be read .*cut off"):
                find_fonts(bad, DIGITS, SIZES)


def test_names_the_characters_that_a_font_lacks(subset_font, tmp_path):
    even = subset_font(tmp_path / "even.ttf", "02468 ")
    assert find_fonts(even, "80", SIZES) == [Font(even)]
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


@pytest.fixture
def collection(font_dir, tmp_path):
    """Return a collection of two fonts, as their vendors ship them."""
    made = TTCollection()
    made.fonts = [TTFont(font_dir / name) for name in ("Ubuntu-M.ttf", "PTSerif-Regular.ttf")]
    made.save(tmp_path / "Two.ttc")
    return tmp_path / "Two.ttc"


def test_each_face_of_a_collection_is_a_font(collection, font_dir):
    fonts = find_fonts(collection, DIGITS, SIZES)
    assert [font.name for font in fonts] == ["Two.ttc#0", "Two.ttc#1"]
    assert [font.stem for font in fonts] == ["Two#0", "Two#1"]
    assert [font.load(42).getname()[0] for font in fonts] == ["Ubuntu", "PT Serif"]
    assert find_fonts(collection.parent, DIGITS, SIZES) == fonts
    drawn = [font.load(42).getmask("8").getbbox() for font in fonts]
    assert drawn == [
        Font(font_dir / name).load(42).getmask("8").getbbox() for name in ("Ubuntu-M.ttf", "PTSerif-Regular.ttf")
    ]


def test_one_face_of_a_collection_alone(collection, font):
    (face,) = find_fonts(Path(f"{collection}#1"), DIGITS, SIZES)
    assert face == Font(collection, 1) and str(face) == f"{collection}#1"
    with pytest.raises(OCRError, match="Two.ttc: this collection has faces #0 to #1$"):
        find_fonts(Path(f"{collection}#2"), DIGITS, SIZES)
    with pytest.raises(OCRError, match="Ubuntu-M.ttf: no collection$"):
        find_fonts(Path(f"{font}#0"), DIGITS, SIZES)
    with pytest.raises(OCRError, match="none.ttc#0: no such font file or folder$"):
        find_fonts(collection.with_name("none.ttc#0"), DIGITS, SIZES)


def test_a_cut_off_collection_is_named(collection):
    data = collection.read_bytes()
    for size in 4, 10, len(data) // 2, len(data) - 999:
        collection.write_bytes(data[:size])
        with pytest.raises(OCRError, match="Two.ttc.*: not a font that can be read"):
            find_fonts(collection, DIGITS, SIZES)


def test_files_that_macos_writes_beside_fonts_are_passed_over(font, tmp_path):
    shutil.copy(font, tmp_path / "a.ttf")
    (tmp_path / "._a.ttf").write_bytes(b"\0\5\x16\7" + bytes(4092))
    assert find_fonts(tmp_path, DIGITS, SIZES) == [Font(tmp_path / "a.ttf")]


@pytest.fixture
def upper_only(font, tmp_path):
    """Return a font that draws small letters as capitals."""
    with TTFont(font) as parsed:
        for table in parsed["cmap"].tables:
            table.cmap.update((ord(c.lower()), table.cmap[ord(c)]) for c in "ABCDE" if ord(c) in table.cmap)
        parsed.save(tmp_path / "UpperOnly.ttf")
    return tmp_path / "UpperOnly.ttf"


def test_characters_that_a_font_draws_alike_are_named(upper_only):
    assert find_fonts(upper_only, "abcde", SIZES) == [Font(upper_only)]
    said = "this font draws 'a' and 'A' alike; take another font, or leave such characters out of the alphabet$"
    with pytest.raises(OCRError, match=f"UpperOnly.ttf: {said}"):
        find_fonts(upper_only, "abcA", SIZES)
    with pytest.raises(OCRError, match="draws 'A' and 'a', 'B' and 'b', 'C' and 'c' and 2 others alike"):
        find_fonts(upper_only, "ABCDEabcde", SIZES)


def test_such_a_font_of_a_folder_is_left_out_and_told(upper_only, font, caplog):
    shutil.copy(font, upper_only.with_name("good.ttf"))
    with caplog.at_level(logging.WARNING, "ocr_lib"):
        assert find_fonts(upper_only.parent, "Aa", SIZES) == [Font(upper_only.with_name("good.ttf"))]
    assert [record.getMessage() for record in caplog.records] == [
        f"Left out {upper_only}: this font draws 'A' and 'a' alike"
    ]


@pytest.mark.parametrize("characters", ["".join(map(chr, range(33, 127))), ",'`.-_", "l1I|0Oo"])
def test_look_alikes_that_differ_at_all_are_no_fault(font_dir, characters, caplog):
    assert len(find_fonts(font_dir, characters, SIZES)) == 5
    assert not caplog.records


def test_a_character_that_a_font_maps_to_its_box_is_missing(font, tmp_path):
    with TTFont(font) as parsed:
        for table in parsed["cmap"].tables:
            table.cmap.update({ord("7"): ".notdef"})
        parsed.save(tmp_path / "boxes.ttf")
    with pytest.raises(OCRError, match="boxes.ttf: this font has no glyph for '7'$"):
        find_fonts(tmp_path / "boxes.ttf", DIGITS, SIZES)
