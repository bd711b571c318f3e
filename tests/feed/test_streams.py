"""The iterators of a plan, over the worker processes that make their samples."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from ocr_lib import OCRError, captchas, labelled
from ocr_lib.draw.fonts import Font
from ocr_lib.feed.batches import Share
from ocr_lib.feed.plan import plan_fonts
from ocr_lib.feed.source import CaptchaSource
from ocr_lib.feed.streams import (
    iterators,
    training_iterator,
    training_parts,
    validation_batches,
    validation_iterator,
)
from tests.feed.lines_on_disk import line_recipe, write_lines
from tests.feed.work import ENVIRONMENT
from tests.toy import FONT, toy_recipe

SIZES = [("training.epoch_size", 20), ("training.validation_size", 11)]  # in batches of 8
RECIPE = toy_recipe(*SIZES)
TEXTS = ["ab", "ba", "c", "ca", "abc"] * 6


@pytest.fixture
def folder(tmp_path):
    write_lines(tmp_path, [(text, 16, 30 + 2 * index) for index, text in enumerate(TEXTS)])
    return tmp_path


def assert_batches(found, expected):
    """Compare what an iterator gives with batches of a source."""
    found = list(found)
    assert len(found) == len(expected)
    for batch, source in zip(found, expected):
        assert batch.texts == source.texts
        np.testing.assert_array_equal(batch.widths, source.widths)
        grey = batch.data[0].asnumpy() * -255 + 255
        np.testing.assert_allclose(grey.swapaxes(1, 2), source.images, atol=1e-3)


class TestCaptchas:
    @pytest.mark.parametrize("num_proc", [1, 3, None])
    def test_are_those_of_the_recipe_whatever_draws_them(self, num_proc):
        recipe = toy_recipe(*SIZES, ("image.mean", 255), ("image.scale", -255))
        train, validation = captchas(recipe, FONT, num_proc)
        assert train.recipe == validation.recipe == recipe
        source = CaptchaSource(recipe, [Font(FONT)])
        for epoch in range(3):
            parts = [range(20 * epoch + start, 20 * epoch + min(start + 8, 20)) for start in (0, 8, 16)]
            assert_batches(train, [source(("train", part)) for part in parts])
            assert_batches(validation, [source(("validation", part)) for part in (range(8), range(8, 11))])
            train.reset()
            validation.reset()

    def test_of_a_recipe_without_a_width_have_widths(self):
        recipe = toy_recipe(*SIZES, ("image.width", None))
        for iterator in captchas(recipe, str(FONT), num_proc=1):
            for batch in iterator:
                _, widths = batch.data
                assert widths.asnumpy().tolist() == batch.widths.tolist() == [21] * len(batch.texts)

    def test_faults_are_told_before_anything_starts(self, tmp_path):
        with pytest.raises(OCRError, match=f"^{tmp_path}: no .ttf or .otf file in this folder"):
            captchas(RECIPE, tmp_path)
        with pytest.raises(OCRError, match="6 times '0' in a row needs 11 time steps"):
            captchas(toy_recipe(("text.max_length", 6)), FONT)
        with pytest.raises(OCRError, match="--num_proc must be at least 1, not 0"):
            captchas(RECIPE, FONT, num_proc=0)


class TestLabelled:
    def test_says_what_the_data_are(self, folder):
        train, validation = labelled(line_recipe(), folder, held_out=0.2, num_proc=1)
        recipe = train.recipe
        assert recipe == validation.recipe
        assert (recipe.text.alphabet, recipe.text.min_length, recipe.text.max_length) == ("abc", 1, 3)
        assert (recipe.training.epoch_size, recipe.training.validation_size) == (24, 6)
        texts = [[text for batch in iterator for text in batch.texts] for iterator in (train, validation)]
        assert sorted(texts[0] + texts[1]) == sorted(TEXTS)
        train.reset()
        again = [text for batch in train for text in batch.texts]
        assert again != texts[0] and sorted(again) == sorted(texts[0]), "the same samples in another order"

    def test_data_to_validate_on(self, folder, tmp_path):
        other = tmp_path / "other"
        other.mkdir()
        write_lines(other, [("ab", 16, 40), ("bé", 16, 50)])
        train, validation = labelled(line_recipe(), str(folder), other, num_proc=1)
        assert train.recipe.training.epoch_size == len(TEXTS)
        (batch,) = validation
        assert batch.texts == ["ab", "bé"]
        assert batch.label[0].asnumpy().tolist()[1] == [2, 0, 0], "what the alphabet lacks is no label"

    def test_alphabet(self, folder):
        train, _ = labelled(line_recipe(), folder, alphabet="xcba", num_proc=1)
        assert train.recipe.text.alphabet == "xcba"
        with pytest.raises(OCRError, match="labels have 'c', which the alphabet lacks"):
            labelled(line_recipe(), folder, alphabet="ab", num_proc=1)

    def test_format_and_problems(self, folder):
        (folder / "3.png").write_bytes(b"")
        with pytest.raises(OCRError, match="1 of .* samples can't be used"):
            labelled(line_recipe(), folder, num_proc=1, max_problems=0)
        train, _ = labelled(line_recipe(), folder, num_proc=1, format="labels")
        sizes = train.recipe.training
        assert sizes.epoch_size + sizes.validation_size == len(TEXTS) - 1
        with pytest.raises(OCRError):
            labelled(line_recipe(), folder, num_proc=1, format="gt")

    @pytest.mark.parametrize("which", [0, 1, 2])
    def test_a_file_that_is_gone_for_a_while(self, tmp_path, which):
        texts = [f"{number:05b}" for number in range(26)]
        write_lines(tmp_path, [(text, 16, 60) for text in texts])
        train, other = (labelled(line_recipe(), tmp_path, held_out=0.1, num_proc=1).train for _ in range(2))
        expected = [batch.texts for batch in other]
        path = tmp_path / f"{texts.index(expected[which][-1])}.png"
        data = path.read_bytes()
        path.unlink()
        assert [next(train).texts for _ in range(which)] == expected[:which]
        for _ in range(2):
            with pytest.raises(OCRError, match=f"{path.name}: "):
                next(train)
        path.write_bytes(data)
        assert [batch.texts for batch in train] == expected[which:]


class TestPlanned:
    def test_from_a_batch_of_an_epoch_on(self):
        plan = plan_fonts(RECIPE, FONT)
        with plan.start_workers(2) as pool:
            later = training_iterator(plan, pool, epoch=1, done=2)
            whole = training_iterator(plan, pool)
            list(whole)
            whole.reset()
            assert [batch.texts for batch in later] == [batch.texts for batch in whole][2:]
            later.reset()
            whole.reset()
            assert [batch.texts for batch in later] == [batch.texts for batch in whole]

    def test_rows_for_several_devices(self):
        plan = plan_fonts(toy_recipe(("training.epoch_size", 9), ("training.validation_size", 17)), FONT)
        with plan.start_workers(1) as pool:
            train = training_iterator(plan, pool, least_rows=2)
            validation = validation_iterator(plan, pool, least_rows=2)
            for iterator, pads in ((train, [0, 1]), (validation, [0, 0, 1])):
                assert [batch.pad for batch in iterator] == pads

    def test_two_of_one_pool_keep_apart(self):
        plan = plan_fonts(RECIPE, FONT)
        train, validation = iterators(plan, 1)
        alone = [batch.texts for batch in iterators(plan, 1).train]
        mixed = []
        for batch in train:
            mixed.append(batch.texts)
            next(validation, None)
        assert mixed == alone

    @pytest.mark.parametrize("machines", [1, 2, 4])
    def test_parts_of_all_machines_are_the_batches(self, machines):
        plan = plan_fonts(toy_recipe(*SIZES, ("training.parts", 3)), FONT)
        with plan.start_workers(1) as pool:
            shares = [
                training_parts(plan, pool, epoch=1, done=1, share=Share(rank, machines)) for rank in range(machines)
            ]
            for batch in training_iterator(plan, pool, epoch=1, done=1):
                mine = [next(share) for share in shares]
                assert {portion.samples for portion in mine} == {len(batch.texts)}
                parts = {number: part for portion in mine for number, part in portion.parts.items()}
                assert list(parts) == [0, 1, 2] and max(len(part.texts) for part in parts.values()) <= 3
                assert [text for part in parts.values() for text in part.texts] == batch.texts
            assert next(shares[0]).samples == 8, "of the next epoch"

    @pytest.mark.parametrize("machines", [1, 2, 4])
    def test_all_machines_together_validate_on_every_sample(self, machines):
        plan = plan_fonts(toy_recipe(*SIZES, ("training.parts", 3)), FONT)
        with plan.start_workers(1) as pool:
            shares = [validation_batches(plan, pool, Share(rank, machines)) for rank in range(machines)]
            expected = [text for batch in validation_iterator(plan, pool) for text in batch.texts]
        assert [text for share in shares for batch in share for text in batch.texts] == expected
        assert max(len(batch.texts) for share in shares for batch in share) <= 3


PROGRAM = """
import gc, os, time
from pathlib import Path
import ocr_lib
from tests.toy import FONT, toy_recipe

def workers():
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, parent = int(stat.parent.name), int(stat.read_text().rsplit(")", 1)[1].split()[1])
            if os.getpgid(pid) == os.getpgid(0) and os.getpid() not in (pid, parent):
                found.append(pid)
        except OSError:
            pass
    return found

train, validation = ocr_lib.captchas(toy_recipe(), FONT, num_proc=2)
next(train)
print(len(workers()))
if END == "exit":
    raise SystemExit
del train, validation
gc.collect()
for _ in range(100):
    if not workers():
        break
    time.sleep(0.1)
print(len(workers()))
"""


@pytest.mark.parametrize("end, printed", [("exit", "2\n"), ("del", "2\n0\n")])
def test_workers_end_with_the_iterators(end, printed):
    command = [sys.executable, "-W", "ignore", "-c", f"END = {end!r}\n{PROGRAM}"]
    with subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (0, printed, "")
    for _ in range(100):
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    pytest.fail("a process outlived the program")
