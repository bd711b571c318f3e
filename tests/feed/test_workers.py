"""Worker processes: results in order, and exceptions as they are."""

import itertools
import time
from functools import partial

import numpy as np
import pytest

from ocr_lib.errors import OCRError
from ocr_lib.feed.source import CaptchaSource
from ocr_lib.feed.workers import OrderedPool
from ocr_lib.recipe.settings import load_preset
from tests.feed.work import make_failing_work, make_nothing, make_square


@pytest.mark.parametrize("num_workers", [1, 2, 4])
def test_results_come_in_the_order_of_the_tasks(num_workers):
    with OrderedPool(make_square, num_workers) as pool:
        assert list(pool.map(range(40))) == [number**2 for number in range(40)]
        assert list(pool.map([])) == []
        assert list(pool.map([3])) == [9]


def test_any_number_of_workers_draws_the_same_captchas(font):
    make = partial(CaptchaSource, load_preset("captcha"), [font])
    tasks = [("train", range(start, start + 3)) for start in range(0, 30, 3)]
    expected = [make()(task) for task in tasks]
    for num_workers in 1, 2, 4:
        with OrderedPool(make, num_workers) as pool:
            batches = list(pool.map(tasks))
        assert [batch.texts for batch in batches] == [batch.texts for batch in expected]
        for batch, same in zip(batches, expected):
            np.testing.assert_array_equal(batch.images, same.images)


def test_tasks_are_taken_as_results_are_read():
    taken = itertools.count()
    tasks = (next(taken) for _ in itertools.repeat(None))
    with OrderedPool(make_square, 2) as pool:
        results = pool.map(tasks)
        for number in range(30):
            assert next(results) == number**2
        time.sleep(0.1)
        assert 30 < next(taken) <= 30 + 12


def test_a_stream_can_be_left_and_another_begun():
    with OrderedPool(make_square, 2) as pool:
        stream = pool.map(itertools.count())
        assert [next(stream) for _ in range(3)] == [0, 1, 4]
        stream.close()
        assert list(pool.map(range(5))) == [0, 1, 4, 9, 16]


@pytest.mark.parametrize(
    "error", [ValueError("seven is odd"), OCRError("Bad.ttf: no font"), FileNotFoundError(2, "gone", "a.png")]
)
def test_an_exception_in_a_worker_reaches_the_caller_as_it_is(error):
    with OrderedPool(partial(make_failing_work, error), 2) as pool:
        results = pool.map(range(20))
        assert [next(results) for _ in range(7)] == list(range(7))
        with pytest.raises(type(error)) as caught:
            next(results)
        assert str(caught.value) == str(error)
        assert "work.py" in str(caught.value.__cause__)  # where it was raised, for --debug
        assert list(pool.map(range(5))) == list(range(5))


def test_an_exception_in_make_work_reaches_the_caller():
    with OrderedPool(partial(make_nothing, "no such font"), 2) as pool:
        for _ in range(2):
            with pytest.raises(LookupError, match="no such font"):
                list(pool.map(range(5)))


def test_a_task_that_cannot_be_sent_reaches_the_caller_as_an_exception():
    with OrderedPool(make_square, 1) as pool:
        with pytest.raises((AttributeError, TypeError), match="pickle"):
            list(pool.map([(number for number in range(3))]))
        assert list(pool.map([2])) == [4]
