"""A dry run does all but training and leaves the folder as it was, byte for byte; faults of training are told."""

import shutil
import subprocess
import sys

import pytest

import ocr_lib.deploy.export
from ocr_lib import OCRError
from ocr_lib.net import warpctc
from ocr_lib.net.manifest import read_manifest
from tests.feed.lines_on_disk import line_recipe, write_lines
from tests.feed.work import ENVIRONMENT
from tests.jobs.runs import state_of, train_short
from tests.toy import FONT, toy_arguments
from tests.train_command import ROOT

# More than a test can wait for.
ENDLESS = [("training.epochs", 10_000)]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Return a folder where a data set and a run are."""
    folder = tmp_path_factory.mktemp("original")
    (folder / "data").mkdir()
    write_lines(folder / "data", [("ab"[: 1 + n % 2], 16, 30 + n) for n in range(30)])
    train_short(folder / "ocr", ("training.epochs", 1), export_on_end=True)
    return folder


@pytest.fixture
def folder(original, tmp_path, monkeypatch):
    """Return a copy of it that a program runs in."""
    shutil.copytree(original, tmp_path, symlinks=True, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def try_out(folder, prefix, **options):
    """Run dry, which must change nothing in the folder; return what it returns."""
    before = state_of(folder)
    try:
        return train_short(prefix, *ENDLESS, dry_run=True, **options)
    finally:
        assert state_of(folder) == before


class TestWritesNothing:
    @pytest.mark.parametrize("options", [{}, {"export_on_end": True}, {"log_dir": "logs"}, {"time_budget": 0}])
    def test_on_captchas(self, folder, options):
        for prefix in ("new", "a/folder/new", str(folder / "new")):
            assert try_out(folder, prefix, **options) == (None, None)

    @pytest.mark.parametrize("width", [None, 40])
    def test_on_labelled_lines(self, folder, width):
        recipe = line_recipe(("image.width", width), *ENDLESS)
        try_out(folder, "new", train_data="data", recipe=recipe, export_on_end=True)

    def test_where_a_run_goes_on(self, folder):
        found = try_out(folder, "ocr", resume=True, settings=ENDLESS, export_on_end=True)
        assert found.best == read_manifest("ocr").find("best", "ocr")

    def test_where_a_run_would_be_replaced(self, folder):
        try_out(folder, "ocr", overwrite=True, export_on_end=True)

    @pytest.mark.parametrize("policy", [None, "retrain", "resume"])
    def test_with_pretrained_weights(self, folder, policy):
        options = {"recipe": None, "settings": [("training.batch_size", 8)]} if policy == "resume" else {}
        try_out(folder, "new", pretrained="ocr", pretrained_policy=policy, **options)

    def test_as_a_command(self, folder):
        before = state_of(folder)
        command = [sys.executable, str(ROOT / "lstm_ocr_train.py"), str(FONT), "--cpu=1", "--num_proc=1", "--dry-run"]
        options = [*toy_arguments(*ENDLESS), "--prefix=new"]
        done = subprocess.run(
            [*command, *options], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False
        )
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert done.stderr.splitlines()[-1].endswith("Dry run: all is ready for 10000 epochs; nothing was written")
        assert state_of(folder) == before

    def test_training_is_as_without_one_before(self, folder):
        train_short("alone", ("training.epochs", 1))
        try_out(folder, "after")
        train_short("after", ("training.epochs", 1))
        files = [(folder / f"{name}-0001.params").read_bytes() for name in ("alone", "after")]
        assert files[0] == files[1]


class TestFaults:
    @pytest.mark.parametrize(
        "prefix, options, said",
        [
            ("ocr", {}, "ocr-manifest.json is there, with 1 epochs trained: --resume goes on, --overwrite begins anew"),
            ("new", {"log_dir": "ocr-log"}, "train.log is there already: --overwrite replaces it, another --log-dir"),
            ("new", {"log_dir": "data/0.png"}, "--log-dir data/0.png is a file: give the name of a folder"),
            ("data", {}, "--prefix data is a folder"),
            ("data/0.png/ocr", {}, "can't be written: "),
            ("new", {"log_dir": "data/0.png/log"}, "can't be written: "),
            ("new", {"fonts": "none.ttf"}, "none.ttf: no such font file or folder"),
            ("new", {"settings": [("text.max_length", 6)]}, "needs 11 time steps"),
            ("new", {"settings": [("training.batch_size", 0)]}, "training.batch_size"),
            ("new", {"train_data": "data", "held_out": 0.001}, "can't be held out"),
            ("new", {"train_data": "data", "val_data": "none"}, "none: no such file or folder"),
            ("ocr", {"resume": True, "fonts": FONT.with_name("Lato-Black.ttf")}, "not what this run was begun with"),
            ("ocr", {"resume": True, "settings": [("seed", 5)]}, "seed can't change when a run is resumed"),
            ("new", {"pretrained": "none"}, "none-symbol.json: no such checkpoint"),
        ],
    )
    def test_are_those_of_training(self, folder, prefix, options, said):
        for dry_run in (True, False):
            before = state_of(folder)
            with pytest.raises(OCRError) as refused:
                train_short(prefix, dry_run=dry_run, **options)
            assert said in str(refused.value)
            assert state_of(folder) == before

    def test_a_model_in_the_way(self, folder):
        (folder / "new.onnx").write_bytes(b"somebody's")
        with pytest.raises(OCRError, match="^new.onnx is there already: --overwrite replaces it"):
            try_out(folder, "new", export_on_end=True)

    def test_damaged_parameters(self, folder):
        path = folder / "ocr-0001.params"
        path.write_bytes(path.read_bytes()[:-8])
        with pytest.raises(OCRError, match="ocr-0001.params: the file is not what .* says was saved"):
            try_out(folder, "ocr", resume=True)

    def test_a_loss_that_is_not_installed(self, folder, monkeypatch):
        monkeypatch.setattr(warpctc, "load_library", warpctc.load_library.__wrapped__)
        monkeypatch.setenv("WARPCTC_PATH", str(folder))
        with pytest.raises(OCRError, match=f"WARPCTC_PATH is {folder}"):
            try_out(folder, "new", settings=[("training.loss", "warpctc")])

    def test_an_export_that_will_not_do(self, folder, monkeypatch):
        real = ocr_lib.deploy.export.export_onnx

        def other(recipe, weights, *arguments):
            return real(recipe, {**weights, "pred_fc_weight": -weights["pred_fc_weight"]}, *arguments)

        monkeypatch.setattr(ocr_lib.deploy.export, "export_onnx", other)
        with pytest.raises(OCRError, match="the model differs from its source"):
            try_out(folder, "new", export_on_end=True)
        assert try_out(folder, "new") == (None, None)
