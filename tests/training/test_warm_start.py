"""What a run takes from a trained network: its classifier's rows, its alphabet, its part of the recipe."""

import numpy as np
import pytest

from ocr_lib.errors import OCRError
from ocr_lib.net.weights import weight_shapes
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import load_preset, override
from ocr_lib.training.warm_start import (
    FITTED,
    Pretrained,
    change_alphabet,
    check_inherited,
    inherit,
    remap_classifier,
    remap_images,
)
from tests.toy import toy_recipe


def classifier(first, classes, width=2):
    """Return a classifier whose row k has `first` + k everywhere."""
    rows = first + np.arange(classes, dtype=np.float32)
    return {"pred_fc_weight": rows[:, None].repeat(width, axis=1), "pred_fc_bias": rows.copy()}


class TestRemapClassifier:
    @pytest.mark.parametrize(
        "known, wanted, expected",
        [
            ("abc", "abc", [100, 101, 102, 103]),
            ("abc", "abcxy", [100, 101, 102, 103, 4, 5]),
            ("abc", "cba", [100, 103, 102, 101]),
            ("abc", "xbya", [100, 1, 102, 3, 101]),
            ("abc", "b", [100, 102]),
            ("abc", "xyz", [100, 1, 2, 3]),
            ("ба", "аé", [100, 102, 2]),
            ("aB", "Ab", [100, 101, 102]),
            ("aB", "aAbB", [100, 101, 101, 102, 102]),
            ("ß", "S", [100, 1]),
        ],
    )
    def test_rows(self, known, wanted, expected):
        trained, fresh = classifier(100, 1 + len(known)), classifier(0, 1 + len(wanted))
        remapped = remap_classifier(trained, fresh, known, wanted)
        assert remapped["pred_fc_bias"].tolist() == expected
        assert remapped["pred_fc_weight"].tolist() == [[row, row] for row in expected]
        assert all(array.dtype == np.float32 for array in remapped.values())

    def test_changes_nothing_in_place(self):
        trained, fresh = classifier(100, 3), classifier(0, 4)
        before = [{name: array.copy() for name, array in arrays.items()} for arrays in (trained, fresh)]
        remapped = remap_classifier(trained, fresh, "ab", "bax")
        for array in remapped.values():
            array[:] = -1
        for arrays, copies in zip((trained, fresh), before):
            for name, array in arrays.items():
                np.testing.assert_array_equal(array, copies[name])


def image_weights(recipe, seed=0):
    """Return random weights of what reads images, or their features."""
    generator = np.random.default_rng(seed)
    shapes = weight_shapes(recipe)
    names = {"conv0_weight", "l0_i2h_weight", "l0_r_i2h_weight"} & shapes.keys()
    return {name: generator.standard_normal(shapes[name]).astype(np.float32) for name in names}


class TestRemapImages:
    """What is made to fit gives features of enlarged images, or of grey ones in colour, what it gave before."""

    @pytest.mark.parametrize("convolutions", [[], [{"filters": 6, "pool": [1, 2]}]])
    @pytest.mark.parametrize("height, factor", [(16, 1), (32, 2), (48, 3)])
    def test_features_of_which_each_row_is_there_several_times(self, convolutions, height, factor):
        known = toy_recipe(("network.convolutions", convolutions), ("image.height", 16))
        wanted = override(known, {"image.height": height})
        trained = image_weights(known)
        weight = remap_images(trained, known, wanted)["l0_i2h_weight"]
        # Constant along rows, so that what lies between rows is no matter.
        levels = np.random.default_rng(1).standard_normal(known.features // known.feature_rows).astype(np.float32)
        features, larger = (np.repeat(levels, recipe.feature_rows) for recipe in (known, wanted))
        np.testing.assert_allclose(weight @ larger, trained["l0_i2h_weight"] @ features, rtol=1e-4, atol=1e-4)
        assert weight.shape == weight_shapes(wanted)["l0_i2h_weight"] and weight.dtype == np.float32

    def test_rows_keep_their_place(self):
        known, wanted = (toy_recipe(("network.convolutions", []), ("image.height", height)) for height in (8, 16))
        trained = image_weights(known)
        trained["l0_i2h_weight"][:] = np.arange(8)
        first = remap_images(trained, known, wanted)["l0_i2h_weight"][0]
        expected = np.clip(np.arange(16) / 2 - 0.25, 0, 7) / 2
        np.testing.assert_allclose(first, expected, atol=1e-6)

    @pytest.mark.parametrize("convolutions", [[], [{"filters": 6}]])
    def test_colours_that_are_grey_are_read_as_grey(self, convolutions):
        known = toy_recipe(("network.convolutions", convolutions))
        wanted = override(known, {"image.channels": 3})
        trained = image_weights(known)
        remapped = remap_images(trained, known, wanted)
        name = "conv0_weight" if convolutions else "l0_i2h_weight"
        weight = remapped[name]
        assert weight.shape == weight_shapes(wanted)[name]
        by_channel = weight.reshape(len(weight), 3, -1)
        np.testing.assert_allclose(by_channel.sum(axis=1), trained[name].reshape(len(weight), -1), rtol=1e-5)
        np.testing.assert_array_equal(by_channel[:, 0], by_channel[:, 2])

    def test_the_same_images_need_the_same_weights(self):
        known = toy_recipe()
        trained = image_weights(known)
        for name, weight in remap_images(trained, known, known).items():
            np.testing.assert_array_equal(weight, trained[name])


class TestPretrained:
    def test_leaves_other_weights_as_they_are(self):
        known, wanted = toy_recipe(), toy_recipe(("text.alphabet", "70x"), ("image.height", 32))
        trained, fresh = (
            {name: np.full(shape, value, np.float32) for name, shape in weight_shapes(recipe).items()}
            for recipe, value in ((known, 2), (wanted, 1))
        )
        fitted = Pretrained(trained, known).fitted(fresh, wanted)
        assert {name: weight.shape for name, weight in fitted.items()} == weight_shapes(wanted)
        assert fitted["pred_fc_bias"].tolist() == [2, 2, 2, 1]
        others = set(trained) - {"conv0_weight", "l0_i2h_weight", "l0_r_i2h_weight", "pred_fc_weight", "pred_fc_bias"}
        assert all(fitted[name] is trained[name] for name in others)


class TestChangeAlphabet:
    @pytest.mark.parametrize("change", ["fail", "union"])
    @pytest.mark.parametrize("wanted", ["", "a", "cab"])
    def test_known_characters_change_nothing(self, change, wanted):
        assert change_alphabet("bca", change, "ocr", wanted) == "bca"

    def test_fail_names_the_characters_and_the_option(self):
        with pytest.raises(OCRError, match=r"^the alphabet of runs/ocr lacks 'x', 'é': --alphabet-change union "):
            change_alphabet("bca", "fail", "runs/ocr", "éabx")

    def test_union_adds_them_behind_sorted(self):
        assert change_alphabet("bca", "union", "ocr", "zéaXb") == "bcaXzé"

    @pytest.mark.parametrize("wanted", ["ab", "xyz", "xcab"])
    def test_new_takes_what_is_wanted_in_its_order(self, wanted):
        assert change_alphabet("bca", "new", "ocr", wanted) == wanted


@pytest.fixture
def pretrained():
    """Return the recipe of a checkpoint."""
    settings = [
        ("image.width", 120),
        ("network.hidden", 20),
        ("text.alphabet", "xyz"),
        ("text.max_length", 9),
        ("training.epochs", 3),
        ("seed", 5),
    ]
    return override(load_preset("captcha"), settings)


class TestInherit:
    def test_image_network_and_alphabet(self, pretrained):
        preset = load_preset("mxnet-ctc")
        recipe = inherit(preset, [("training.epochs", 9), ("text.max_length", 6), ("seed", 2)], pretrained)
        assert (recipe.image, recipe.network) == (pretrained.image, pretrained.network)
        assert (recipe.text.alphabet, recipe.text.max_length, recipe.seed) == ("xyz", 6, 2)
        assert recipe.training == override(preset, [("training.epochs", 9)]).training
        assert recipe.captcha == preset.captcha

    def test_a_preset_that_fits_its_own_image_only(self, pretrained):
        preset = override(Recipe(), [("image.width", 400), ("text.max_length", 200)])
        assert inherit(preset, [("text.max_length", 7)], pretrained).text.max_length == 7

    def test_what_is_impossible_together(self, pretrained):
        with pytest.raises(OCRError, match="lower text.max_length"):
            inherit(Recipe(), [("text.max_length", 61)], pretrained)

    def test_unknown_keys(self, pretrained):
        with pytest.raises(OCRError, match="training.hidden: no such key"):
            inherit(Recipe(), [("training.hidden", 1)], pretrained)


class TestCheckInherited:
    def test_the_same_values_and_other_parts_pass(self, pretrained):
        same = [("image.width", "120"), ("network.hidden", 20), ("network.layers", "2")]
        check_inherited([*same, ("training.epochs", 9), ("text.alphabet", "ab")], "--set", pretrained, "ocr")

    def test_what_has_no_parameters_may_differ(self, pretrained):
        settings = [("network.dropout", 0.5), ("network.cell", "unrolled")]
        check_inherited(settings, "--set", pretrained, "ocr")
        network = inherit(Recipe(), settings, pretrained).network
        assert (network.dropout, network.cell) == (0.5, "unrolled")
        assert network.hidden == pretrained.network.hidden

    @pytest.mark.parametrize(
        "key, value, shown",
        [
            ("image.resize", "bilinear", "image.resize=bilinear"),
            ("image.mean", 0.0, "image.mean=0.0"),
            ("network.hidden", 48, "network.hidden=48"),
            ("network.bidirectional", False, "network.bidirectional=false"),
            ("network.layers", 3, "network.layers=3"),
            ("network.convolutions", "[]", r"network.convolutions=\[\]"),
        ],
    )
    def test_others_are_refused(self, pretrained, key, value, shown):
        settings = [("training.epochs", 9), (key, value)]
        with pytest.raises(OCRError, match=f"^--set {shown} is not what runs/ocr was trained with; leave it out"):
            check_inherited(settings, "--set", pretrained, "runs/ocr")

    def test_the_size_of_images_is_made_to_fit_if_asked_for(self, pretrained):
        settings = [("image.width", 80), ("image.height", 64), ("image.channels", 3)]
        check_inherited(settings, "--set", pretrained, "ocr", FITTED)
        assert inherit(Recipe(), settings, pretrained).image.size == (80, 64)
        with pytest.raises(OCRError, match="^--preset toy: image.width=80 is not what ocr was trained with"):
            check_inherited(settings, "--preset toy:", pretrained, "ocr")

    def test_unknown_keys(self, pretrained):
        with pytest.raises(OCRError, match="network.size: no such key"):
            check_inherited([("network.size", 1)], "--set", pretrained, "ocr")
