"""Whole runs of the commands, as processes that are disturbed."""

import contextlib
import fcntl
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import termios
import time

import numpy as np
import pytest

from ocr_lib.cli import generate, infer
from ocr_lib.cli import train as train_command
from ocr_lib.errors import OCRError
from ocr_lib.files import sha256
from ocr_lib.net import warpctc
from ocr_lib.net.checkpoint import load_checkpoint
from ocr_lib.net.manifest import read_manifest
from tests.integration.runs import EPOCHS, begun, command, ended, hashes, more, new, processes, resumed, run, wait_for
from tests.toy import FONT
from tests.train_command import refused
from tests.unmeasured import UNMEASURED


@pytest.fixture(scope="module")
def undisturbed(train, tmp_path_factory):
    """The SHA-256 of each epoch's parameters of a run that nothing disturbed."""
    prefix = tmp_path_factory.mktemp("undisturbed") / "ocr"
    result = train(new(prefix))
    assert result.returncode == 0, result.stderr
    return hashes(prefix)


def test_a_run_writes_what_it_promises(train, undisturbed, tmp_path):
    result = train(new(tmp_path / "a" / "ocr", "--num_proc", "3", "--log-dir", str(tmp_path / "log")))
    assert result.returncode == 0
    assert hashes(tmp_path / "a" / "ocr") == undisturbed
    assert sorted(undisturbed) == [f"ocr-{epoch:04d}.params" for epoch in range(1, EPOCHS + 1)]
    names = {path.name for path in (tmp_path / "a").iterdir()}
    assert {"ocr-symbol.json", "ocr-recipe.json", "ocr-manifest.json"} <= names
    assert {"curves.csv", "curves.png", "train.log"} <= {path.name for path in (tmp_path / "log").iterdir()}


def test_a_terminal_shows_a_progress_bar(tmp_path):
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 100, 0, 0))
    arguments = command(tmp_path / "ocr", settings=(("training.epochs", 2),))
    with subprocess.Popen(arguments, stderr=slave, start_new_session=True, env=UNMEASURED) as process:
        os.close(slave)
        shown = b""
        with contextlib.suppress(OSError):  # how a pseudo-terminal says that its other end is closed
            while data := os.read(master, 4096):
                shown += data
        os.close(master)
        assert process.wait(timeout=60) == 0, shown
    assert b"Epoch 0:" in shown
    assert b"Epoch 1:" in shown
    assert re.search(rb"\d+/26 ", shown)
    assert b"loss=" in shown


def test_killed_amidst_an_epoch_and_resumed_is_as_undisturbed(undisturbed, tmp_path):
    prefix = tmp_path / "ocr"
    with begun(command(prefix)) as first:
        wait_for(first, r"Saved checkpoint .*ocr-0002\.params")
        time.sleep(0.15)
        first.kill()
        first.wait()
        assert ended(first), "a worker outlived the run"
    result = run(resumed(prefix))
    assert result.returncode == 0, result.stderr
    assert hashes(prefix) == undisturbed
    assert not list(tmp_path.glob(".*.tmp"))


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(12))
def test_killed_again_and_again_at_any_moment(undisturbed, tmp_path, moment):
    prefix = tmp_path / "ocr"
    with begun(command(prefix)):
        for _ in range(1200):
            if (tmp_path / "ocr-manifest.json").exists():
                break
            time.sleep(0.05)
        time.sleep(0.2 * moment)
    with begun(resumed(prefix)):
        time.sleep(3 + 0.17 * moment)
    result = run(resumed(prefix))
    assert result.returncode == 0, result.stderr
    assert hashes(prefix) == undisturbed


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_signal_stops_with_a_checkpoint_and_resuming_is_as_undisturbed(train, undisturbed, tmp_path, capsys, number):
    prefix = tmp_path / "ocr"
    with begun(command(prefix, "--cpu", "2")) as first:
        wait_for(first, r"Saved checkpoint .*ocr-0001\.params")
        if number == signal.SIGINT:
            os.killpg(first.pid, number)  # as Ctrl-C does
        else:
            first.send_signal(number)
        rest = first.stderr.read()
        assert first.wait(timeout=60) == 128 + number
        assert "--resume" in rest
        assert "Traceback" not in rest
        assert ended(first), "a worker outlived the run"
    sample = str(tmp_path / "sample.png")
    assert generate.main([str(FONT), sample, "--num", "07"]) == 0
    capsys.readouterr()
    assert infer.main(["--prefix", str(prefix), "--epoch", "last", sample]) == 0
    assert capsys.readouterr().out.startswith("Digits: [")
    result = train(more(prefix))
    assert result.returncode == 0, result.stderr
    assert hashes(prefix) == undisturbed


def test_killed_workers_cost_only_time(undisturbed, tmp_path):
    prefix = tmp_path / "ocr"
    with begun(command(prefix)) as process:
        wait_for(process, r"Saved checkpoint .*ocr-0001\.params")
        found = processes(process).rendering
        assert len(found) == 2
        os.kill(found[0], signal.SIGKILL)
        wait_for(process, r"Saved checkpoint .*ocr-0002\.params")
        for pid in processes(process).rendering:
            os.kill(pid, signal.SIGKILL)
        assert process.wait(timeout=100) == 0
    assert hashes(prefix) == undisturbed


def test_a_second_run_at_a_prefix_is_refused_while_the_first_goes_on(train, undisturbed, tmp_path):
    prefix = tmp_path / "ocr"
    with begun(command(prefix)) as first:
        wait_for(first, r"Saved checkpoint .*ocr-0001\.params")
        first.send_signal(signal.SIGSTOP)
        before = hashes(prefix)
        for arguments in more(prefix), new(prefix, "--overwrite"):
            assert f"{prefix}-log: another run is writing there" in refused(train(arguments))
        assert hashes(prefix) == before
        first.send_signal(signal.SIGCONT)
        assert first.wait(timeout=100) == 0
    assert hashes(prefix) == undisturbed


@pytest.mark.slow
def test_a_run_is_not_overwritten_unasked(undisturbed, tmp_path):
    prefix = tmp_path / "ocr"
    short = (("training.epochs", 1),)
    assert run(command(prefix, settings=short)).returncode == 0
    before = {path.name: sha256(path) for path in tmp_path.glob("ocr*") if path.is_file()}
    again = run(command(prefix))
    assert again.returncode == 1
    assert "--resume" in again.stderr
    assert len(again.stderr.splitlines()) == 1
    assert {path.name: sha256(path) for path in tmp_path.glob("ocr*") if path.is_file()} == before
    longer = run(resumed(prefix, "--epochs", "2"))
    assert longer.returncode == 0
    assert hashes(prefix) == {name: undisturbed[name] for name in ("ocr-0001.params", "ocr-0002.params")}
    anew = run(command(prefix, "--overwrite", "--seed", "1", settings=short))
    assert anew.returncode == 0, anew.stderr
    assert len(read_manifest(str(prefix)).saved) == 1
    assert list(hashes(prefix)) == ["ocr-0001.params"]
    assert hashes(prefix)["ocr-0001.params"] != undisturbed["ocr-0001.params"]


@pytest.mark.slow
def test_other_fonts_are_refused_when_resuming(tmp_path):
    prefix = tmp_path / "ocr"
    assert run(command(prefix, settings=(("training.epochs", 1),))).returncode == 0
    again = run(resumed(prefix, "--epochs", "2", font=FONT.with_name("Lato-Black.ttf")))
    assert again.returncode == 1
    assert "Ubuntu-M.ttf" in again.stderr


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--preset", "nonsense"], "mxnet-ctc"),
        (["--set", "network.hiden=3"], "network.hiden"),
        (["--set", "hidden=3"], "network.hidden"),
        (["--set", "network.hidden=many"], "network.hidden"),
        (["--set", "network.hidden"], "key=value"),
        (["--set", "text.max_length=6"], "time steps"),
        (["--num_proc", "0"], "--num_proc"),
        (["--cpu", "0"], "--cpu"),
        (["--lr", "-1"], "learning_rate"),
        (["--epochs", "0"], "epochs"),
        (["--resume", "--prefix", "nowhere/ocr"], "no run that could go on"),
        (["--prefix", "."], "--prefix"),
        (["--gpu", "1"], "train-gpu"),
        (["--set", "text.alphabet=07Ω中"], "Ubuntu-M.ttf"),
        (["--loss", "nonsense"], "--loss"),
    ],
)
def test_bad_arguments_are_named_on_one_line(train, tmp_path, arguments, said):
    result = train(new("ocr", *arguments), tmp_path)
    assert result.returncode != 0
    errors = [line for line in result.stderr.splitlines() if "error:" in line]
    assert len(errors) == 1
    assert said in errors[0]
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_path_without_fonts_is_named(train, tmp_path):
    (tmp_path / "text.ttf").write_text("no font")
    for path in (tmp_path / "missing", tmp_path / "text.ttf"):
        result = train(new(tmp_path / "ocr", font=path))
        assert result.returncode == 1
        assert str(path) in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_warpctc_without_its_library_says_how_to_get_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(warpctc, "load_library", warpctc.load_library.__wrapped__)
    monkeypatch.setenv("WARPCTC_PATH", str(tmp_path))
    assert train_command.main(new(tmp_path / "ocr", "--loss", "warpctc")) == 1
    said = capsys.readouterr().err
    assert str(tmp_path) in said.splitlines()[-1]
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_moved_checkpoint_is_a_whole_one(undisturbed, tmp_path):
    assert run(command(tmp_path / "ocr", settings=(("training.epochs", 1),))).returncode == 0
    (tmp_path / "there").mkdir()
    for path in tmp_path.glob("ocr-*"):
        if path.is_file():
            shutil.move(str(path), str(tmp_path / "there" / path.name.replace("ocr-", "model-")))
    assert run(resumed(tmp_path / "there" / "model", "--epochs", "2")).returncode == 0
    assert hashes(tmp_path / "there" / "model")["model-0002.params"] == undisturbed["ocr-0002.params"]


@pytest.fixture(scope="module")
def with_warpctc(train, tmp_path_factory):
    """The prefix of a run that was as undisturbed, but trained with Baidu's library."""
    try:
        warpctc.find_library()
    except OCRError as error:
        pytest.skip(str(error))
    prefix = tmp_path_factory.mktemp("warpctc") / "ocr"
    result = train(new(prefix, "--loss", "warpctc"))
    assert result.returncode == 0, result.stderr
    return prefix


@pytest.mark.slow
def test_warpctc_trains_the_same_model(with_warpctc, undisturbed, tmp_path):
    with_ctc = tmp_path / "ocr"
    assert run(command(with_ctc, settings=(("training.epochs", 1),))).returncode == 0
    first, same = (load_checkpoint(str(prefix), 1).arg_params for prefix in (with_warpctc, with_ctc))
    for name, array in first.items():
        np.testing.assert_allclose(array.asnumpy(), same[name].asnumpy(), atol=0.01, err_msg=name)


def test_checkpoints_of_both_losses_are_interchangeable(with_warpctc, tmp_path):
    shutil.copytree(with_warpctc.parent, tmp_path / "copy")
    prefix = tmp_path / "copy" / "ocr"
    nowhere = str(tmp_path)  # no library there: ctc alone must do
    result = run(resumed(prefix, "--loss", "ctc", "--epochs", str(EPOCHS + 1)), WARPCTC_PATH=nowhere)
    assert result.returncode == 0, result.stderr
    saved = read_manifest(str(prefix)).saved
    assert [s.epoch for s in saved] == list(range(1, EPOCHS + 2))
    assert saved[-1].metrics["loss"] < 1.5 * saved[-2].metrics["loss"]
