"""Figures for TensorBoard, written as they come.

`tensorboardX.SummaryWriter` writes them in a thread, where a full disk is nobody's exception, and hands them to it by a
queue that takes shared memory.
"""

import os
import socket
import time
from pathlib import Path
from typing import Dict

from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import RecordWriter


class EventFile:
    """An event file; a folder may have many, which TensorBoard reads as one.

    All methods raise `OSError` where the file can't be written.

    Parameters
    ----------
    directory : pathlib.Path
    updates : int
        From which parameter update on; what other files of the folder say of later ones is hidden.

    Attributes
    ----------
    path : pathlib.Path
    """

    def __init__(self, directory: Path, updates: int) -> None:
        self.path = directory / f"events.out.tfevents.{time.time():010.0f}.{socket.gethostname()}.{os.getpid()}"
        self._records = RecordWriter(str(self.path))
        self._write(Event(file_version="brain.Event:2"))
        self._write(Event(step=updates, session_log=SessionLog(status=SessionLog.START)))

    def add(self, figures: Dict[str, float], updates: int) -> None:
        """Write what figures are after so many parameter updates, by their names."""
        values = [Summary.Value(tag=name, simple_value=value) for name, value in figures.items()]
        self._write(Event(step=updates, summary=Summary(value=values)))
        self._records.flush()

    def close(self) -> None:
        """Release the file."""
        self._records.close()

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        self._records.write(event.SerializeToString())
