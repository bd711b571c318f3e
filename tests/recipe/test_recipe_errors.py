"""Recipes that are refused: by file, key and reason."""

import json
import math

import pytest

from ocr_lib.errors import OCRError
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import decode_json, load_preset, override, parse_setting

# key, value, and what the message must say
WRONG = [
    ("network.hidden", "many", "int.*network.hidden"),
    ("network.hidden", 0, ">= 1.*network.hidden"),
    ("network.hidden", 6.5, "int.*network.hidden"),
    ("network.hidden", True, "int.*network.hidden"),
    ("network.layers", None, "int.*network.layers"),
    ("network.convolutions", [{"filters": 0}], "network.convolutions"),
    ("network.convolutions", [{"filters": 1, "pool": [0, 1]}], "network.convolutions"),
    ("network.convolutions", [{"filters": 1, "pol": [1, 1]}], "pol"),
    ("network.convolutions", 16, "array.*network.convolutions"),
    ("network.bidirectional", 1, "bool.*network.bidirectional"),
    ("network.convolutions", [{"filters": 1, "kernel": [3, 0]}], ">= 1.*network.convolutions"),
    ("network.convolutions", [{"filters": 1, "kernel": [2, 3]}], "kernel of 2x3.*padding.*network.convolutions"),
    ("network.convolutions", [{"filters": 1, "kernel": [3, 4]}], "kernel of 3x4.*padding.*network.convolutions"),
    ("network.convolutions", [{"filters": 1, "kernel": [3]}], "length 2.*network.convolutions"),
    ("network.convolutions", [{"filters": 1, "padding": 1}], "bool.*network.convolutions"),
    ("network.convolutions", [{"filters": 1, "batch_norm": "no"}], "bool.*network.convolutions"),
    (
        "network.convolutions",
        [{"filters": 1, "kernel": [1, 31], "pool": [1, 1], "padding": False}],
        "network.convolutions leave nothing of image.height 30",
    ),
    ("network.cell", "gru", "gru.*network.cell"),
    ("network.merge", "mean", "mean.*network.merge"),
    ("network.dropout", 1, "< 1.*network.dropout"),
    ("network.dropout", -0.1, ">= 0.*network.dropout"),
    ("network.output_norm", 1, "bool.*network.output_norm"),
    ("image.width", 0, ">= 1.*image.width"),
    ("image.width", "wide", "int.*null.*image.width"),
    ("image.height", None, "int.*image.height"),
    ("augmentation", 1, "object.*augmentation"),
    ("augmentation.scale", 1, "< 1.*augmentation.scale"),
    ("augmentation.scale", -0.1, ">= 0.*augmentation.scale"),
    ("augmentation.shear", -0.1, ">= 0.*augmentation.shear"),
    ("augmentation.shift", -1, ">= 0.*augmentation.shift"),
    ("augmentation.elastic", -1, ">= 0.*augmentation.elastic"),
    ("augmentation.blur", -1, ">= 0.*augmentation.blur"),
    ("augmentation.noise", -1, ">= 0.*augmentation.noise"),
    ("augmentation.noise", "much", "float.*augmentation.noise"),
    ("augmentation.contrast", 1.1, "<= 1.*augmentation.contrast"),
    ("augmentation.erosion", 1.1, "<= 1.*augmentation.erosion"),
    ("augmentation.dilation", -0.1, ">= 0.*augmentation.dilation"),
    ("augmentation", {"erosion": 0.5, "dilation": 0.6}, "erosion and dilation together are 1.1.*augmentation"),
    ("training.sorted_epochs", -1, ">= 0.*training.sorted_epochs"),
    ("training.sorted_epochs", 1.5, "int.*training.sorted_epochs"),
    ("training.sorted_epochs", 1, "training.sorted_epochs is about widths, which image.width makes all the same"),
    ("training.loss", "mse", "mse.*training.loss"),
    ("training.momentum", 1.5, "<= 1.*training.momentum"),
    ("training.learning_rate", 0, "> 0.*training.learning_rate"),
    ("training.learning_rate", math.nan, "> 0.*training.learning_rate"),
    ("training.patience", -1, ">= 0.*training.patience"),
    ("seed", -1, ">= 0.*seed"),
    ("seed", 2**64, "<=.*seed"),
    ("name", 5, "str.*name"),
    ("text", 5, "object.*text"),
    ("text.alphabet", "", "alphabet is empty.*text"),
    ("text.alphabet", "aba", "'a'.*more than once.*text"),
    ("text.min_length", 9, "min_length 9 is more than max_length 4"),
    ("image.scale", 0, "scale is 0.*image"),
    ("image.crop", [0.5, 0.5], r"crop \[0.5, 0.5\] leaves nothing.*image"),
    ("image.crop", [-0.1, 0], "leaves nothing.*image"),
    ("image.crop", [0.1], "length 2.*image.crop"),
    ("image.ground", "blur", "blur.*image.ground"),
    ("captcha.width", 9, ">= 10.*captcha.width"),
    ("captcha.font_sizes", [], "font_sizes is empty.*captcha"),
    ("captcha.character_rotate", [1], "length 2.*captcha.character_rotate"),
    ("captcha.renderer", "quick", "quick.*captcha.renderer"),
    ("captcha.font_sizes", [42, 0], ">= 1.*captcha.font_sizes"),
    ("captcha.character_offset_dx", [-1, 4], ">= 0.*captcha.character_offset_dx"),
    ("captcha.character_offset_dx", [5, 4], "character_offset_dx is from 5 to 4.*captcha"),
    ("captcha.character_offset_dy", [3, 2], "character_offset_dy is from 3 to 2.*captcha"),
    ("captcha.word_space_probability", 1.1, "<= 1.*captcha.word_space_probability"),
    ("captcha.lookup_table", [1] * 256, "begins with other than 0.*captcha"),
    ("captcha.lookup_table", [1] * 255, "256.*captcha.lookup_table"),
    ("captcha.lookup_table", [0.5] * 256, "int.*captcha.lookup_table"),
    ("captcha.bg_color", [0, 0, 256], "<= 255.*captcha.bg_color"),
    ("captcha.bg_color", [0, 0, 0, 0], "length 3.*captcha.bg_color"),
    ("captcha.fg_color", [0, 0, 0], "length 4.*captcha.fg_color"),
    ("captcha.fg_color", [0, 0, 0, -1], ">= 0.*captcha.fg_color"),
    ("text.max_length", 81, "81 characters.*gives 80: .*image.width.*text.max_length.*network.convolutions"),
    (
        "network.convolutions",
        [{"filters": 1, "pool": [2, 1]}] * 5,
        "4 characters.*gives 2: .*image.width.*text.max_length.*network.convolutions",
    ),
]


IN_JSON = [row for row in WRONG if repr(row[1]) != "nan"]


@pytest.mark.parametrize("key, value, message", WRONG)
def test_an_impossible_value_is_refused_by_key(key, value, message):
    with pytest.raises(OCRError, match=message) as caught:
        override(Recipe(), [(key, value)])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key, value, message", IN_JSON)
def test_a_file_with_an_impossible_value_is_refused_by_name_and_key(key, value, message):
    tree = value
    for part in reversed(key.split(".")):
        tree = {part: tree}
    with pytest.raises(OCRError, match=f"my.json: .*{message}"):
        decode_json(json.dumps(tree).encode(), Recipe, "my.json")


def test_an_image_lower_than_the_poolings_is_refused():
    with pytest.raises(OCRError, match=r"network\.convolutions leave nothing of image\.height 7"):
        override(Recipe(), [("image.height", 7), ("network.convolutions", [{"filters": 1}] * 3)])


@pytest.mark.parametrize("keys", [("image.width", "network.cell"), ("network.cell", "image.width")])
def test_an_unrolled_network_needs_a_width(keys):
    values = {"image.width": None, "network.cell": "unrolled"}
    with pytest.raises(OCRError, match=r"network\.cell unrolled .*needs an image\.width"):
        override(Recipe(), [(key, values[key]) for key in keys])


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "my.json: "),
        (b"{", "my.json: "),
        (b"[]", "my.json: .*object"),
        (b"{} {}", "my.json: .*trailing"),
        (b'{"network": {"hiden": 1}}', "my.json: .*hiden"),
        (b'{"colour": 1}', "my.json: .*colour"),
        (b"\xff\xfe{}", "my.json: "),
        (b'{"name": "\xff"}', "my.json: "),
        (b'{"image": {"mean": 1e999}}', r"my.json: .*image\.mean"),
        (b'{"image": {"mean": NaN}}', "my.json: "),
    ],
)
def test_what_is_no_recipe_is_refused_by_name(data, message):
    with pytest.raises(OCRError, match=message):
        decode_json(data, Recipe, "my.json")


@pytest.mark.parametrize("name", ["nothing", "nothing.json", "", "captcha.JSON"])
def test_an_unknown_preset_is_refused_with_those_there_are(name):
    with pytest.raises(OCRError, match=f"'{name}' is none of captcha, .*mxnet-ctc"):
        load_preset(name)


@pytest.mark.parametrize(
    "key, message",
    [
        ("network.hiden", "network.hiden: no such key"),
        ("hidden", "hidden: no such key.*did you mean network.hidden?"),
        ("net.hidden", "net.hidden: no such key.*did you mean network.hidden?"),
        ("network.hidden.x", "network.hidden.x: no such key"),
        ("", "no such key"),
        (".", "no such key"),
    ],
)
def test_override_names_an_unknown_key(key, message):
    with pytest.raises(OCRError, match=message):
        override(Recipe(), [(key, 1)])


def test_a_setting_that_is_no_unicode_is_refused():
    with pytest.raises(OCRError, match="surrogates"):
        override(Recipe(), [parse_setting("network.hidden=\udcff")])


def test_parse_setting_wants_an_equals_sign():
    with pytest.raises(OCRError, match="--set network.hidden: expected key=value"):
        parse_setting("network.hidden")
