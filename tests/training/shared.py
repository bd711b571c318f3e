"""Work for processes that share memory."""

import os
import signal
import time
from functools import partial


def make_writing(memory):
    return partial(write, memory)


def write(memory, task):
    """Write the first row, times two numbers, to another; return its sum. Die first, once, if a factor is missing."""
    row, factor = task
    if factor is None:
        if memory.array[0, 0] == 1:
            memory.array[0, 0] = 0
            os.kill(os.getpid(), signal.SIGKILL)
        memory.array[0, 0] = 1
    else:
        memory.array[row] = memory.array[0] * factor * row
    return float(memory.array[0].sum())


def make_claiming(memory, count):
    return partial(claimed, memory.claim(count), memory)


def claimed(number, memory, task):
    """Return the number that this process has, slowly enough for the others to have their turn."""
    time.sleep(0.01)
    return os.getpid(), number
