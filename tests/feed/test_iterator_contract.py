"""What any of MXNet's data iterators promises, kept whatever is asked of it and whatever goes wrong behind it."""

import itertools
from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_lib.errors import OCRError
from ocr_lib.feed.iterator import OCRIter
from ocr_lib.feed.source import Batch
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import override

ROWS = 4
SMALL = {"image.width": 9, "image.height": 5, "text.min_length": 1, "training.batch_size": ROWS}
RECIPE = override(Recipe(), SMALL)


def numbered(number, rows=ROWS):
    """Return a batch whose samples all say its number."""
    images = np.full((rows, 5, 9), number, np.uint8)
    return Batch(images, [str(number)] * rows, np.full(rows, 9))


def number_of(batch):
    (number,) = set(batch.texts)
    return int(number)


class Source:
    """Numbered batches of any epoch, from any place on; fails once when it is told to."""

    def __init__(self, per_epoch, last_rows=ROWS):
        self.per_epoch, self.last_rows = per_epoch, last_rows
        self.begun = []
        self.failure = None

    def __call__(self, epoch, done):
        self.begun.append((epoch, done))
        for position in itertools.count(epoch * self.per_epoch + done):
            if self.failure is not None:
                failure, self.failure = self.failure, None
                raise failure
            is_last = position % self.per_epoch == self.per_epoch - 1
            yield numbered(position % 100, self.last_rows if is_last else ROWS)


class TestReset:
    def test_at_the_beginning_changes_nothing(self):
        source = Source(3)
        iterator = OCRIter(source, RECIPE, 3)
        for _ in range(3):
            iterator.reset()
        assert [number_of(batch) for batch in iterator] == [0, 1, 2]
        for _ in range(3):
            iterator.reset()
        assert [number_of(batch) for batch in iterator] == [3, 4, 5]
        assert source.begun == [(0, 0)], "the source goes on from epoch to epoch"

    def test_amidst_an_epoch_begins_the_next(self):
        source = Source(3)
        iterator = OCRIter(source, RECIPE, 3)
        iterator.next()
        iterator.reset()
        assert [number_of(batch) for batch in iterator] == [3, 4, 5]
        assert source.begun == [(0, 0), (1, 0)]

    def test_amidst_a_list_reads_it_anew(self):
        iterator = OCRIter([numbered(number) for number in range(3)], RECIPE)
        for taken in (1, 2, 3, 0):
            assert [number_of(batch) for batch in itertools.islice(iterator, taken)] == list(range(taken))
            iterator.reset()

    def test_an_epoch_that_began_late_is_followed_by_a_whole_one(self):
        source = Source(4)
        iterator = OCRIter(source, RECIPE, 4, epoch=2, done=3)
        assert [number_of(batch) for batch in iterator] == [11]
        iterator.reset()
        assert [number_of(batch) for batch in iterator] == [12, 13, 14, 15]
        assert source.begun == [(2, 3)]

    def test_at_the_end_of_an_epoch_that_a_resumed_run_begins_with(self):
        iterator = OCRIter(Source(4), RECIPE, 4, epoch=0, done=4)
        assert list(iterator) == []
        iterator.reset()
        assert [number_of(batch) for batch in iterator] == [4, 5, 6, 7]

    def test_a_stream_without_epochs_begins_anew(self):
        source = Source(10)
        iterator = OCRIter(source, RECIPE)
        assert [number_of(iterator.next()) for _ in range(25)] == list(range(25))
        iterator.reset()
        assert number_of(iterator.next()) == 10 and source.begun == [(0, 0), (1, 0)]


class TestEnd:
    def test_is_told_again_and_again(self):
        iterator = OCRIter([numbered(7)], RECIPE)
        iterator.next()
        for _ in range(3):
            assert not iterator.iter_next()
            with pytest.raises(StopIteration):
                iterator.next()
            with pytest.raises(StopIteration):
                next(iterator)

    def test_of_nothing(self):
        iterator = OCRIter([], RECIPE)
        for _ in range(2):
            assert list(iterator) == []
            iterator.reset()

    @pytest.mark.parametrize("count", [0, 2])
    def test_that_comes_too_early_is_an_error(self, count):
        iterator = OCRIter(lambda epoch, done: map(numbered, range(done, count)), RECIPE, 3)
        assert [number_of(batch) for batch in itertools.islice(iterator, count)] == list(range(count))
        for _ in range(2):
            with pytest.raises(OCRError, match=f"^the batches end after {count} of the 3 of epoch 0$"):
                iterator.next()

    def test_of_an_empty_list_too(self):
        with pytest.raises(OCRError, match="the batches end after 0 of the 2 of epoch 0"):
            OCRIter([], RECIPE, 2).next()


class TestRefused:
    @pytest.mark.parametrize(
        "batches, kind",
        [
            (iter([]), "list_iterator"),
            ((numbered(n) for n in range(3)), "generator"),
            (map(numbered, range(3)), "map"),
            (zip(), "zip"),
            ({1, 2}, "set"),
            (None, "NoneType"),
        ],
    )
    def test_what_can_not_begin_a_second_epoch(self, batches, kind):
        with pytest.raises(
            OCRError, match=rf"^OCRIter takes a list of batches, or a function .*: a {kind} can't begin"
        ):
            OCRIter(batches, RECIPE)

    @pytest.mark.parametrize("kind", [list, tuple, deque])
    def test_not_any_sequence(self, kind):
        iterator = OCRIter(kind(map(numbered, range(3))), RECIPE)
        assert [number_of(batch) for batch in iterator] == [0, 1, 2]


class TestParts:
    def test_are_those_of_the_batch_that_iter_next_went_to(self):
        sources = [numbered(3), numbered(5, 1)]
        iterator, parts = (OCRIter(sources, RECIPE, least_rows=2) for _ in range(2))
        for batch in iterator:
            assert parts.iter_next() and parts.getpad() == batch.pad and parts.getindex() is None
            for found, expected in ((parts.getdata(), batch.data), (parts.getlabel(), batch.label)):
                assert [array.asnumpy().tolist() for array in found] == [array.asnumpy().tolist() for array in expected]
        assert not parts.iter_next()

    def test_there_are_none_before(self):
        iterator = OCRIter([numbered(3)], RECIPE)
        for get in iterator.getdata, iterator.getlabel, iterator.getpad:
            with pytest.raises(OCRError, match=r"there is no batch yet: call iter_next\(\) or next\(\) first"):
                get()

    @pytest.mark.parametrize(
        "rows, least_rows, pad", [(1, 1, 0), (1, 2, 1), (2, 2, 0), (3, 2, 0), (1, 4, 3), (4, 9, 5)]
    )
    def test_pad_counts_what_is_there_to_have_rows_enough(self, rows, least_rows, pad):
        (batch,) = OCRIter([numbered(3, rows)], RECIPE, least_rows=least_rows)
        assert (batch.pad, len(batch.texts), batch.data[0].shape[0]) == (pad, rows, rows + pad)
        assert batch.label[0].shape[0] == rows + pad == batch.provide_data[0].shape[0]


class TestExceptions:
    @pytest.mark.parametrize("error", [OCRError("a file is gone"), KeyboardInterrupt(), ValueError("x")])
    @pytest.mark.parametrize("at", range(4))
    def test_the_same_batch_is_tried_again(self, error, at):
        source = Source(2)
        iterator = OCRIter(source, RECIPE, 2)
        for number in range(6):
            if number % 2 == 0:
                iterator.reset()
            for _ in range(2 if number == at else 0):
                source.failure = error
                with pytest.raises(type(error)) as caught:
                    iterator.next()
                assert caught.value is error
            assert number_of(iterator.next()) == number

    def test_of_what_begins_it_too(self):
        calls = []

        def begin(epoch, done):
            calls.append((epoch, done))
            if len(calls) == 1:
                raise OSError("not yet")
            return map(numbered, itertools.count(done))

        iterator = OCRIter(begin, RECIPE, 3)
        with pytest.raises(OSError, match="not yet"):
            iterator.next()
        assert [number_of(batch) for batch in iterator] == [0, 1, 2]
        assert calls == [(0, 0), (0, 0)]


STEPS = st.lists(st.sampled_from(["next", "iter_next", "reset", "fail"]), max_size=30)


@settings(max_examples=200)
@given(STEPS, st.integers(1, 4), st.integers(1, ROWS), st.integers(0, 3), st.data())
def test_whatever_is_asked_of_it_in_whatever_order(steps, per_epoch, last_rows, epoch, data):
    done = data.draw(st.integers(0, per_epoch))
    source = Source(per_epoch, last_rows)
    iterator = OCRIter(source, RECIPE, per_epoch, epoch, done)
    rows = ROWS  # of the batch that was returned last
    for step in steps:
        if step == "reset":
            iterator.reset()
            epoch, done, rows = (epoch + 1, 0, ROWS) if done else (epoch, done, ROWS)
        elif done == per_epoch:
            assert next(iterator, None) is None
        elif step == "fail":
            source.failure = KeyboardInterrupt()
            with pytest.raises(KeyboardInterrupt):
                iterator.next()
        else:
            assert iterator.next() if step == "next" else iterator.iter_next()
            done += 1
            rows = last_rows if done == per_epoch else ROWS
            (label,) = iterator.getlabel()
            assert RECIPE.alphabet.decode_batch(label.asnumpy()) == [str(epoch * per_epoch + done - 1)] * rows
        shapes = [tuple(each.shape) for each in (*iterator.provide_data, *iterator.provide_label)]
        assert shapes == [(rows, 9, 5), (rows, 4)]
