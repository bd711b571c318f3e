"""The files that a training run logs to, also where they can't be written."""

import contextlib
import csv
import errno
import logging
import os
import resource
import struct

import pytest
from tensorboardX.proto.event_pb2 import Event, SessionLog

from ocr_lib.cv import cv2
from ocr_lib.errors import OCRError
from ocr_lib.training.log import TrainingLog
from ocr_lib.training.progress import Epoch
from ocr_lib.training.validation import Validation

FIGURES = {"accuracy": 0.25, "cer": 0.5, "loss": 2.0, "blank": 0.5}


@pytest.fixture(autouse=True)
def told(caplog):
    """What a run's log says, as `caplog` has it."""
    logger = logging.getLogger("ocr_lib")
    propagate, logger.propagate = logger.propagate, True
    caplog.set_level(logging.INFO, "ocr_lib")
    yield caplog
    logger.propagate = propagate


@pytest.fixture
def no_file_grows():
    """A context in which the system refuses to lengthen any file, as on a full disk."""

    @contextlib.contextmanager
    def context():
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return context


def epoch(number, updates=None):
    return Epoch(number, 10 * (number + 1) if updates is None else updates, FIGURES, FIGURES)


def log_epochs(log, numbers, text="07"):
    history = []
    for number in numbers:
        log.begin_epoch(number, 10, 0)
        history.append(epoch(number))
        log.validated(Validation(FIGURES, [], [(text, "0")]), history)
    return history


def run_log(folder, **options):
    """Log an epoch, without the picture, which takes long."""
    log = TrainingLog(folder, **options)
    log_epochs(log, [0])
    log.close([])


def events(folder):
    """Return the events of a folder, file by file, as TensorBoard reads them."""
    found = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            found.append(Event.FromString(data[12 : 12 + length]))
            data = data[16 + length :]
    return found


def messages(told, level=logging.INFO):
    return [record.getMessage() for record in told.records if record.levelno >= level]


def test_events_are_there_as_soon_as_an_epoch_is_validated(tmp_path):
    log = TrainingLog(tmp_path, updates=5)
    log_epochs(log, [0, 1])
    version, start, *epochs = events(tmp_path)
    assert version.file_version == "brain.Event:2"
    assert (start.step, start.session_log.status) == (5, SessionLog.START)  # hides what others say of later updates
    assert [event.step for event in epochs] == [10, 20]
    for event in epochs:
        values = {value.tag: value.simple_value for value in event.summary.value}
        assert values == {f"{split}/{name}": FIGURES[name] for split in ("train", "validation") for name in FIGURES}
        assert event.wall_time > 0
    log.close([])


def test_a_run_that_goes_on_at_once_leaves_earlier_events_alone(tmp_path, monkeypatch):
    run_log(tmp_path)
    monkeypatch.setattr(os, "getpid", lambda: 1)  # another process, within the same second
    run_log(tmp_path)
    assert sum(bool(event.summary.value) for event in events(tmp_path)) == 2


@pytest.mark.parametrize("fresh", [False, True])
def test_a_log_goes_on_unless_it_begins_anew(tmp_path, fresh):
    run_log(tmp_path)
    before = (tmp_path / "train.log").read_text(encoding="utf-8")
    assert "Validation-accuracy" in before
    run_log(tmp_path, fresh=fresh)
    after = (tmp_path / "train.log").read_text(encoding="utf-8")
    assert after.startswith(before) != fresh
    assert after.count("Validation-accuracy") == 2 - fresh


def test_lines_are_utf8_and_may_name_files_that_are_not(tmp_path):
    log = TrainingLog(tmp_path)
    log_epochs(log, [0], "żółw \udcff")
    log.close([])
    assert r"'żółw \udcff'" in (tmp_path / "train.log").read_text(encoding="utf-8")


@pytest.mark.parametrize("lost", ["train.log", "curves", "everything"])
def test_a_run_goes_on_without_logs_that_cannot_be_written(tmp_path, told, no_file_grows, lost):
    if lost == "train.log":
        (tmp_path / lost).symlink_to("/dev/full")
    elif lost == "curves":
        for name in ("curves.csv", "curves.png"):
            (tmp_path / name).mkdir()
    handlers = logging.getLogger("ocr_lib").handlers[:]
    with no_file_grows() if lost == "everything" else contextlib.nullcontext():
        log = TrainingLog(tmp_path)
        log.close(log_epochs(log, range(30)))
    assert logging.getLogger("ocr_lib").handlers == handlers
    (warning,) = messages(told, logging.WARNING)
    assert warning.startswith(f"The logs of this run are incomplete: {tmp_path}/{lost.replace('everything', '')}")
    assert warning.endswith(("No space left on device", "Is a directory", "File too large"))
    assert sum("Validation-accuracy" in message for message in messages(told)) == 30
    if lost == "everything":
        return
    assert [event.step for event in events(tmp_path) if event.summary.value] == [10 * n for n in range(1, 31)]
    if lost == "curves":
        assert (tmp_path / "train.log").read_text(encoding="utf-8").count("Validation-accuracy") == 30
    else:
        assert cv2.imread(str(tmp_path / "curves.png")) is not None
        assert len((tmp_path / "curves.csv").read_text().splitlines()) == 31


def test_logs_go_on_once_there_is_room_again(tmp_path, told, no_file_grows):
    log = TrainingLog(tmp_path)
    log_epochs(log, [0])
    with no_file_grows():
        log_epochs(log, [0, 1])
    log_epochs(log, [0, 1, 2])
    log.close([])
    assert len(messages(told, logging.WARNING)) == 1
    with (tmp_path / "curves.csv").open(newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1", "2"]
    assert "Epoch[2] Validation-accuracy" in (tmp_path / "train.log").read_text(encoding="utf-8")
    assert events(tmp_path)[-1].step == 30
    assert not list(tmp_path.glob(".*.tmp"))


def test_an_error_of_a_message_is_no_full_disk(tmp_path, told, capsys):
    logging.getLogger("ocr_lib").propagate = False  # pytest's own handler would raise it
    log = TrainingLog(tmp_path)
    logging.getLogger("ocr_lib").info("%d epochs", "two")
    log.close([])
    assert messages(told, logging.WARNING) == []
    assert "two" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["a file", "a file above it"])
def test_a_folder_that_cannot_be_is_named_before_training(tmp_path, what):
    (tmp_path / "file").touch()
    folder = tmp_path / "file" if what == "a file" else tmp_path / "file" / "log"
    with pytest.raises(OCRError, match=r"/file.*--log-dir") as caught:
        TrainingLog(folder)
    assert os.strerror(errno.EEXIST if what == "a file" else errno.ENOTDIR) in str(caught.value)
