"""Labels in the names of images, found by looking at all names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_lib.errors import OCRError
from ocr_lib.sets.names import find_scheme, scheme_of_pattern, texts_of

MD5 = "9e107d9d372bb6826bd81d3542a419d6"
UUID = "123E4567-e89b-12d3-a456-426614174000"


def texts(*stems):
    return list(map(find_scheme(stems).text_of, stems))


@pytest.mark.parametrize(
    "stem, text",
    [
        ("a_", "a_"),
        ("a_1", "a"),
        ("a_1b", "a_1b"),
        ("_1", "_1"),
        ("a_1_0", "a_1"),
        ("a (2)", "a"),
        ("a_3 (2)", "a"),
        ("a - Copy", "a"),
        ("a - Copy (2)", "a"),
        ("f(2)", "f(2)"),
        ("(2)", "(2)"),
        (f"ab12_{MD5}", "ab12"),
        (f"ab 12-{MD5.upper()}", "ab 12"),
        (f"x.{UUID}", "x"),
        (f"{MD5}_ab12", "ab12"),
        ("abcd_deadbeef", "abcd_deadbeef"),
        ("1.5", "1.5"),
    ],
)
def test_a_name_alone(stem, text):
    assert texts(stem) == [text]


@pytest.mark.parametrize(
    "stems, expected",
    [
        (["0001_5904", "0002_8936", "0003_9554"], ["5904", "8936", "9554"]),
        (["1_590", "2_8936", "3_95"], ["590", "8936", "95"]),
        (["17_ab", "18_cd", "19_ab (1)"], ["ab", "cd", "ab"]),
        (["0007-ab", "0008-cd", "0009-ef"], ["ab", "cd", "ef"]),
        (["1612345678_12", "1612345999_34", "1612349999_56"], ["12", "34", "56"]),
        (["4711_99", "815_99", "42_11"], ["99", "99", "11"]),
        (["5904_1", "8936_2", "9554_3"], ["5904", "8936", "9554"]),
        (["590_1612345678", "8936_1612345999", "95_1612349999"], ["590", "8936", "95"]),
        (["0042", "0042_1", "0042_2", "17"], ["0042", "0042", "0042", "17"]),
        (["1_0", "2_0", "3_0"], ["1", "2", "3"]),
        (["12-AB-34", "13-CD-35", "14-EF-36"], ["12-AB-34", "13-CD-35", "14-EF-36"]),
        (["1.5", "2.7", "3.9"], ["1.5", "2.7", "3.9"]),
        (["ab_3f2a9c1b", "cd_0b1c2d3e", "ef_99aa88bb"], ["ab", "cd", "ef"]),
        (["3f2a9c1b_ab", "0b1c2d3e_cd", "99aa88bb_ef"], ["ab", "cd", "ef"]),
        (["1_deadbeef", "1_facefeed", "1_cafebabe"], ["1_deadbeef", "1_facefeed", "1_cafebabe"]),
        (["ab_12345678", "cd_23456789", "ef_34567890"], ["ab", "cd", "ef"]),
        (["ab_3f2a9c", "cd_0b1c2d", "ef_99aa88"], ["ab", "cd", "ef"]),
        (["3f2a9c0b1c2d-ab", "0b1c2d3e4f5a-cd", "99aa88bb77cc-ef"], ["ab", "cd", "ef"]),
        (["001_3f2a9c", "002_0b1c2d", "003_99aa88"], ["3f2a9c", "0b1c2d", "99aa88"]),
        (["car_3f2a9c", "car_0b1c2d", "car_99aa88"], ["car_3f2a9c", "car_0b1c2d", "car_99aa88"]),
        (["ab_3f2a9c", "cd_0b1c2d3", "ef_99aa88"], ["ab_3f2a9c", "cd_0b1c2d3", "ef_99aa88"]),
        (["ab_3f2a9", "cd_0b1c2", "ef_99aa8"], ["ab_3f2a9", "cd_0b1c2", "ef_99aa8"]),
    ],
)
def test_all_names_together(stems, expected):
    assert texts(*stems) == expected


@pytest.mark.parametrize(
    "stems, expected",
    [
        (["ab", "ab(1)", "ab(2)", "cd", "cd(1)"], ["ab", "ab", "ab", "cd", "cd"]),
        (["ab", "ab copy", "ab copy 2", "cd_copy", "cd", "ef-copy"], ["ab", "ab", "ab", "cd", "cd", "ef"]),
        (["ab_3", "ab_3(1)", "0007_9e(1)"], ["ab", "ab", "0007_9e"]),
        (["Copy of ab", "Copy of cd_2", "Kopie von ef"], ["ab", "cd", "ef"]),
        (["f(1)", "g(2)", "h"], ["f(1)", "g(2)", "h"]),
        (["hard copy", "a copy 2"], ["hard copy", "a copy 2"]),
        (["caf%C3%A9", "a%2Fb_1", "50%25"], ["café", "a/b", "50%"]),
        (["50%", "50%25"], ["50%", "50%25"]),
        (["%FF", "%41"], ["%FF", "%41"]),
    ],
)
def test_names_that_were_changed(stems, expected):
    assert texts_of(stems)[1] == expected


LABELS = (
    "2tv6v 6qwpv 7kxz2 hwvep cxa96 9xtyw 8wwd2 gkzr4 98q25 ws9e8 ygy6w tqy7e "
    "3fmbn 5hnka c4ude dp2rs ek9gm fb7wq mxe3c nq6hz pu5yd rk2vt ub8xs zn4ga"
).split()
DIGITS = (
    "5904 8936 9554 0042 1177 7301 6250 4418 3909 8125 2260 0731 "
    "9012 3346 7780 1513 6697 2884 4405 5528 8061 0399 7942 1650"
).split()


@pytest.mark.parametrize(
    "name",
    [
        "captcha_{label}",
        "IMG_20240101_{label}",
        "label={label}",
        "{label}_train",
        "{label}.jpg",
        "captcha-{label}.png",
        "[{label}]",
        "({label})",
        "captcha_{index:04d}_{label}",
        "captcha_{label}_{index}",
        "{index}-{label}",
        "{index} {label}",
        "{index:04d}.{label}",
        "{label}-{index}",
        "{label} {index}",
        "{label}+{index}",
        "{label}~{index}",
        "{label}__{index}",
        "{label}@{time}",
        "{label}-{time}",
        "{label}.{time}000",
        "{label} - Kopie",
    ],
)
def test_what_names_have_besides(name):
    stems = [
        name.format(label=label, index=index, time=1617182345 + index**5)
        for index, label in enumerate(sorted(LABELS, reverse=True), 1)
    ]
    assert texts(*stems) == sorted(LABELS, reverse=True)


@pytest.mark.parametrize("name", ["captcha_{}", "plate-{}", "text.{}", f"{{}}_{MD5}", f"{{}}-{UUID}"])
def test_labels_of_digits(name):
    assert texts(*map(name.format, DIGITS)) == DIGITS


@pytest.mark.parametrize("name", ["{}", "B-{}", "{}-17", "KA-{}", "{} kg"])
@pytest.mark.parametrize("labels", [LABELS, DIGITS])
def test_what_all_labels_may_have(name, labels):
    stems = list(map(name.format, labels))
    assert texts(*stems) == stems


def test_dates_are_whole():
    stems = [f"2024-{1 + index % 3:02d}-{1 + 7 * index % 19:02d}" for index in range(19)]
    assert texts(*stems) == stems  # each day once


def test_plates_have_numbers_that_do_not_run():
    stems = [f"{label[:2]}-{digits}" for label, digits in zip(LABELS, DIGITS)]
    assert texts(*stems) == stems


@pytest.mark.parametrize(
    "name", ["site_{label}", "{label}_{other}", "{index:04d}_{label}_{other}", "tmp{index}x_{label}"]
)
def test_names_that_do_not_tell(name):
    stems = [
        name.format(label=label, other=other, index=index)
        for index, (label, other) in enumerate(zip(LABELS, sorted(LABELS)))
    ]
    with pytest.raises(OCRError, match=r"the names don't tell where the labels are, as .*: --label-pattern '\^\("):
        find_scheme(stems)


def test_two_numbers_of_which_either_may_be_the_label():
    with pytest.raises(OCRError, match=r"two numbers, as 17_350, .*--label-pattern '_\(\?P<text>.\+\)' takes"):
        find_scheme(["17_350", "99_1024", "4_77"])


@pytest.mark.parametrize("labels", [DIGITS, ["0731", "4418", "2260"]])
def test_numbers_behind_images_are_no_labels(labels):
    with pytest.raises(OCRError, match="the names have no labels, as img_0"):
        find_scheme([f"img_{label}" for label in labels])


@pytest.mark.parametrize("word", ["img", "IMG", "captcha"])
def test_names_that_have_no_labels(word):
    with pytest.raises(OCRError, match=f"the names have no labels, as {word}_0001: .*--label-pattern"):
        find_scheme([f"{word}_{number:04d}" for number in range(1, 5)])


@given(st.lists(st.text(st.sampled_from("0123456789abc_-. ()"), min_size=1), max_size=6))
def test_any_names_have_labels_or_are_refused(stems):
    try:
        scheme = find_scheme(stems)
    except OCRError:
        return
    for stem in stems:
        text = scheme.text_of(stem)
        assert text and text in stem


class TestPattern:
    @pytest.mark.parametrize(
        "pattern, stem, text",
        [
            ("_(?P<text>.+)", "0_ab_1", "ab_1"),
            ("^(?P<text>[0-9]+)-", "12-x", "12"),
            ("^(?P<text>[0-9]+)-", "x", None),
            ("(?P<text>x?)", "12", ""),
        ],
    )
    def test_is_searched_for(self, pattern, stem, text):
        assert scheme_of_pattern(pattern).text_of(stem) == text

    @pytest.mark.parametrize("pattern, fault", [("(", "is no regular expression"), ("(.+)", "has no group")])
    def test_that_is_none(self, pattern, fault):
        with pytest.raises(OCRError, match=f"^--label-pattern .*{fault}"):
            scheme_of_pattern(pattern)


def test_what_is_shown():
    stems = ["7", "8", "123 (2)", "45_6", "9"]
    scheme, found = texts_of(stems)
    assert scheme.shown(stems, found, 2).endswith(": 123 (2) says '123', 45_6 says '45'")
