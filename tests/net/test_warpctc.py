"""Costs and gradients that libwarpctc computes, against MXNet's own operator and by hand."""

import numpy as np
import pytest

from ocr_lib.errors import OCRError
from tests.net.warpctc_batches import mxnet_loss, random_batch


class TestCompute:
    @pytest.mark.parametrize(
        "time_steps, classes, label_width", [(80, 11, 4), (9, 2, 5), (6, 3, 4), (2, 4, 2), (1, 5, 1)]
    )
    def test_agrees_with_mxnet(self, library, time_steps, classes, label_width):
        for seed in range(3):
            batch = random_batch(seed, 24, time_steps, classes, label_width)
            costs, gradients = library.compute(*batch)
            expected_costs, expected_gradients = mxnet_loss(*batch)
            assert costs.dtype == gradients.dtype == np.float32
            np.testing.assert_allclose(costs, expected_costs, rtol=1e-5, atol=1e-4)
            np.testing.assert_allclose(gradients, expected_gradients, atol=1e-4)

    def test_cost_of_hand_counted_paths(self, library):
        # Of the four paths through two even classes, "11", "01" and "10" read as the label, and "00" as nothing.
        costs, _ = library.compute(np.zeros((2, 2, 2)), np.array([[1], [0]]))
        np.testing.assert_allclose(costs, -np.log([3 / 4, 1 / 4]), rtol=1e-6)

    def test_gradients_are_finite_differences(self, library):
        logits, _ = random_batch(1, 2, time_steps=4, classes=3)
        logits, labels, step = logits / 3, np.array([[1, 1], [2, 0]]), 1e-2
        _, gradients = library.compute(logits, labels)
        for place in np.ndindex(logits.shape):
            nudge = np.zeros_like(logits)
            nudge[place] = step
            upper, lower = (library.compute(logits + sign * nudge, labels)[0].sum() for sign in (1, -1))
            assert gradients[place] == pytest.approx((upper - lower) / (2 * step), abs=1e-3)

    def test_label_that_does_not_fit_is_ignored(self, library):
        logits, _ = random_batch(2, 2, time_steps=2)
        costs, gradients = library.compute(logits, np.array([[3, 3], [3, 2]]))
        np.testing.assert_array_equal(costs > 0, [False, True])
        np.testing.assert_array_equal(gradients.any(axis=(0, 2)), [False, True])

    def test_costs_alone_are_the_same(self, library):
        batch = random_batch(3, 8)
        costs, gradients = library.compute(*batch, with_gradients=False)
        assert gradients is None
        np.testing.assert_allclose(costs, library.compute(*batch)[0], rtol=1e-5)

    def test_any_layout_and_type_of_array(self, library):
        logits, labels = random_batch(4, 8)
        strided = np.asfortranarray(logits.astype(np.float64))
        np.testing.assert_array_equal(library.compute(strided, labels.tolist())[1], library.compute(logits, labels)[1])

    def test_repeats_bit_for_bit_with_any_thread_count(self, library, monkeypatch):
        batch = random_batch(5, 32)
        results = []
        for threads in "1", "3", "1":  # the last is what all OpenMP of this process has from then on
            monkeypatch.setenv("OMP_NUM_THREADS", threads)
            results.append(library.compute(*batch))
        for costs, gradients in results[1:]:
            np.testing.assert_array_equal(costs, results[0][0])
            np.testing.assert_array_equal(gradients, results[0][1])

    @pytest.mark.parametrize(
        "shape, labels, message",
        [
            ((3, 2), [[1], [1]], r"logits \(T, N, C\)"),
            ((3, 2, 4), [1, 2], r"labels \(N, L\)"),
            ((3, 2, 4), [[1], [2], [3]], r"not \(3, 2, 4\) and \(3, 1\)"),
            ((3, 2, 4), [[1], [4]], "class 1 or 4, outside the 4"),
            ((3, 2, 4), [[-1], [2]], "class -1 or 2"),
            ((3, 2, 0), [[], []], "libwarpctc failed: invalid value"),
        ],
    )
    def test_impossible_input_is_refused(self, library, shape, labels, message):
        with pytest.raises(OCRError, match=message):
            library.compute(np.zeros(shape), np.array(labels))
