"""A limit to waiting for other machines: MXNet and Horovod would wait for ever."""

import os
import sys
import threading
import time
from contextlib import contextmanager
from typing import Iterator, Optional

from ocr_lib.feed.batches import Share

START_S = 600.0
LEAST_S = 20.0
_STEPS = 10
_EXIT_CODE = 1


class Watch:
    """Ends this process, with one line on stderr, when others don't answer.

    They have `LEAST_S`, or ten times as long as this machine has taken for its slowest step so far.
    """

    def __init__(self) -> None:
        self.share: Optional[Share] = None  # of this machine, once it is known
        self._slowest = 0.0
        self._answered = time.monotonic()
        self._deadline: Optional[float] = None
        self._changed = threading.Condition()
        threading.Thread(target=self._run, daemon=True).start()

    @contextmanager
    def waiting(self, starting: bool = False) -> Iterator[None]:
        """While entered, wait for others: as long as `START_S` if they are only starting."""
        now = time.monotonic()
        self._slowest = max(self._slowest, 0.0 if starting else now - self._answered)
        self._set(now + (START_S if starting else max(LEAST_S, _STEPS * self._slowest)))
        try:
            yield
        finally:
            self._set(None)
            self._answered = time.monotonic()

    def _set(self, deadline: Optional[float]) -> None:
        with self._changed:
            self._deadline = deadline
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while True:
                if self._deadline is not None and time.monotonic() >= self._deadline:
                    self._end()
                self._changed.wait(self._deadline and max(0.0, self._deadline - time.monotonic()))

    def _end(self) -> None:
        who = f"rank {self.share.rank} of {self.share.size}" if self.share else "a worker"
        sys.stderr.write(
            f"error: {who} waited in vain for the others: a worker, a server, the scheduler or the network is gone, or "
            "too slow; what was saved is whole, and --resume goes on from there\n"
        )
        sys.stderr.flush()
        os._exit(_EXIT_CODE)
