"""Checkpoints that training wrote, moved, damaged and foreign ones."""

import json
import shutil

import numpy as np
import pytest

from ocr_lib.errors import OCRError
from ocr_lib.mx import mx
from ocr_lib.net.build import training_symbol
from ocr_lib.net.checkpoint import load_arrays, load_checkpoint, split_params
from ocr_lib.net.reader import Reader
from ocr_lib.recipe.settings import encode_json, override
from tests.small_network import ROWS, WIDTH, draw_marks, files_of, mark_params, mark_recipe, random_params, save

EPOCHS, ACCURACIES = (1, 2, 3, 4), (0.1, 0.7, 0.9, 0.8)
KINDS = ["-symbol.json", "-recipe.json", "-0003.params"]


def params_of(epoch):
    """Return the mark network's parameters, with the epoch hidden among them."""
    params = mark_params()
    params["l0_h2h_bias"] = np.full_like(params["l0_h2h_bias"], epoch / 1000)
    return params


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A run of four epochs; the third was the best."""
    prefix = tmp_path_factory.mktemp("written") / "ocr"
    return save(prefix, mark_recipe(), params_of, EPOCHS, ACCURACIES)


@pytest.fixture
def prefix(written, tmp_path):
    """The same, to be damaged."""
    for path in files_of(written):
        shutil.copy(path, tmp_path)
    return str(tmp_path / "ocr")


@pytest.fixture
def unlisted(prefix, tmp_path):
    """The same without a manifest: symbol, parameters and recipe alone."""
    (tmp_path / "ocr-manifest.json").unlink()
    return prefix


def epoch_of(checkpoint):
    return round(1000 * float(checkpoint.arg_params["l0_h2h_bias"][0].asscalar()))


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def empty(path):
    path.write_bytes(b"")


def remove(path):
    path.unlink()


class TestWritten:
    @pytest.mark.parametrize("epoch, expected", [(None, 3), ("best", 3), ("last", 4), (1, 1), (2, 2), (3, 3), (4, 4)])
    def test_loads_the_epoch_asked_for(self, written, epoch, expected):
        checkpoint = load_checkpoint(written, epoch)
        assert epoch_of(checkpoint) == expected
        assert str(checkpoint.params_path) == f"{written}-000{expected}.params"

    def test_loads_what_was_saved(self, written):
        checkpoint = load_checkpoint(written)
        assert checkpoint.recipe == mark_recipe()
        assert not checkpoint.has_original_gates
        assert checkpoint.aux_params == {}
        assert {name: array.asnumpy().tolist() for name, array in checkpoint.arg_params.items()} == {
            name: array.tolist() for name, array in params_of(3).items()
        }
        assert Reader(checkpoint).read([draw_marks([4, 2])])[0].text == "42"

    def test_auxiliary_states_are_kept_apart(self, tmp_path):
        recipe = mark_recipe(convolutions=[{"filters": 2}])
        params = random_params(recipe)
        checkpoint = load_checkpoint(save(tmp_path / "ocr", recipe, params))
        for kind, loaded in (("arg", checkpoint.arg_params), ("aux", checkpoint.aux_params)):
            expected = {name[4:]: array for name, array in params.items() if name.startswith(kind)}
            assert expected.keys() == loaded.keys()
            for name, array in loaded.items():
                np.testing.assert_array_equal(array.asnumpy(), expected[name])

    def test_without_a_validation_the_newest_is_the_best(self, tmp_path):
        prefix = save(tmp_path / "ocr", mark_recipe(), params_of, (1, 2))
        assert epoch_of(load_checkpoint(prefix)) == epoch_of(load_checkpoint(prefix, "best")) == 2

    def test_unknown_epoch_lists_those_there_are(self, written):
        with pytest.raises(OCRError, match=f"^{written} has no epoch 7; it has 1, 2, 3, 4$"):
            load_checkpoint(written, 7)

    def test_no_checkpoint_tells_how_to_make_one(self, tmp_path):
        message = f"^{tmp_path}/no-symbol.json: no such checkpoint; lstm_ocr_train.py --prefix {tmp_path}/no makes one"
        with pytest.raises(OCRError, match=message):
            load_checkpoint(str(tmp_path / "no"))

    def test_moved_together_under_another_name(self, written, tmp_path):
        for path in files_of(written):
            shutil.copy(path, tmp_path / path.name.replace("ocr", "plates", 1))
        moved = str(tmp_path / "plates")
        for epoch in (None, "last", 1):
            one, other = load_checkpoint(moved, epoch), load_checkpoint(written, epoch)
            assert epoch_of(one) == epoch_of(other)
            assert one.recipe == other.recipe

    @pytest.mark.parametrize("damage", [cut, flip, empty, remove])
    @pytest.mark.parametrize("kind", KINDS)
    def test_damage_is_refused_by_name(self, prefix, tmp_path, damage, kind):
        damage(tmp_path / f"ocr{kind}")
        message = "is missing" if damage is remove else "cut off or changed"
        with pytest.raises(OCRError, match=f"^{prefix}{kind}: .*{message}"):
            load_checkpoint(prefix)

    @pytest.mark.parametrize("damage", [cut, empty])
    def test_a_damaged_manifest_is_refused_by_name(self, prefix, tmp_path, damage):
        path = tmp_path / "ocr-manifest.json"
        path.write_bytes(path.read_bytes().rstrip())
        damage(path)
        with pytest.raises(OCRError, match=f"^{path}: "):
            load_checkpoint(prefix)

    def test_a_hash_changed_in_the_manifest_is_refused(self, prefix, tmp_path):
        path = tmp_path / "ocr-manifest.json"
        manifest = json.loads(path.read_text())
        digest = manifest["files"]["-0003.params"]
        manifest["files"]["-0003.params"] = digest[::-1]
        path.write_text(json.dumps(manifest))
        with pytest.raises(OCRError, match="ocr-0003.params: the file is not what"):
            load_checkpoint(prefix)

    def test_another_format_is_refused(self, prefix, tmp_path):
        path = tmp_path / "ocr-manifest.json"
        path.write_text(path.read_text().replace("ocr-lib checkpoint 1", "ocr-lib checkpoint 9"))
        with pytest.raises(OCRError, match=f"^{path}: the format is 'ocr-lib checkpoint 9', and this version reads"):
            load_checkpoint(prefix)

    def test_damage_to_another_epoch_does_no_harm(self, prefix, tmp_path):
        (tmp_path / "ocr-0001.params").unlink()
        flip(tmp_path / "ocr-0004.params")
        assert epoch_of(load_checkpoint(prefix)) == 3


class TestWithoutManifest:
    @pytest.mark.parametrize("epoch, expected", [(None, 4), ("last", 4), (1, 1)])
    def test_symbol_parameters_and_recipe_are_enough(self, unlisted, epoch, expected):
        checkpoint = load_checkpoint(unlisted, epoch)
        assert epoch_of(checkpoint) == expected
        assert checkpoint.recipe == mark_recipe()

    def test_the_largest_number_is_the_last(self, unlisted, tmp_path):
        for number in (9999, 10000):  # the longer comes first by name
            shutil.copy(tmp_path / "ocr-0001.params", tmp_path / f"ocr-{number}.params")
        for name in ("ocr-old-0009.params", "ocr-9999x.params", "ocr-99.params"):
            (tmp_path / name).write_bytes(b"not ours")
        checkpoint = load_checkpoint(unlisted)
        assert checkpoint.params_path.name == "ocr-10000.params"
        assert load_checkpoint(unlisted, 10000).params_path == checkpoint.params_path

    def test_a_prefix_with_glob_characters(self, unlisted, tmp_path):
        for path in files_of(unlisted):
            path.rename(tmp_path / path.name.replace("ocr", "run [1]*", 1))
        assert epoch_of(load_checkpoint(str(tmp_path / "run [1]*"))) == 4

    def test_nothing_says_which_is_best(self, unlisted):
        with pytest.raises(OCRError, match=f"nothing says which epoch of {unlisted} is best: .* --epoch last"):
            load_checkpoint(unlisted, "best")

    def test_missing_parameters_are_named(self, unlisted):
        with pytest.raises(OCRError, match=f"^{unlisted}-0007.params: this file of the checkpoint is missing"):
            load_checkpoint(unlisted, 7)
        for path in files_of(unlisted):
            if path.suffix == ".params":
                path.unlink()
        with pytest.raises(OCRError, match=f"^{unlisted}-NNNN.params: no such file"):
            load_checkpoint(unlisted)

    @pytest.mark.parametrize("size", [0, 1, 7, 8, 20, 30, 100, -200, -20, -1])
    def test_cut_off_parameters_are_refused(self, unlisted, tmp_path, size):
        path = tmp_path / "ocr-0004.params"
        path.write_bytes(path.read_bytes()[:size])
        with pytest.raises(OCRError, match=f"^{path}: cut off, or not a file of MXNet arrays"):
            load_checkpoint(unlisted)

    @pytest.mark.parametrize("data", [b"no parameters\n" * 9, b"\x89PNG\r\n\x1a\n" + bytes(99)])
    def test_foreign_parameters_are_refused(self, unlisted, tmp_path, data):
        path = tmp_path / "ocr-0004.params"
        path.write_bytes(data)
        with pytest.raises(OCRError, match=f"^{path}: cut off, or not a file of MXNet arrays"):
            load_checkpoint(unlisted)

    def test_names_that_are_no_text_are_refused(self, unlisted, tmp_path):
        path = tmp_path / "ocr-0004.params"
        path.write_bytes(path.read_bytes().replace(b"arg:pred_fc_bias", b"arg:pred_fc_bi\xffs"))
        with pytest.raises(OCRError, match=f"^{path}: cut off, or not a file of MXNet arrays"):
            load_checkpoint(unlisted)

    @pytest.mark.parametrize(
        "arrays, said", [([], "there are no parameters"), ([1.0], "the arrays in this file have no names")]
    )
    def test_arrays_without_names_are_refused(self, unlisted, tmp_path, arrays, said):
        path = tmp_path / "ocr-0004.params"
        mx.nd.save(str(path), [mx.nd.array([value]) for value in arrays])
        with pytest.raises(OCRError, match=f"^{path}: {said}"):
            load_checkpoint(unlisted)

    @pytest.mark.parametrize("size", [0, 1, 100, -100, -2])
    def test_cut_off_symbol_is_refused(self, unlisted, tmp_path, size):
        path = tmp_path / "ocr-symbol.json"
        path.write_bytes(path.read_bytes()[:size])
        with pytest.raises(OCRError, match=f"^{path}: cut off, or not an MXNet symbol"):
            load_checkpoint(unlisted)

    @pytest.mark.parametrize("text", ["{}", "[]", "null", "no symbol", '{"nodes": []}', '{"nodes": [{"op": "x"}]}'])
    def test_foreign_json_is_refused(self, unlisted, tmp_path, text):
        path = tmp_path / "ocr-symbol.json"
        path.write_text(text)
        with pytest.raises(OCRError, match=f"^{path}: "):
            load_checkpoint(unlisted)

    def test_symbol_with_an_operator_that_is_not_there_is_refused(self, unlisted, tmp_path):
        path = tmp_path / "ocr-symbol.json"
        path.write_text(path.read_text().replace('"FullyConnected"', '"NoSuchOperator"'))
        with pytest.raises(OCRError, match=f"^{path}: cut off, or not a symbol of this MXNet"):
            load_checkpoint(unlisted)

    def test_symbol_of_another_kind_is_refused(self, unlisted, tmp_path):
        mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc").save(str(tmp_path / "ocr-symbol.json"))
        with pytest.raises(OCRError, match="ocr-symbol.json: the symbol has no pred_fc_output"):
            load_checkpoint(unlisted)

    def test_damaged_recipe_is_refused(self, unlisted, tmp_path):
        cut(tmp_path / "ocr-recipe.json")
        cut(tmp_path / "ocr-recipe.json")
        with pytest.raises(OCRError, match="ocr-recipe.json: Input data was truncated"):
            load_checkpoint(unlisted)

    def test_recipe_of_ours_without_its_file_is_missed(self, unlisted, tmp_path):
        (tmp_path / "ocr-recipe.json").unlink()
        with pytest.raises(
            OCRError, match="ocr-recipe.json is missing, and the network is not the original MXNet"
        ) as told:
            load_checkpoint(unlisted)
        assert f"write it by ocr_lib.save_recipe({unlisted!r}, recipe)" in str(told.value)

    @pytest.mark.parametrize("width", [WIDTH, None])
    def test_saved_by_mxnet_itself_beside_a_recipe(self, tmp_path, width):
        recipe = override(mark_recipe(), [("image.width", width)])
        symbol = training_symbol(recipe)
        module = mx.mod.Module(symbol, ["data", "widths"] if width is None else ["data"], ["label"])
        shapes = {"data": (2, WIDTH, ROWS), "widths": (2,), "label": (2, recipe.text.max_length)}
        module.bind([(name, shapes[name]) for name in module.data_names], [("label", shapes["label"])])
        module.init_params()
        module.set_params({name: mx.nd.array(array) for name, array in mark_params().items()}, {})
        mx.callback.do_checkpoint(str(tmp_path / "ocr"))(4, module.symbol, *module.get_params())
        (tmp_path / "ocr-recipe.json").write_bytes(encode_json(recipe))
        (reading,) = Reader(load_checkpoint(str(tmp_path / "ocr"))).read([draw_marks([4, 2])])
        assert reading.text == "42"

    def test_what_a_symbol_says_of_a_network_for_any_width_is_not_trusted(self, tmp_path):
        """MXNet writes where computed lengths say, be it outside of its memory."""
        recipe = override(mark_recipe(), [("image.width", None)])
        prefix = save(tmp_path / "ocr", recipe, mark_params())
        (tmp_path / "ocr-manifest.json").unlink()
        path = tmp_path / "ocr-symbol.json"
        masks = path.read_text().count('"SequenceMask"')
        assert masks
        path.write_text(path.read_text().replace('"value": "0.0"', '"value": "9.0"'))
        checkpoint = load_checkpoint(prefix)
        assert checkpoint.symbol.tojson().count('"SequenceMask"') == masks
        assert '"9.0"' not in checkpoint.symbol.tojson()
        assert Reader(checkpoint).read([draw_marks([4, 2])])[0].text == "42"


def test_load_arrays_and_split_params(tmp_path):
    arrays = {"arg:w": mx.nd.array([1, 2]), "aux:mean": mx.nd.array([3]), "arg:a:b": mx.nd.array([4])}
    mx.nd.save(str(tmp_path / "some.params"), arrays)
    args, auxs = split_params(load_arrays(tmp_path / "some.params"))
    assert {name: array.asnumpy().tolist() for name, array in args.items()} == {"w": [1, 2], "a:b": [4]}
    assert {name: array.asnumpy().tolist() for name, array in auxs.items()} == {"mean": [3]}
