"""How far a run is on its schedule of the learning rate: as far as in its updates, or further where time is short."""

import math
import time
from typing import Callable, Optional

_TIMED = 10  # updates that tell how fast the machine is
_TIMED_S = 2.0  # and seconds, for a forecast


class Pace:
    """Where each update stands on a schedule, such that the schedule ends with the run.

    While the time that is left suffices for all updates, an update stands where its number says. Otherwise what is left
    of the schedule is shared out among as many updates as the machine's speed so far lets expect.

    Parameters
    ----------
    updates : int
        Of the whole run.
    position : float
        Where the last update stood.
    deadline : float
        When the run is to end, as `clock` tells time.
    clock : callable
        In seconds.

    Attributes
    ----------
    position : float
        From 0 to `updates`.
    """

    def __init__(
        self,
        updates: int,
        position: float = 0.0,
        deadline: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.position = position
        self._updates = updates
        self._deadline = deadline
        self._clock = clock
        self._timed = 0
        self._began_s = 0.0

    def forecast(self, done: int) -> Optional[float]:
        """Return about how many seconds the run takes from here, or None if that can't be told yet."""
        now = self._clock()
        if self._timed <= _TIMED or now - self._began_s < _TIMED_S:
            return None
        # As many updates were timed as began and ended since the first.
        seconds = (now - self._began_s) / (self._timed - 1) * (self._updates - done)
        return min(seconds, self._deadline - now)

    def advance(self, done: int) -> float:
        """Return where the next update stands, behind so many that are done."""
        left: float = max(1, self._updates - done)
        now = self._clock()
        if not self._timed:
            self._began_s = now
        elif self._timed > _TIMED:
            left = min(left, max(1.0, self._timed * (self._deadline - now) / (now - self._began_s)))
        self._timed += 1
        self.position += (self._updates - self.position) / left
        return self.position


def duration(seconds: float) -> str:
    """Return a time in words, to two figures or so: 45 s, 9 min, 2 h 10 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60 // 10 * 10} min"
