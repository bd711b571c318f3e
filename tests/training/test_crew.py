"""A network that several processes compute by part, beside one Module."""

import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from ocr_lib.alphabet import BLANK
from ocr_lib.errors import OCRError
from ocr_lib.feed.batches import PartedBatch, Share, even_bounds
from ocr_lib.feed.iterator import Feeder
from ocr_lib.feed.source import Batch
from ocr_lib.mx import mx
from ocr_lib.net.build import training_symbol
from ocr_lib.recipe.settings import override
from ocr_lib.recognize.decode import best_path
from ocr_lib.training.crew import Crew
from ocr_lib.training.initial import fill, initial_weights
from ocr_lib.training.layout import is_average
from ocr_lib.training.optimizer import Optimizer
from tests.feed.work import is_alive
from tests.toy import toy_batches, toy_recipe

PARTS = 4
PLAIN = toy_recipe(("training.parts", PARTS), ("network.convolutions", [{"filters": 8, "batch_norm": False}]))
NORMED = toy_recipe(("training.parts", PARTS))
EVERYTHING = toy_recipe(("training.parts", PARTS), ("network.dropout", 0.3), ("network.output_norm", True))
ANY_WIDTH = toy_recipe(("image.width", None), ("training.parts", PARTS), ("network.output_norm", True))


def parted(recipe, samples, parts=PARTS, first=0):
    """Render a batch by part."""
    (cuts,) = (even_bounds(samples, samples, parts) + first).tolist()
    ranges = {number: range(*pair) for number, pair in enumerate(zip(cuts, cuts[1:])) if pair[0] < pair[1]}
    return PartedBatch(samples, dict(zip(ranges, toy_batches(recipe, "train", list(ranges.values())))))


def ready(recipe, processes=1):
    crew = Crew(recipe, processes)
    fill(crew.layout.views(crew.state), initial_weights(recipe))
    return crew


def module_on(recipe, batch, weights=None, is_train=True):
    """Return a Module that a batch went through, and back; it has the initial weights unless there are others."""
    fed = Feeder(recipe).fed(batch)
    module = mx.mod.Module(training_symbol(recipe), [each.name for each in fed.provide_data], ["label"])
    module.bind(fed.provide_data, fed.provide_label)
    weights = (weights or initial_weights(recipe)).items()
    module.set_params(*({n: mx.nd.array(a) for n, a in weights if is_average(n) == kind} for kind in (False, True)))
    if is_train:
        module.forward_backward(fed)
    else:
        module.forward(fed, is_train=False)
    return module


def gradients_of(module):
    (executor,) = module._exec_group.execs
    return {name: array.asnumpy() for name, array in executor.grad_dict.items() if array is not None}


def averages_of(module):
    (executor,) = module._exec_group.execs
    return {name: array.asnumpy() for name, array in executor.aux_dict.items()}


def assert_near(found, expected):
    assert found.keys() >= expected.keys()
    for name, array in expected.items():
        scale = np.abs(array).max() + 1e-3
        np.testing.assert_allclose(found[name], array, rtol=0, atol=2e-5 * scale, err_msg=name)


def computing():
    """Return the ids of the processes that compute: those below this one, other than it, that have MXNet."""
    found, left = set(), [os.getpid()]
    while left:
        for children in Path(f"/proc/{left.pop()}/task").glob("*/children"):
            left += map(int, children.read_text().split())
        found.update(left)
    return {pid for pid in found if is_alive(pid) and "libmxnet" in Path(f"/proc/{pid}/maps").read_text()}


class TestParts:
    @pytest.mark.parametrize("parts", [1, 3, 8])
    def test_together_are_a_batch_that_is_computed_as_a_whole(self, parts):
        (whole,) = toy_batches(PLAIN, "train", [range(8)])
        recipe = override(PLAIN, [("training.parts", parts)])
        with ready(recipe) as crew:
            sums = crew.train(parted(recipe, 8, parts), 0)
            module = module_on(PLAIN, whole)
            assert_near(crew.layout.views(sums.vector[: crew.layout.size]), gradients_of(module))
        probabilities, costs = (output.asnumpy() for output in module.get_outputs())
        assert sums.cost == pytest.approx(costs.sum(), rel=1e-5)
        read = [recipe.alphabet.decode(ids) for ids in best_path(probabilities.swapaxes(0, 1))]
        assert sums.right == sum(one == other for one, other in zip(read, whole.texts))
        assert not sums.stopping

    @pytest.mark.parametrize("samples", [7, 8, 3])
    def test_are_normalised_each_on_its_own_and_averages_are_weighted_by_samples(self, samples):
        batch = parted(NORMED, samples)
        modules = [module_on(NORMED, part) for part in batch.parts.values()]
        weights = [len(part.texts) / samples for part in batch.parts.values()]
        with ready(NORMED) as crew:
            before = crew.state.copy()
            found = crew.layout.views(crew.train(batch, 0).vector[: crew.layout.size])
            np.testing.assert_array_equal(crew.state, before)
        parts = [gradients_of(module) for module in modules]
        assert_near(found, {name: sum(part[name] for part in parts) for name in parts[0]})
        parts = [averages_of(module) for module in modules]
        means = {name: sum(w * part[name] for w, part in zip(weights, parts)) for name in parts[0]}
        assert means
        assert_near(found, means)
        assert not np.allclose(found["bn1_moving_var"], parts[0]["bn1_moving_var"])

    def test_reads_count_as_right_whose_characters_are_known(self):
        with ready(PLAIN) as crew:
            crew.layout.views(crew.state)["pred_fc_bias"][0] = 100  # all it reads is nothing
            (batch,) = toy_batches(PLAIN, "train", [range(4)])
            texts = ["", "0", "é", "7"]
            assert crew.train(PartedBatch(4, {0: batch._replace(texts=texts)}), 0).right == 2

    def test_a_wish_to_stop_is_told(self):
        with ready(PLAIN) as crew:
            assert crew.train(parted(PLAIN, 8), 0, lambda: True).stopping

    def test_of_several_machines_add_up_to_those_of_one(self):
        recipe = EVERYTHING
        batch = parted(recipe, 7)
        with ready(recipe) as crew:
            whole = crew.train(batch, 5).vector.copy()
            total = np.zeros_like(whole)
            for rank in range(3):
                numbers = Share(rank, 3).of(PARTS)
                mine = {number: part for number, part in batch.parts.items() if number in numbers}
                total += crew.train(PartedBatch(7, mine), 5).vector
        np.testing.assert_allclose(total, whole, rtol=1e-5, atol=1e-5 * np.abs(whole).max())


@pytest.fixture
def gradients():
    """Return a function from a number of updates and of a part, always of the same samples, to what it gives."""
    with ready(EVERYTHING) as crew:
        (part,) = toy_batches(EVERYTHING, "train", [range(4)])
        yield lambda updates, number: crew.train(PartedBatch(4, {number: part}), updates).vector.copy()


class TestDropout:
    def test_is_that_of_the_update_and_the_part(self, gradients):
        found = [gradients(updates, number) for updates in (0, 1) for number in (0, 1, 2)]
        again = [gradients(updates, number) for updates in (0, 1) for number in (0, 1, 2)]
        np.testing.assert_array_equal(found, again)
        assert len({one.tobytes() for one in found}) == len(found)

    def test_is_that_of_the_recipes_seed(self, gradients):
        with Crew(override(EVERYTHING, [("seed", 1)])) as crew:
            fill(crew.layout.views(crew.state), initial_weights(EVERYTHING))
            (part,) = toy_batches(EVERYTHING, "train", [range(4)])
            assert not np.array_equal(crew.train(PartedBatch(4, {0: part}), 0).vector, gradients(0, 0))


BATCHES = [(8, 0), (2, 8), (7, 10), (1, 17), (8, 18)]  # some have fewer samples than there are parts


def trained(crew, before_step=lambda step: None, after_step=lambda step: None):
    """Train on some batches from the initial weights; return all that comes of it."""
    recipe, trained = crew.recipe, crew.layout.trained
    fill(crew.layout.views(crew.state), initial_weights(recipe))
    optimizer = Optimizer(recipe.training, crew.layout, 10)
    found = []
    for step, (samples, first) in enumerate(BATCHES):
        before_step(step)
        sums = crew.train(parted(recipe, samples, first=first), step)
        found.append(sums.vector.copy())
        optimizer.update(crew.state, sums.vector, 1 / samples)
        crew.state[trained:] = sums.vector[trained : crew.layout.size]
        after_step(step + 1)
    return np.array([*found, np.append(crew.state, [0] * 3)])


@pytest.fixture(scope="module")
def others():
    """Return the processes that compute for other tests."""
    return computing()


@pytest.fixture(scope="module")
def crews(others):
    found = {processes: Crew(EVERYTHING, processes) for processes in (1, 2)}
    yield found
    assert len(computing() - others) == 2
    for crew in found.values():
        crew.close()
    assert not computing() - others, "processes outlived their crew"


@pytest.fixture(scope="module")
def expected(crews):
    return trained(crews[1])


class TestProcesses:
    def test_their_number_changes_no_bit(self, crews, expected):
        np.testing.assert_array_equal(trained(crews[2]), expected)
        assert np.isfinite(expected).all()

    @pytest.mark.slow
    @pytest.mark.parametrize("processes", [3, PARTS])
    def test_more_of_them_change_no_bit(self, expected, processes):
        with Crew(EVERYTHING, processes) as crew:
            np.testing.assert_array_equal(trained(crew), expected)

    @pytest.mark.parametrize("processes", [1, 2])
    def test_a_validation_between_changes_no_bit(self, crews, expected, processes):
        """MXNet puts weights into a layout of its own for inference."""
        crew = crews[processes]
        samples = toy_batches(EVERYTHING, "validation", [range(5), range(5, 8)])
        found = []

        def validate(step):
            found.append([list(crew.validate(samples, step)) for _ in range(2)])

        np.testing.assert_array_equal(trained(crew, after_step=validate), expected)
        assert all(first == again for first, again in found)
        costs = [first[0].cost for first, _ in found]
        assert len(set(costs)) == len(costs), "the weights as they are then"

    @pytest.mark.parametrize("delay", [None, pytest.param(0.002, marks=pytest.mark.slow)])
    def test_those_that_are_killed_cost_time_alone(self, crews, others, expected, delay):
        """They stand still with a part in their hands, or compute it."""
        killed = set()

        def kill_soon(step):
            if step == 1:
                killed.update(computing() - others)
                if delay is None:
                    for pid in killed:
                        os.kill(pid, signal.SIGSTOP)
                threading.Timer(delay or 0.1, kill).start()

        def kill():
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

        np.testing.assert_array_equal(trained(crews[2], kill_soon), expected)
        assert len(killed) == 2 and not killed & computing()

    @pytest.mark.parametrize("processes", [0, -1])
    def test_there_must_be_one(self, processes):
        with pytest.raises(OCRError, match=f"^--cpu must be at least 1, not {processes}$"):
            Crew(PLAIN, processes)

    def test_what_it_computes_on_is_told(self, crews):
        assert [crew.description for crew in crews.values()] == ["1 core", "2 cores"]

    def test_where_mxnet_has_threads_of_its_own_another_process_computes(self, monkeypatch, expected):
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        with Crew(EVERYTHING) as crew:
            np.testing.assert_array_equal(trained(crew), expected)
        assert os.environ["OMP_NUM_THREADS"] == "2"


class TestWidths:
    def test_what_was_computed_before_changes_no_bit(self):
        wide, narrow = ANY_WIDTH, override(ANY_WIDTH, [("captcha.width", 40)])
        batches = [parted(wide, 7), parted(narrow, 3), parted(wide, 7, first=7), parted(wide, 7)]
        assert len({part.images.shape[2] for batch in batches[:2] for part in batch.parts.values()}) == 2
        with ready(ANY_WIDTH) as crew:
            found = [crew.train(batch, 0).vector.copy() for batch in batches]
        np.testing.assert_array_equal(found[0], found[3])
        with ready(ANY_WIDTH) as crew:
            np.testing.assert_array_equal(crew.train(batches[1], 0).vector, found[1])
        assert len({one.tobytes() for one in found}) == 3


@pytest.mark.parametrize("recipe", [EVERYTHING, ANY_WIDTH], ids=["one width", "any width"])
def test_validation(recipe):
    rng = np.random.default_rng(13)  # which gives a network that says blank, but not always
    widths = [40, 40, 40] if recipe.image.width else [70, 9, 33]
    images = rng.integers(0, 256, (3, recipe.image.height, max(widths)), np.uint8)
    batch = Batch(images, ["0", "7é", "70"], np.array(widths))
    with ready(recipe) as crew:
        for name, array in crew.layout.views(crew.state[: crew.layout.trained]).items():
            array[...] = 0 if name == "pred_fc_bias" else rng.normal(size=array.shape)
        (figures,) = crew.validate([batch], 0)
        module = module_on(recipe, batch, crew.layout.views(crew.state), is_train=False)
    probabilities, costs = (output.asnumpy() for output in module.get_outputs())  # (N, T, C), (N,)
    assert figures.cost == pytest.approx(costs.sum(), rel=1e-5)
    assert figures.texts == [recipe.alphabet.decode(ids) for ids in best_path(probabilities.swapaxes(0, 1))]
    classes = np.concatenate([row[: width // 4].argmax(axis=1) for row, width in zip(probabilities, widths)])
    assert BLANK in classes and set(classes) != {BLANK}
    assert figures.blanks == pytest.approx(3 * (classes == BLANK).mean())
