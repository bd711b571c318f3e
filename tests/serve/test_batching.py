"""Images of several requests, read together."""

import asyncio

import pytest

from ocr_lib.errors import OCRError
from ocr_lib.serve.batching import Batcher, QueueFullError
from ocr_lib.serve.models import Models
from tests.serve.running import MODEL, OTHER, captcha_files

FILES = captcha_files(12)


@pytest.fixture(scope="module")
def models():
    return Models([("digits", str(MODEL)), ("letters", str(OTHER))], 64, 1)


def run(use, batch_size=8, most_waiting=100):
    """Run a coroutine function with a batcher; return what it returns, and the sizes of batches."""
    sizes = []

    async def using():
        batcher = Batcher(batch_size, most_waiting, 10**6, sizes.append)
        try:
            return await use(batcher)
        finally:
            batcher.close()

    return asyncio.run(using()), sizes


def test_what_comes_while_a_batch_is_read_is_the_next(models):
    model = models["digits"]

    async def use(batcher):
        return await asyncio.gather(*(batcher.read(model, [data]) for data in FILES))

    found, sizes = run(use)
    expected = model.predictor.predict(FILES)
    assert [outcome.reading.text for (outcome,) in found] == [reading.text for reading in expected]
    assert sizes == [8, 4]


def test_models_are_not_mixed_up(models):
    async def use(batcher):
        return await asyncio.gather(
            *(batcher.read(models[name], FILES[:2]) for name in ("digits", "letters", "digits"))
        )

    found, sizes = run(use)
    for outcomes, name in zip(found, ("digits", "letters", "digits")):
        expected = models[name].predictor.predict(FILES[:2])
        assert [outcome.reading.text for outcome in outcomes] == [reading.text for reading in expected]
    assert sizes == [6]


def test_each_has_its_own_error(models):
    async def use(batcher):
        return await batcher.read(models["digits"], [FILES[0], b"", FILES[1]])

    (first, second, third), _ = run(use)
    assert isinstance(second, OCRError)
    assert [len(each.reading.text) for each in (first, third)] == [4, 4]


def test_no_room(models):
    async def use(batcher):
        assert batcher.has_room()
        reading = asyncio.ensure_future(batcher.read(models["digits"], FILES[:3]))
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError):
            await batcher.read(models["digits"], FILES[:1])
        return await reading

    found, _ = run(use, most_waiting=3)
    assert len(found) == 3


def test_who_gives_up_waiting_is_not_read_for(models):
    async def use(batcher):
        tasks = [asyncio.ensure_future(batcher.read(models["digits"], [data])) for data in FILES[:6]]
        await asyncio.sleep(0)
        for task in tasks[:3]:
            task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    found, sizes = run(use)
    assert [isinstance(outcome, asyncio.CancelledError) for outcome in found] == [True] * 3 + [False] * 3
    assert sizes == [3]


def test_what_goes_wrong_is_raised_to_all_and_the_next_are_read(models):
    broken = models["digits"]._replace(predictor=None)

    async def use(batcher):
        with pytest.raises(AttributeError):
            await batcher.read(broken, FILES[:1])
        return await batcher.read(models["digits"], FILES[:1])

    found, _ = run(use)
    assert len(found) == 1
