"""Recipes: presets, strict JSON, overriding single keys."""

import json

import captcha.image
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_lib.recipe.augmentation import AugmentationRecipe
from ocr_lib.recipe.captcha import RENDERERS, CaptchaRecipe
from ocr_lib.recipe.image import ImageRecipe
from ocr_lib.recipe.network import Convolution, NetworkRecipe
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import (
    PRESETS_DIR,
    decode_json,
    encode_json,
    load_preset,
    override,
    parse_setting,
    preset_names,
    preset_settings,
)
from ocr_lib.recipe.text import TextRecipe
from ocr_lib.recipe.training import TrainingRecipe


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
        parts=2,
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
    assert (recipe.network.shrinkage(0), recipe.network.shrinkage(1)) == (((0, 2), (0, 3)), ((0, 2), (0, 2)))
    assert (recipe.time_steps, recipe.feature_rows, recipe.features) == (15, 7, 56)


def test_kernels_that_are_not_padded_take_from_the_edges():
    layers = [{"filters": 4, "kernel": [4, 3], "padding": False}, {"filters": 6, "kernel": [7, 5], "pool": [1, 3]}]
    recipe = override(Recipe(), [("network.convolutions", layers), ("image.width", 90)])
    assert (recipe.network.shrinkage(0), recipe.network.shrinkage(1)) == (((3, 2), (0, 1)), ((2, 2), (0, 3)))
    assert (recipe.time_steps, recipe.feature_rows, recipe.features) == (43, 4, 24)


def test_without_convolutions_columns_are_read_as_they_are():
    assert (Recipe().time_steps, Recipe().feature_rows, Recipe().features) == (80, 30, 30)


@pytest.mark.parametrize(
    "bidirectional, merge, width", [(False, "concat", 7), (False, "sum", 7), (True, "concat", 14), (True, "sum", 7)]
)
def test_outputs_of_a_layer(bidirectional, merge, width):
    assert NetworkRecipe(hidden=7, bidirectional=bidirectional, merge=merge).width == width


def test_as_many_characters_as_time_steps_are_accepted():
    assert override(Recipe(), [("text.max_length", 80)]).time_steps == 80


def test_without_a_width_epochs_may_be_sorted():
    recipe = override(Recipe(), [("training.sorted_epochs", 3), ("image.width", None)])
    assert recipe.training.sorted_epochs == 3
    assert override(recipe, json.loads(encode_json(recipe)).items()) == recipe


def test_without_a_width_any_number_of_characters_is_accepted():
    recipe = override(Recipe(), [("image.width", None), ("text.max_length", 10**4)])
    assert recipe.image.size == (None, 30) and recipe.feature_rows == 30


def test_all_images_may_change_their_strokes():
    recipe = override(Recipe(), [("augmentation", {"erosion": 0.3, "dilation": 0.7})])
    assert recipe.augmentation == AugmentationRecipe(erosion=0.3, dilation=0.7)
    assert Recipe().augmentation == AugmentationRecipe()


def test_a_preset_can_be_a_file(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text('{"name": "mine", "network": {"hidden": 7}}')
    assert load_preset(str(path)) == override(Recipe(), [("name", "mine"), ("network.hidden", 7)])


def test_override_changes_what_it_names_and_nothing_else():
    changed = override(Recipe(), [("network.hidden", 64), ("training.learning_rate", 1), ("seed", 3)])
    assert (changed.network.hidden, changed.training.learning_rate, changed.seed) == (64, 1.0, 3)
    back = override(changed, [("network.hidden", 100), ("training.learning_rate", 0.004), ("seed", 0)])
    assert back == Recipe()


def test_override_judges_the_result_and_not_the_steps():
    changed = override(Recipe(), [("text.min_length", 5), ("text.max_length", 6)])
    assert (changed.text.min_length, changed.text.max_length) == (5, 6)


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
        ("image.width=null", None),
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
    image=st.builds(ImageRecipe, st.just(None) | st.integers(600, 10**6), st.integers(40, 10**6), NUMBERS, counts()),
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
        convolutions=st.lists(
            st.builds(
                Convolution,
                filters=counts(),
                kernel=st.tuples(*[st.sampled_from([1, 3])] * 2),
                padding=st.booleans(),
                batch_norm=st.booleans(),
            ),
            max_size=3,
        ).map(tuple),
        hidden=counts(),
        bidirectional=st.booleans(),
        merge=st.sampled_from(["concat", "sum"]),
        dropout=st.floats(0, 1, exclude_max=True),
        output_norm=st.booleans(),
    ),
    augmentation=st.builds(
        AugmentationRecipe, scale=st.floats(0, 1, exclude_max=True), erosion=SHARES, blur=st.floats(0, 9)
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


def test_settings_of_a_preset_are_what_it_states(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text('{"name": "mine", "network": {"hidden": 100, "convolutions": [{"filters": 3}]}}')
    stated = [("name", "mine"), ("network.hidden", 100), ("network.convolutions", [{"filters": 3}])]
    assert preset_settings(str(path)) == stated
    for name in preset_names():
        assert override(Recipe(), preset_settings(name)) == load_preset(name)
