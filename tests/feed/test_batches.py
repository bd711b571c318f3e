"""Which samples make which batch and part, and which parts a machine has."""

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from ocr_lib.feed.batches import EVERYTHING, Share, batch_ranges, even_bounds, portions

SIZES = st.tuples(st.integers(1, 200), st.integers(1, 60), st.integers(1, 9))  # of an epoch, of a batch; parts


def bounds_of(sizes):
    bounds = even_bounds(*sizes)
    return lambda epoch: bounds


def batches_of(sizes, epoch=0, done=0):
    return batch_ranges(bounds_of(sizes), sizes[0], epoch, done)


def numbers(parts):
    return [index for part in parts for index in part]


class TestEvenBounds:
    @given(SIZES)
    def test_an_epoch_has_every_sample_once(self, sizes):
        epoch_size, _, parts = sizes
        bounds = even_bounds(*sizes)
        assert bounds.shape[1] == parts + 1
        assert numbers(range(*pair) for cuts in bounds.tolist() for pair in zip(cuts, cuts[1:])) == [*range(epoch_size)]

    @given(SIZES)
    def test_batches_have_one_size_but_the_last(self, sizes):
        _, batch_size, _ = sizes
        counts = [cuts[-1] - cuts[0] for cuts in even_bounds(*sizes).tolist()]
        assert set(counts[:-1]) <= {batch_size}
        assert 1 <= counts[-1] <= batch_size

    @given(SIZES)
    def test_parts_of_a_batch_differ_by_one_sample_at_most(self, sizes):
        for cuts in even_bounds(*sizes).tolist():
            counts = [stop - start for start, stop in zip(cuts, cuts[1:])]
            assert max(counts) - min(counts) <= 1


class TestBatchRanges:
    @given(SIZES, st.integers(0, 1000), st.integers(1, 4))
    def test_epochs_follow_one_another_without_gap(self, sizes, epoch, count):
        epoch_size = sizes[0]
        batches = islice(batches_of(sizes, epoch), count * len(even_bounds(*sizes)))
        assert numbers(map(numbers, batches)) == list(range(epoch * epoch_size, (epoch + count) * epoch_size))

    @given(SIZES, st.integers(0, 5), st.data())
    def test_any_batch_can_be_the_first(self, sizes, epoch, data):
        per_epoch = len(even_bounds(*sizes))
        done = data.draw(st.integers(0, per_epoch))
        skipped = epoch * per_epoch + done
        rest = islice(batches_of(sizes), skipped, skipped + 2 * per_epoch)
        assert list(islice(batches_of(sizes, epoch, done), 2 * per_epoch)) == list(rest)

    def test_each_epoch_may_be_cut_in_its_own_way(self):
        epochs = [even_bounds(10, 4, 2), even_bounds(10, 5, 2)]
        found = list(islice(batch_ranges(lambda epoch: epochs[epoch], 10, done=2), 3))
        assert found == [[range(8, 9), range(9, 10)], [range(10, 12), range(12, 15)], [range(15, 17), range(17, 20)]]


class TestShare:
    @given(st.integers(0, 300), st.integers(1, 40))
    def test_everything_is_somebodys_and_nobody_elses(self, count, size):
        shares = [Share(rank, size).of(count) for rank in range(size)]
        assert numbers(shares) == list(range(count))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1

    @given(SIZES, st.integers(1, 12))
    def test_all_machines_together_have_every_part_once(self, sizes, machines):
        per_epoch = len(even_bounds(*sizes))
        of_ranks = [
            list(islice(portions(batches_of(sizes), Share(rank, machines)), per_epoch)) for rank in range(machines)
        ]
        for batch, *mine in zip(batches_of(sizes), *of_ranks):
            assert {portion.samples for portion in mine} == {sum(map(len, batch))}
            parts = [pair for portion in mine for pair in portion.parts.items()]
            assert parts == [(number, part) for number, part in enumerate(batch) if part]

    @given(SIZES)
    def test_one_machine_has_them_all(self, sizes):
        for batch, portion in zip(batches_of(sizes), islice(portions(batches_of(sizes), EVERYTHING), 20)):
            assert list(portion.parts.values()) == [part for part in batch if part]
