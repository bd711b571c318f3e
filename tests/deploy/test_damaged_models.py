"""Files that are no models, or not whole: each is refused in one line, and nothing else is printed."""

import io
import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from ocr_lib.deploy import Predictor
from ocr_lib.deploy.metadata import FORMAT, seal
from ocr_lib.errors import OCRError
from tests.deploy.models import TWO_CONVOLUTIONS, mark_model, random_images, random_model, small_recipe


@pytest.fixture(scope="module", params=["fp32", "int8"])
def data(request):
    if request.param == "fp32":
        return mark_model()
    return random_model(small_recipe(convolutions=TWO_CONVOLUTIONS), random_images(2))


def refusal(model):
    """Return what is said of a model; what `pytest.raises` keeps would keep ONNX Runtime's threads running."""
    try:
        Predictor(model)
    except OCRError as error:
        said = str(error)
    else:
        pytest.fail("the model was taken")
    assert len(said.splitlines()) == 1
    return said


def with_properties(data, **changes):
    """Return a model with other metadata, sealed anew."""
    model = onnx.load(io.BytesIO(data))
    found = {entry.key: entry.value for entry in model.metadata_props}
    del model.metadata_props[:]
    helper.set_model_props(model, {**found, **changes, "sha256": "0" * 64})
    return seal(model.SerializeToString())


def test_a_missing_file(tmp_path, capfd):
    assert refusal(tmp_path / "a.onnx") == f"{tmp_path}/a.onnx: No such file or directory"
    assert refusal(str(tmp_path)) == f"{tmp_path}: Is a directory"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "content",
    [b"", b"This is a letter.\n", b"\0" * 1000, b"\x89PNG\r\n\x1a\n", '{"format": "лист"}'.encode()],
    ids=["empty", "text", "zeros", "png", "json"],
)
def test_other_files(tmp_path, capfd, content):
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    assert refusal(path).startswith(f"{path}: ")
    assert refusal(content).startswith("the model: ")
    assert capfd.readouterr() == ("", "")


def test_cut_off(data, capfd):
    for length in (*range(0, len(data), 101), *range(len(data) - 150, len(data))):
        assert refusal(data[:length]).startswith("the model: ")
    assert capfd.readouterr() == ("", "")


def test_more_behind_the_end(data):
    refusal(data + b"\0")
    refusal(data + data)


@pytest.mark.parametrize("bit", [0, 3, 7])
def test_one_bit_flipped_anywhere(data, capfd, bit):
    damaged = bytearray(data)
    for position in range(bit, len(data), 509):
        damaged[position] ^= 1 << bit
        refusal(bytes(damaged))
        damaged[position] ^= 1 << bit
    assert capfd.readouterr() == ("", "")


def test_one_byte_flipped_in_the_weights(data, tmp_path):
    arrays = [tensor.raw_data for tensor in onnx.load(io.BytesIO(data)).graph.initializer]
    largest = max(arrays, key=len)
    damaged = bytearray(data)
    damaged[data.index(largest) + len(largest) // 2] ^= 0xFF
    (tmp_path / "a.onnx").write_bytes(damaged)
    expected = f"{tmp_path}/a.onnx: the file was changed or damaged since it was exported"
    assert refusal(tmp_path / "a.onnx") == expected


def test_another_programs_model(tmp_path, capfd):
    node = helper.make_node("Relu", ["x"], ["y"])
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in "xy"]
    graph = helper.make_graph([node], "relu", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    onnx.save(model, tmp_path / "relu.onnx")
    assert refusal(tmp_path / "relu.onnx").startswith(f"{tmp_path}/relu.onnx: not a model of ours")
    assert capfd.readouterr() == ("", "")


def test_another_format(data):
    said = refusal(with_properties(data, format="ocr-lib onnx 999"))
    assert "'ocr-lib onnx 999'" in said and repr(FORMAT) in said


@pytest.mark.parametrize("is_original, how", [("0", ("area", "auto")), ("1", ("bilinear", "never"))])
def test_the_first_format_is_read(data, is_original, how):
    """Its recipes say nothing of how images are prepared; a field beside them did."""
    model = Predictor(data)
    recipe = json.loads(model.metadata.recipe)
    del recipe["image"]["resize"], recipe["image"]["invert"]
    old = Predictor(with_properties(data, format="ocr-lib onnx 1", recipe=json.dumps(recipe), is_original=is_original))
    assert old.preparation == model.preparation._replace(resize=how[0], invert=how[1])
    image = np.random.default_rng(0).integers(0, 90, (40, 70), np.uint8)
    expected = model.preparation._replace(resize=how[0], invert=how[1]).prepare(image)
    np.testing.assert_array_equal(old.read([image])[0].probabilities, model.probabilities(expected[None])[:, 0])


def test_metadata_changed_and_sealed_anew_is_read(data):
    changed = Predictor(with_properties(data, license="MIT"))
    assert changed.metadata.license == "MIT"
    images = np.zeros((1, *changed.preparation.size[::-1]), np.uint8)
    np.testing.assert_array_equal(changed.probabilities(images), Predictor(data).probabilities(images))


def test_metadata_changed_and_not_sealed(data):
    model = onnx.load(io.BytesIO(data))
    next(entry for entry in model.metadata_props if entry.key == "license").value = "MIT"
    assert "changed or damaged" in refusal(model.SerializeToString())
