"""Exported networks for lines of any width: as the checkpoint, whatever a line is padded to."""

import io
import json

import numpy as np
import onnx
import pytest

from ocr_lib.deploy import Predictor
from ocr_lib.deploy.export import export_onnx
from ocr_lib.deploy.metadata import Metadata
from ocr_lib.net.checkpoint import load_checkpoint, numpy_weights
from ocr_lib.net.reader import Reader
from ocr_lib.preparation import Preparation
from ocr_lib.recipe.settings import encode_json, override
from tests.deploy.models import smooth_weights, weights_of
from tests.deploy.test_damaged_models import with_properties
from tests.lines import NETWORKS, WIDTHS, assert_as_alone, line_params, line_recipe, pad_with_noise, random_lines
from tests.numpy_network import numpy_forward
from tests.small_network import save

networks = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


@networks
class TestFloatingPoint:
    @pytest.fixture
    def recipe(self, network):
        return line_recipe(**network)

    @pytest.fixture
    def reader(self, recipe, tmp_path):
        return Reader(load_checkpoint(save(tmp_path / "ocr", recipe, line_params(recipe))), 4)

    @pytest.fixture
    def predictor(self, recipe):
        return Predictor(export_onnx(recipe, weights_of(line_params(recipe))), batch_size=4)

    def test_padded_lines_are_as_the_checkpoint_and_numpy_have_each_alone(self, recipe, reader, predictor):
        lines = random_lines()
        of_numpy = [numpy_forward(line[None], line_params(recipe), recipe)[:, 0] for line in lines]
        of_mxnet = [reader.probabilities(line[None])[:, 0] for line in lines]
        for expected in (of_numpy, of_mxnet):
            assert_as_alone(predictor, *pad_with_noise(lines, more=20), expected)
        np.testing.assert_allclose(
            predictor.probabilities(*pad_with_noise(lines)), reader.probabilities(*pad_with_noise(lines)), atol=1e-5
        )

    def test_order_and_company_change_nothing(self, predictor):
        lines = random_lines(WIDTHS * 3)  # more than a thread's part
        alone = [predictor.probabilities(line[None])[:, 0] for line in lines]
        for places in (range(len(lines)), range(len(lines))[::-1], [2, 2], [2, 1]):
            assert_as_alone(predictor, *pad_with_noise([lines[i] for i in places]), [alone[i] for i in places])

    def test_behind_the_end_the_blanks_logarithm_is_zero(self, predictor):
        lines = random_lines()
        found = predictor.log_probabilities(*pad_with_noise(lines))
        for sample, end in zip(found.swapaxes(0, 1), predictor.preparation.steps(np.array(WIDTHS))):
            assert not sample[end:, 0].any()
            assert (sample[end:, 1:] < -1000).all()

    def test_texts_are_the_checkpoints(self, reader, predictor):
        lines = random_lines(WIDTHS * 2)
        expected = reader.read(lines)
        assert len({reading.text for reading in expected}) > 2, "the lines are read too much alike to tell anything"
        for reading, of_reader in zip(predictor.predict(lines), expected):
            assert reading.text == of_reader.text
            assert reading.confidence == pytest.approx(of_reader.confidence, abs=1e-5)
        assert [predictor.predict(line).text for line in lines] == [reading.text for reading in expected]

    def test_of_one_width_are_the_same(self, recipe, predictor):
        fixed = override(recipe, [("image.width", 40)])
        images = np.stack(random_lines([40] * 3))
        other = Predictor(export_onnx(fixed, weights_of(line_params(recipe))))
        assert len(other.preparation.shrinkage) == len(recipe.network.convolutions)
        np.testing.assert_allclose(predictor.probabilities(images), other.probabilities(images), atol=1e-6)


@networks
class TestInt8:
    def test_reads_nearly_as_in_floating_point(self, network):
        recipe = line_recipe(**network)
        weights = smooth_weights(recipe, seed=7)
        lines, calibration = random_lines(WIDTHS * 4), random_lines(WIDTHS * 4, seed=5)
        padded, widths = pad_with_noise(calibration)
        fp32 = Predictor(export_onnx(recipe, weights))
        int8 = Predictor(export_onnx(recipe, weights, calibration=padded, widths=widths))
        expected = [fp32.probabilities(line[None])[:, 0] for line in lines]
        assert_as_alone(int8, *pad_with_noise(lines), expected, atol=0.2)  # measured: 0.015 to 0.144
        found = np.concatenate([int8.probabilities(line[None])[:, 0] for line in lines])
        expected = np.concatenate(expected)
        assert np.ptp(expected, axis=0).max() > 0.2, "the lines are read too much alike to tell anything"
        assert 0 < np.abs(found - expected).mean() < 0.08 * expected.std(axis=0).mean()  # measured: 0.02 to 0.05

    def test_noise_behind_the_calibrations_lines_does_not_count(self, network):
        recipe = line_recipe(**network)
        weights = weights_of(line_params(recipe))
        lines = random_lines()
        one, other = (
            export_onnx(recipe, weights, calibration=padded, widths=widths)
            for padded, widths in (pad_with_noise(lines, seed=seed) for seed in (1, 2))
        )
        assert one == other


OLD_NETWORK = {"convolutions": [{"filters": 2, "pool": [2, 2]}, {"filters": 3, "pool": [3, 1]}]}
NEW_KEYS = {"merge", "dropout", "output_norm", "resize", "invert"}


class TestFilesExportedBefore:
    """Recipes of earlier versions have no `kernel` and `padding`, `merge` and so on."""

    def old_json(self, recipe):
        tree = json.loads(encode_json(recipe))
        network = {key: value for key, value in tree["network"].items() if key not in NEW_KEYS}
        network["convolutions"] = [
            {key: layer[key] for key in ("filters", "pool")} for layer in tree["network"]["convolutions"]
        ]
        image = {key: value for key, value in tree["image"].items() if key not in NEW_KEYS}
        return json.dumps({"image": image, "text": tree["text"], "network": network})

    def test_preparation(self):
        recipe = self.old_json(line_recipe(width=40, **OLD_NETWORK))
        preparation = Metadata("ab", recipe, "fp32", "MIT").preparation
        assert preparation == Preparation((40, 13), ((0, 2), (0, 3)), "area", "auto")
        assert preparation.steps(np.array([40, 11])).tolist() == [6, 1]

    def test_read_as_ever(self):
        recipe = line_recipe(width=40, **OLD_NETWORK)
        params = line_params(recipe)
        data = export_onnx(recipe, weights_of(params))
        old = with_properties(data, recipe=self.old_json(recipe))
        assert '"kernel"' not in {e.key: e.value for e in onnx.load(io.BytesIO(old)).metadata_props}["recipe"]
        images = random_lines([40] * 3)
        expected = numpy_forward(np.stack(images), params, recipe)
        predictor = Predictor(old)
        np.testing.assert_allclose(predictor.probabilities(np.stack(images)), expected, atol=1e-5)
        assert [reading.text for reading in predictor.predict(images)] == Predictor(data).texts(images)


def test_the_shortest_line_is_widened(tmp_path):
    recipe = line_recipe(**NETWORKS["valid"])
    predictor = Predictor(export_onnx(recipe, weights_of(line_params(recipe))))
    reader = Reader(load_checkpoint(save(tmp_path / "ocr", recipe, line_params(recipe))))
    image = np.full((26, 4), 255, np.uint8)  # 2 columns of the network's height
    for recognizer in (predictor, reader):
        (reading,) = recognizer.read([image])
        assert len(reading.probabilities) == 1


def test_a_checkpoint_on_disk_exports(tmp_path):
    recipe = line_recipe(**NETWORKS["norm"])
    checkpoint = load_checkpoint(save(tmp_path / "ocr", recipe, line_params(recipe)))
    again = export_onnx(checkpoint.recipe, numpy_weights(checkpoint))
    assert again == export_onnx(recipe, weights_of(line_params(recipe)))
