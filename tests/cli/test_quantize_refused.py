"""What the command that makes checkpoints of 8 bits refuses: in one line, with all files as they were."""

import shutil
from pathlib import Path

import pytest

from ocr_lib.cli import train as train_command
from tests.cli.infer_command import write
from tests.cli.quantize_command import contents, refused
from tests.small_network import files_of, mark_params, mark_recipe, save


class TestRefused:
    """With one line, and with nothing written."""

    @pytest.fixture(autouse=True)
    def _nothing_is_written(self, trained):
        before = contents(Path(trained).parent)
        yield
        assert contents(Path(trained).parent) == before

    def test_what_it_is_made_from_is_no_place(self, run_quantize, trained):
        for out in trained, Path(trained).parent / ".." / Path(trained).parent.name / "ocr":
            for more in [], ["--overwrite"]:
                refused(run_quantize("--out", out, *more), f"--out and --prefix are both {trained}: give another --out")

    @pytest.mark.parametrize("option", ["--num-calib=0", "--num-test=0", "--num-calib=-3"])
    def test_too_few_samples(self, run_quantize, option):
        refused(run_quantize(option), "samples are too few: at least 1 is needed")

    def test_an_unknown_layer(self, run_quantize):
        refused(run_quantize("--exclude=conv0"), "--exclude conv0: the layers are l", "pred_fc")

    def test_an_unknown_epoch(self, run_quantize):
        refused(run_quantize("--epoch=7"), "has no epoch 7; it has 1, 2")

    def test_a_checkpoint_that_is_missing(self, run_quantize, tmp_path):
        refused(run_quantize(prefix=tmp_path / "none"), tmp_path / "none-symbol.json", "no such checkpoint")

    def test_samples_that_are_missing(self, run_quantize, tmp_path):
        refused(run_quantize(samples=tmp_path / "none"), tmp_path / "none")

    def test_an_empty_folder(self, run_quantize, tmp_path_factory):
        folder = tmp_path_factory.mktemp("empty")
        refused(run_quantize(samples=folder), folder)

    def test_one_image_only(self, run_quantize, tmp_path_factory):
        folder = tmp_path_factory.mktemp("one")
        write(folder / "a.png", zoom=1)
        refused(run_quantize(samples=folder), folder, "one image only")

    def test_reading_worse_than_allowed(self, run_quantize):
        refused(
            run_quantize("--max-drop=-1"),
            "reads 0.00% of 5 images worse",
            "--max-drop allows -1.00% (5 of 5 images read",
        )

    @pytest.mark.parametrize("mode", ["best", "0", "", "KL"])
    def test_an_unknown_mode(self, run_quantize, mode, capsys):
        with pytest.raises(SystemExit) as caught:
            run_quantize(f"--calib-mode={mode}")
        assert caught.value.code == 2
        assert "--calib-mode: invalid choice" in capsys.readouterr().err


class TestReadsNothing:
    """A network that says blank everywhere: whatever 8 bits cost, it does not show."""

    @pytest.fixture
    def silent(self, tmp_path):
        params = mark_params()
        params["pred_fc_bias"][0] = 50
        return save(tmp_path / "silent" / "ocr", mark_recipe(), params)

    @pytest.mark.parametrize("has_labels", [True, False])
    def test_is_refused_in_words(self, run_quantize, silent, mark_samples, tmp_path, has_labels):
        folder = tmp_path / "images"
        shutil.copytree(mark_samples, folder, ignore=None if has_labels else shutil.ignore_patterns("*.tsv"))
        before = contents(Path(silent).parent)
        refused(
            run_quantize(prefix=silent, samples=folder),
            "don't show what quantizing costs: 5 of 5 images read the same",
            "--max-drop 100; nothing was written",
        )
        assert contents(Path(silent).parent) == before

    def test_may_be_asked_for(self, run_quantize, silent):
        code, output, errors = run_quantize("--max-drop=100", prefix=silent)
        assert (code, errors) == (0, [])
        assert "but the source can't read these images" in output


class TestDamage:
    @pytest.mark.parametrize("suffix", ["-0002.params", "-symbol.json", "-recipe.json", "-manifest.json"])
    @pytest.mark.parametrize("damage", ["missing", "cut off"])
    def test_is_told_in_a_line(self, run_quantize, trained, suffix, damage):
        path = Path(trained + suffix)
        if damage == "missing":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:-20])
        code, output, errors = run_quantize()
        if (suffix, damage) == ("-manifest.json", "missing"):  # which only says what is best
            assert code == 0
            return
        refused((code, output, errors), path)
        assert not files_of(f"{trained}-int8")


class TestOnceMore:
    """What is of 8 bits already."""

    def test_is_not_quantized(self, run_quantize, trained):
        assert run_quantize()[0] == 0
        out = f"{trained}-int8"
        before = contents(Path(trained).parent)
        refused(
            run_quantize(prefix=out),
            f"{out}-0000.params is of 8 bits already: take the checkpoint that it was made from",
        )
        refused(run_quantize("--out", f"{out}-2", prefix=out), "is of 8 bits already")
        assert contents(Path(trained).parent) == before

    def test_is_not_trained(self, run_quantize, trained, capsys, font):
        assert run_quantize()[0] == 0
        before = contents(Path(trained).parent)
        assert train_command.main([f"--prefix={trained}-int8", "--resume", str(font)]) == 1
        captured = capsys.readouterr()
        (line,) = captured.err.splitlines()
        assert f"{trained}-int8 is of 8 bits, which can't be trained: take the checkpoint that it was made from" in line
        assert contents(Path(trained).parent) == before
