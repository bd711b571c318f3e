"""A limit to waiting for other machines: MXNet and Horovod would wait for ever."""

import os
import sys
import threading
import time
from contextlib import contextmanager
from typing import Callable, Iterator, NoReturn, Optional

from ocr_lib.feed.batches import Share

START_S = 600.0
LEAST_S = 25.0
_STEPS = 10
_INTERVAL_S = 1.0
_EXIT_CODE = 1


class Watch:
    """Ends this process, with one line on stderr, when others don't answer.

    They have `LEAST_S`, or ten times as long as this machine has taken for its slowest step so far.

    Attributes
    ----------
    share : Share or None
        Of this machine, once it is known.
    """

    def __init__(self) -> None:
        self.share: Optional[Share] = None
        self._lost: Callable[[], str] = str
        self._slowest = 0.0
        self._answered = time.monotonic()
        self._limit_s = 0.0
        self._deadline: Optional[float] = None
        self._changed = threading.Condition()
        threading.Thread(target=self._run, daemon=True).start()

    @contextmanager
    def waiting(self, starting: bool = False) -> Iterator[None]:
        """While entered, wait for others: as long as `START_S` if they are only starting."""
        now = time.monotonic()
        self._slowest = max(self._slowest, 0.0 if starting else now - self._answered)
        self._limit_s = START_S if starting else max(LEAST_S, _STEPS * self._slowest)
        self._set(now + self._limit_s)
        try:
            yield
        finally:
            self._set(None)
            self._answered = time.monotonic()

    def ask(self, lost: Callable[[], str] = str) -> None:
        """Have a function say, while this machine waits, who is gone; by default nobody is asked any more."""
        with self._changed:
            self._lost = lost

    def _set(self, deadline: Optional[float]) -> None:
        with self._changed:
            self._deadline = deadline
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while True:
                if self._deadline is None:
                    self._changed.wait()
                elif not self._changed.wait(_INTERVAL_S):
                    self._check(self._deadline)

    def _check(self, deadline: float) -> None:
        lost = self._lost()
        if lost:
            self._end(f"nothing is heard of {lost}")
        if time.monotonic() >= deadline:
            self._end(f"after {self._limit_s:.0f} s another is gone, stuck or too slow, or the network is down")

    def _end(self, why: str) -> NoReturn:
        who = f"rank {self.share.rank} of {self.share.size}" if self.share else "this worker"
        end_process(
            f"{who} waited in vain for the others: {why}; what was saved is whole, and --resume goes on from it"
        )


def end_process(message: str) -> NoReturn:
    """End this process at once, whatever waits in it, with one line on stderr."""
    sys.stderr.write(f"error: {message}\n")
    sys.stderr.flush()
    os._exit(_EXIT_CODE)
