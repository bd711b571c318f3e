"""Memory that processes share, and numbers that each of them has for itself."""

import gc
import os
import pickle
import signal
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ocr_lib.errors import OCRError
from ocr_lib.feed.workers import OrderedPool
from ocr_lib.training.memory import SharedVectors
from tests.training.shared import make_claiming, make_writing


@pytest.fixture(params=["memfd", "file"])
def _made_of(request, monkeypatch, tmp_path):
    """Where the system has no memory with a descriptor, it is a file."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if request.param == "file":
        monkeypatch.delattr(os, "memfd_create", raising=False)


def mapped():
    """Count the names of all files that this process has in its memory."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return Counter(line.split(maxsplit=5)[5] for line in lines if len(line.split(maxsplit=5)) == 6)


@pytest.mark.usefixtures("_made_of")
class TestShared:
    def test_it_is_zero_at_first(self):
        array = SharedVectors(3, 5).array
        assert (array.shape, array.dtype) == ((3, 5), np.float32)
        assert not array.any()

    @pytest.mark.parametrize("shape", [(0, 5), (2, 0), (1, 1), (2, 100_003)])
    def test_any_size_will_do(self, shape):
        memory = SharedVectors(*shape)
        memory.array[...] = 7
        assert memory.array.shape == shape and (memory.array == 7).all()

    def test_processes_see_what_others_write(self):
        memory = SharedVectors(4, 1000)
        memory.array[0] = np.arange(1000)
        with OrderedPool(partial(make_writing, memory), 3) as pool:
            for factor in (2, 3):  # the same processes, after this one has written again
                memory.array[0] += 1
                sums = list(pool.map((row, factor) for row in (1, 2, 3)))
                assert sums == [memory.array[0].sum()] * 3
                for row in (1, 2, 3):
                    np.testing.assert_array_equal(memory.array[row], memory.array[0] * factor * row)

    def test_it_outlives_a_process_that_is_killed(self):
        memory = SharedVectors(2, 8)
        with OrderedPool(partial(make_writing, memory), 1) as pool:
            memory.array[0] = 1
            next(pool.map([(1, 2)]))
            assert next(pool.map([(1, None)])) == 8, "one that replaces it"
        np.testing.assert_array_equal(memory.array[1], [2] * 8)

    def test_no_file_is_seen_anywhere(self, tmp_path):
        gc.collect()
        before = mapped()
        memory = SharedVectors(2, 5000)
        new = mapped() - before
        assert new and all(name.endswith("(deleted)") and "/dev/shm" not in name for name in new)
        assert not list(tmp_path.iterdir())
        memory.array[:] = 1

    def test_it_is_gone_with_the_last_who_has_it(self):
        gc.collect()
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        memory = SharedVectors(2, 5000)
        copy = pickle.loads(pickle.dumps(memory))  # noqa: S301
        memory.array[1, 7] = 3
        del memory
        assert copy.array[1, 7] == 3
        del copy
        gc.collect()
        assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


class TestClaim:
    def test_processes_have_different_numbers(self):
        memory = SharedVectors(1, 1)
        with OrderedPool(partial(make_claiming, memory, 3), 3) as pool:
            found = dict(pool.map(range(30)))
            assert sorted(found.values()) == [0, 1, 2]

    def test_one_too_many_gets_none(self):
        memory = SharedVectors(1, 1)
        with OrderedPool(partial(make_claiming, memory, 2), 2) as pool:
            assert len(dict(pool.map(range(20)))) == 2
            with pytest.raises(OCRError, match="all 2 numbers are claimed by other processes"):
                memory.claim(2)
            assert memory.claim(3) == 2

    def test_the_number_of_one_that_is_killed_is_free_again(self):
        memory = SharedVectors(1, 1)
        with OrderedPool(partial(make_claiming, memory, 2), 2) as pool:
            before = dict(pool.map(range(20)))
            killed = next(pid for pid, number in before.items() if number == 0)
            os.kill(killed, signal.SIGKILL)
            after = dict(pool.map(range(20)))
        assert killed not in after and sorted(after.values()) == [0, 1]
        assert len(before.keys() & after.keys()) == 1
