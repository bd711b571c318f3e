"""Worker processes: results in order, and exceptions as they are."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocr_lib.draw.fonts import Font
from ocr_lib.errors import OCRError
from ocr_lib.feed.source import CaptchaSource
from ocr_lib.feed.workers import OrderedPool
from ocr_lib.recipe.settings import load_preset
from tests.feed.work import (
    make_failing_work,
    make_last_words,
    make_nothing,
    make_number_or_error,
    make_square,
)


@pytest.mark.parametrize("num_workers", [1, 2, 4])
def test_results_come_in_the_order_of_the_tasks(num_workers):
    with OrderedPool(make_square, num_workers) as pool:
        assert list(pool.map(range(40))) == [number**2 for number in range(40)]
        assert list(pool.map([])) == []
        assert list(pool.map([3])) == [9]


@pytest.fixture(scope="module")
def pool_of_two():
    with OrderedPool(make_number_or_error, 2) as pool:
        yield pool


def test_any_number_of_workers_draws_the_same_captchas(font):
    make = partial(CaptchaSource, load_preset("captcha"), [Font(font)])
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


def test_each_of_two_streams_works_a_bounded_number_of_tasks_ahead():
    counts = itertools.count(), itertools.count()
    with OrderedPool(make_square, 2) as pool:
        one, other = (pool.map(map(next, itertools.repeat(count))) for count in counts)
        for number in range(20):
            assert next(one) == number**2
            assert next(other) == number**2
        next(one)
        time.sleep(0.1)
        assert [20 < next(count) <= 21 + 12 for count in counts] == [True, True]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_streams_have_their_own_results_in_their_own_order_whatever_becomes_of_others(pool_of_two, data):
    lengths = data.draw(st.lists(st.integers(0, 25), min_size=1, max_size=3))
    faults = [data.draw(st.none() | st.integers(0, 25)) for _ in lengths]
    expected = []
    for stream, (length, fault) in enumerate(zip(lengths, faults)):
        tasks = [100 * stream + number for number in range(length)]
        if fault is not None and fault < length:
            tasks[fault] = f"fault of {stream}"
        expected.append(tasks)
    streams = [pool_of_two.map(list(tasks)) for tasks in expected]
    for stream in data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=60)):
        left = expected[stream]
        if data.draw(st.integers(0, 15)) == 0:  # nobody reads it any more
            streams[stream].close()
            left.clear()
        if left and isinstance(left[0], str):
            with pytest.raises(ValueError, match=left[0]):
                next(streams[stream])
            left.clear()
        else:
            assert next(streams[stream], None) == (left.pop(0) if left else None)


def test_streams_can_be_read_by_several_threads():
    with OrderedPool(make_number_or_error, 2) as pool, ThreadPoolExecutor(3) as threads:
        ranges = [range(start, start + 100) for start in (0, 1000, 2000)]
        assert list(threads.map(lambda tasks: list(pool.map(tasks)), ranges)) == list(map(list, ranges))


def test_a_stream_of_a_closed_pool_does_not_end_as_if_it_were_whole():
    with OrderedPool(make_square, 2) as pool:
        stream = pool.map(itertools.count())
        assert next(stream) == 0
    with pytest.raises(RuntimeError):
        list(stream)
    with pytest.raises(RuntimeError):
        list(pool.map([1]))


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


@pytest.mark.parametrize(
    "action, said",
    [
        ("exit", "SystemExit: no licence"),
        ("return a generator", "generator"),
        ("raise what can't be made anew", "TwoArgumentsError: left and right"),
    ],
)
def test_what_cannot_be_handed_over_is_told(action, said):
    with OrderedPool(partial(make_last_words, action), 1) as pool:
        for _ in range(2):
            with pytest.raises(Exception, match=said) as caught:
                list(pool.map(range(2)))
        assert "work.py" in str(caught.value.__cause__) or action == "return a generator"


def test_a_worker_that_cannot_begin_says_why_itself():
    with OrderedPool(make_square, 1, niceness="low") as pool, pytest.raises(TypeError, match="str"):
        list(pool.map(range(3)))


def test_a_task_that_cannot_be_sent_reaches_the_caller_as_an_exception():
    with OrderedPool(make_square, 1) as pool:
        with pytest.raises((AttributeError, TypeError), match="pickle"):
            list(pool.map([(number for number in range(3))]))
        assert list(pool.map([2])) == [4]
