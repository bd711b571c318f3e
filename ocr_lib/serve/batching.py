"""Requests in flight, read together: what comes while a batch is read is the next batch, so none waits for others."""

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Deque, Dict, List, NamedTuple, Optional, Union

import numpy as np

from ocr_lib.errors import OCRError
from ocr_lib.images.inputs import load_image
from ocr_lib.recognize.reading import Reading
from ocr_lib.serve.models import Model


class Seen(NamedTuple):
    """An image as read.

    Attributes
    ----------
    reading : Reading
    width : int
        Of the image's line, in pixels.
    """

    reading: Reading
    width: int


Outcome = Union[Seen, OCRError]


class _Job(NamedTuple):
    model: Model
    data: bytes
    done: "asyncio.Future[Outcome]"


class QueueFullError(Exception):
    """More images wait than may."""


class Batcher:
    """Reads images in batches, in a thread of its own.

    Parameters
    ----------
    batch_size : int
        Most images of a batch.
    most_waiting : int
        Images that wait for their turn, from which on no more may.
    max_pixels : int
        Images with more are refused.
    observe : callable, optional
        Is told the number of images of each batch.
    """

    def __init__(
        self, batch_size: int, most_waiting: int, max_pixels: int, observe: Optional[Callable[[int], None]] = None
    ) -> None:
        self._batch_size = batch_size
        self._most_waiting = most_waiting
        self._max_pixels = max_pixels
        self._observe = observe
        self._waiting: Deque[_Job] = deque()
        self._thread = ThreadPoolExecutor(1, "reading")
        self._running: Optional[asyncio.Task[None]] = None

    @property
    def num_waiting(self) -> int:
        """How many images wait for their turn."""
        return len(self._waiting)

    def has_room(self) -> bool:
        """Tell whether more may wait: then all images of a request, however many."""
        return len(self._waiting) < self._most_waiting

    async def read(self, model: Model, images: List[bytes]) -> List[Outcome]:
        """Read files of images.

        Parameters
        ----------
        model : Model
        images : list of bytes

        Returns
        -------
        list of Seen or OCRError
            In the order of the images; the error is that of the one image.

        Raises
        ------
        QueueFullError
            If there is no room for them.
        """
        if not self.has_room():
            raise QueueFullError
        loop = asyncio.get_running_loop()
        jobs = [_Job(model, data, loop.create_future()) for data in images]
        self._waiting.extend(jobs)
        if self._running is None:
            self._running = loop.create_task(self._run())
        return list(await asyncio.gather(*(job.done for job in jobs)))

    async def _run(self) -> None:
        """Read until nothing waits."""
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                jobs = [self._waiting.popleft() for _ in range(min(self._batch_size, len(self._waiting)))]
                jobs = [job for job in jobs if not job.done.done()]  # of those who gave up waiting
                if not jobs:
                    continue
                if self._observe:
                    self._observe(len(jobs))
                try:
                    outcomes = await loop.run_in_executor(self._thread, self._outcomes, jobs)
                except Exception as error:
                    for job in jobs:
                        if not job.done.done():
                            job.done.set_exception(error)
                    continue
                for job, outcome in zip(jobs, outcomes):
                    if not job.done.done():
                        job.done.set_result(outcome)
        finally:
            self._running = None

    def _outcomes(self, jobs: List[_Job]) -> List[Outcome]:
        found: Dict[int, Outcome] = {}
        loaded: Dict[str, Dict[int, np.ndarray]] = {}
        models: Dict[str, Model] = {}
        for place, job in enumerate(jobs):
            preparation = job.model.predictor.preparation
            try:
                image = load_image(job.data, preparation.rendition, self._max_pixels)
                preparation.width_of(image)
            except OCRError as error:
                found[place] = error
                continue
            models[job.model.sha256] = job.model
            loaded.setdefault(job.model.sha256, {})[place] = image
        for digest, images in loaded.items():
            predictor = models[digest].predictor
            readings = predictor.read(list(images.values()))
            for (place, image), reading in zip(images.items(), readings):
                found[place] = Seen(reading, predictor.preparation.line_shape(*image.shape[:2])[1])
        return [found[place] for place in range(len(jobs))]

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False)
