"""Recipes: presets, strict JSON, overriding single keys."""

import json
import math

import captcha.image
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_lib.errors import OCRError
from ocr_lib.recipe import (
    PRESETS_DIR,
    RENDERERS,
    CaptchaRecipe,
    Convolution,
    ImageRecipe,
    NetworkRecipe,
    Recipe,
    TextRecipe,
    TrainingRecipe,
    decode_json,
    encode_json,
    load_preset,
    override,
    parse_setting,
    preset_names,
)


def test_there_are_the_classic_preset_and_the_default_one():
    assert preset_names() == sorted(path.stem for path in PRESETS_DIR.iterdir())
    assert {"captcha", "mxnet-ctc"} <= set(preset_names())


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_loads_and_states_its_name(name):
    recipe = load_preset(name)
    assert recipe.name == name
    assert decode_json(encode_json(recipe), Recipe, "again") == recipe


def test_mxnet_ctc_is_the_classic_example():
    recipe = load_preset("mxnet-ctc")
    assert (recipe.image.width, recipe.image.height) == (80, 30)
    assert (recipe.image.mean, recipe.image.scale) == (0, 255)
    assert (recipe.text.alphabet, recipe.text.min_length, recipe.text.max_length) == ("0123456789", 3, 4)
    assert recipe.captcha == CaptchaRecipe() and (recipe.captcha.width, recipe.captcha.height) == (160, 60)
    assert recipe.network == NetworkRecipe((), layers=2, hidden=100, bidirectional=False, cell="fused")
    assert recipe.time_steps == 80
    assert recipe.training == TrainingRecipe(
        loss="ctc",
        optimizer="sgd",
        learning_rate=0.01,
        momentum=0.9,
        weight_decay=1e-5,
        schedule="constant",
        warmup=0,
        clip_norm=0,
        batch_size=128,
        epochs=100,
        epoch_size=30000,
        validation_size=3000,
        patience=0,
    )


def test_captcha_defaults_are_the_packages_own():
    package = captcha.image.ImageCaptcha
    recipe = CaptchaRecipe()
    for name in ("offset_dx", "offset_dy", "rotate", "warp_dx", "warp_dy"):
        assert getattr(recipe, f"character_{name}") == getattr(package, f"character_{name}")
    assert recipe.word_space_probability == package.word_space_probability
    assert recipe.word_offset_dx == package.word_offset_dx
    assert recipe.font_sizes == package()._font_sizes
    assert list(recipe.masks) == package.lookup_table
    assert recipe.bg_color is recipe.fg_color is None


def test_masks_are_the_table_that_is_given():
    table = (0, *range(256, 1, -1))
    assert tuple(CaptchaRecipe(lookup_table=table).masks) == table


def test_pools_set_the_time_steps():
    recipe = override(
        Recipe(), [("network.convolutions", [{"filters": 4}, {"filters": 8, "pool": [3, 2]}]), ("image.width", 90)]
    )
    assert (recipe.network.stride, recipe.time_steps) == ((6, 4), 15)


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
    ("network.cell", "gru", "gru.*network.cell"),
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
    ("text.max_length", 41, "81 time steps.*80.*image.width.*text.max_length.*network.convolutions"),
    (
        "network.convolutions",
        [{"filters": 1}] * 5,
        "7 time steps.*gives 2.*image.width.*text.max_length.*network.convolutions",
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
    with pytest.raises(OCRError, match=r"pools of network\.convolutions.*image\.height 7"):
        override(Recipe(), [("image.height", 7), ("network.convolutions", [{"filters": 1}] * 3)])


def test_the_longest_alignable_text_is_accepted():
    assert override(Recipe(), [("text.max_length", 40)]).time_steps == 80


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


def test_a_preset_can_be_a_file(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text('{"name": "mine", "network": {"hidden": 7}}')
    assert load_preset(str(path)) == override(Recipe(), [("name", "mine"), ("network.hidden", 7)])


@pytest.mark.parametrize("name", ["nothing", "nothing.json", "", "captcha.JSON"])
def test_an_unknown_preset_is_refused_with_those_there_are(name):
    with pytest.raises(OCRError, match=f"'{name}' is none of captcha, .*mxnet-ctc"):
        load_preset(name)


def test_override_changes_what_it_names_and_nothing_else():
    changed = override(Recipe(), [("network.hidden", 64), ("training.learning_rate", 1), ("seed", 3)])
    assert (changed.network.hidden, changed.training.learning_rate, changed.seed) == (64, 1.0, 3)
    back = override(changed, [("network.hidden", 100), ("training.learning_rate", 0.004), ("seed", 0)])
    assert back == Recipe()


def test_override_judges_the_result_and_not_the_steps():
    changed = override(Recipe(), [("text.min_length", 5), ("text.max_length", 6)])
    assert (changed.text.min_length, changed.text.max_length) == (5, 6)


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


@pytest.mark.parametrize(
    "text, value",
    [
        ("network.hidden=65", 65),
        (" network.hidden = 65", 65),
        ("training.learning_rate=1e-5", 1e-5),
        ("captcha.font_sizes=[16, 32]", (16, 32)),
        ("captcha.renderer=captcha", "captcha"),
        ("captcha.bg_color=[255, 255, 255]", (255, 255, 255)),
        ("captcha.fg_color=null", None),
        ("network.bidirectional=true", True),
        ("network.cell=unrolled", "unrolled"),
        ('network.convolutions=[{"filters": 8}]', (Convolution(8),)),
        ("text.alphabet=0123", "0123"),
        ("text.alphabet=123", "123"),
        ('text.alphabet="x', '"x'),
        ("text.alphabet=a=b", "a=b"),
        ("name=", ""),
    ],
)
def test_settings_are_json_or_plain_text(text, value):
    key, _ = parse_setting(text)
    recipe = override(Recipe(), [parse_setting(text)])
    for part in key.split("."):
        recipe = getattr(recipe, part)
    assert recipe == value


def test_a_setting_that_is_no_unicode_is_refused():
    with pytest.raises(OCRError, match="surrogates"):
        override(Recipe(), [parse_setting("network.hidden=\udcff")])


def test_parse_setting_wants_an_equals_sign():
    with pytest.raises(OCRError, match="--set network.hidden: expected key=value"):
        parse_setting("network.hidden")


def sorted_pair(elements):
    return st.tuples(elements, elements).map(sorted).map(tuple)


def counts(most=10**6):
    return st.integers(1, most)


NUMBERS = st.floats(-1e6, 1e6)
SHARES = st.floats(0, 1)
RECIPES = st.builds(
    Recipe,
    name=st.text(st.characters(codec="utf-8")),
    seed=st.integers(0, 2**63 - 1),
    image=st.builds(ImageRecipe, counts().map(lambda n: n + 400), counts().map(lambda n: n + 8), NUMBERS, counts()),
    text=sorted_pair(counts(20)).flatmap(
        lambda span: st.builds(
            TextRecipe,
            st.sampled_from(["0123456789", "жзи", "a\"b\\c'", "é€ 数", "👍"]),
            st.just(span[0]),
            st.just(span[1]),
        )
    ),
    captcha=st.builds(
        CaptchaRecipe,
        renderer=st.sampled_from(RENDERERS),
        width=st.integers(10, 999),
        font_sizes=st.lists(counts(), min_size=1).map(tuple),
        character_offset_dx=sorted_pair(st.integers(0, 99)),
        character_rotate=st.tuples(NUMBERS, NUMBERS),
        lookup_table=st.none() | st.just(tuple(range(256))),
        bg_color=st.none() | st.tuples(*[st.integers(0, 255)] * 3),
        fg_color=st.none() | st.tuples(*[st.integers(0, 255)] * 4),
        word_space_probability=SHARES,
    ),
    network=st.builds(
        NetworkRecipe,
        convolutions=st.lists(st.builds(Convolution, filters=counts()), max_size=3).map(tuple),
        hidden=counts(),
        bidirectional=st.booleans(),
        cell=st.sampled_from(["fused", "unrolled"]),
    ),
    training=st.builds(
        TrainingRecipe,
        loss=st.sampled_from(["ctc", "warpctc"]),
        learning_rate=st.floats(0, 10, exclude_min=True),
        momentum=SHARES,
        weight_decay=SHARES,
        patience=st.integers(0, 99),
    ),
)


@settings(deadline=None)
@given(RECIPES)
def test_json_round_trip(recipe):
    data = encode_json(recipe)
    assert decode_json(data, Recipe, "again") == recipe
    assert override(Recipe(), json.loads(data).items()) == recipe


def test_json_is_for_people_and_other_programs():
    text = encode_json(Recipe()).decode()
    assert json.loads(text)["captcha"]["font_sizes"] == [42, 50, 56]
    assert '\n  "network": {\n    "convolutions": []' in text and text.endswith("}\n")


def test_a_recipe_is_a_frozen_value():
    with pytest.raises(AttributeError):
        Recipe().network.hidden = 3
    assert hash(Recipe()) == hash(Recipe()) and Recipe() != Recipe(seed=1)
    assert msgspec.structs.replace(Recipe(), seed=0) == Recipe()
