"""Training as a function: what it takes, returns and refuses."""

import logging

import pytest

from ocr_lib import OCRError, load, train
from ocr_lib.jobs.train import Trained
from ocr_lib.net.manifest import read_manifest, read_recipe
from ocr_lib.recipe.settings import encode_json
from tests.feed.lines_on_disk import line_recipe, write_lines
from tests.jobs.runs import SHORT, params_of, short_recipe, state_of, train_short
from tests.toy import FONT, SETTINGS

COUNT = 30


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Return the folder of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("straight")
    trained = train_short(folder / "ocr")
    assert trained.stopped is None
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_lines(folder, [("ab"[: 1 + n % 2], 16, 30 + n) for n in range(COUNT)])
    return folder


class TestTrained:
    def test_is_the_best_checkpoint(self, tmp_path):
        trained = train_short(tmp_path / "ocr")
        assert trained == Trained(read_manifest(str(tmp_path / "ocr")).find("best", "ocr"), None)
        assert {"accuracy", "cer", "loss"} <= set(trained.best.metrics)
        assert (tmp_path / f"ocr{trained.best.params}").exists()
        assert (tmp_path / "ocr-log" / "curves.csv").exists()
        assert load(tmp_path / "ocr").alphabet.characters == "07"

    def test_a_target_that_is_reached(self, tmp_path):
        assert train_short(tmp_path / "ocr", target_accuracy=0.0).best.epoch == 1
        assert read_manifest(str(tmp_path / "ocr")).last == "-0001.params"

    def test_time_that_is_used_up(self, tmp_path):
        best = train_short(tmp_path / "ocr", time_budget=0, log_dir=tmp_path / "elsewhere").best
        assert (best.epoch, best.batch) == (0, 1)
        assert (tmp_path / "elsewhere" / "train.log").exists() and not (tmp_path / "ocr-log").exists()


class TestCores:
    @pytest.mark.parametrize("cpus, parts, said", [(3, 1, "3"), (2, 2, None), (1, 2, None)])
    def test_more_than_there_are_parts_are_told(self, tmp_path, caplog, monkeypatch, cpus, parts, said):
        logger = logging.getLogger("ocr_lib")
        monkeypatch.setattr(logger, "propagate", True)
        caplog.set_level(logging.INFO, "ocr_lib")
        train_short(tmp_path / "ocr", ("training.parts", parts), cpus=cpus, dry_run=True)
        told = {message for message in caplog.messages if message.startswith("training.parts is")}
        line = "training.parts is 1, so 1 of {0} cores compute: --set training.parts={0} is for all of them"
        assert told == ({line.format(said)} if said else set())
        assert f"on {min(cpus, parts)} core" in caplog.text

    def test_there_must_be_one(self, tmp_path):
        with pytest.raises(OCRError, match="^--cpu must be at least 1, not 0$"):
            train_short(tmp_path / "ocr", cpus=0)
        assert not list(tmp_path.iterdir())


class TestRecipe:
    def test_in_any_form_is_the_same(self, straight, tmp_path):
        everything = [*SETTINGS, *SHORT]
        (tmp_path / "own.json").write_bytes(encode_json(short_recipe()))
        forms = {
            "settings": {"settings": dict(everything)},
            "pairs": {"recipe": "captcha", "settings": iter(everything)},
            "file": {"recipe": str(tmp_path / "own.json")},
            "path": {"recipe": tmp_path / "own.json"},
        }
        for name, options in forms.items():
            (tmp_path / name).mkdir()
            train(tmp_path / name / "ocr", fonts=str(FONT), num_proc=2, cpus=1, quiet=True, **options)
            assert params_of(tmp_path / name) == params_of(straight)

    @pytest.mark.parametrize(
        "options, said",
        [
            ({"fonts": None}, "give either fonts, or --train-data"),
            ({"train_data": "x"}, f"give either fonts, or --train-data, not both: {FONT} is taken for fonts"),
            ({"val_data": "x"}, "--val-data goes with --train-data, not with fonts"),
            ({"held_out": 0.2}, "--held-out goes with --train-data, not with fonts"),
            ({"format": "gt"}, "--format goes with --train-data, not with fonts"),
            ({"recipe": "nonsense"}, "preset 'nonsense' is none of captcha, "),
            ({"settings": {"network.hiden": 3}}, "network.hiden: no such key in a recipe"),
            ({"settings": {"text.max_length": 6}}, "needs 11 time steps"),
            ({"gpus": 1}, "--gpu needs an MXNet with CUDA"),
            ({"gradient_compression": "3bit"}, "--gradient-compression 3bit is unknown: take one of none, 2bit"),
            (
                {"gradient_compression": "2bit"},
                "--gradient-compression is for several machines, not for --kv-store local",
            ),
            ({"pretrained_policy": "resume"}, "--pretrained-policy goes with --pretrained"),
        ],
    )
    def test_what_can_not_be(self, tmp_path, options, said):
        with pytest.raises(OCRError) as refused:
            train_short(tmp_path / "new" / "ocr", **{"fonts": FONT, "recipe": short_recipe(), **options})
        assert said in str(refused.value) and "\n" not in str(refused.value)
        assert not list(tmp_path.iterdir())


class TestResume:
    def test_is_as_if_nothing_had_happened(self, straight, tmp_path):
        train_short(tmp_path / "ocr", ("training.epochs", 1))
        train_short(tmp_path / "ocr", resume=True, settings={"training.epochs": 2})
        assert params_of(tmp_path) == params_of(straight)

    def test_settings_that_the_run_has_change_nothing(self, straight, tmp_path):
        train_short(tmp_path / "ocr", ("training.epochs", 1))
        settings = [*SETTINGS, *SHORT, ("seed", 0), ("network.cell", "fused"), ("captcha.renderer", "fast")]
        train_short(tmp_path / "ocr", resume=True, settings=settings)
        assert params_of(tmp_path) == params_of(straight)

    @pytest.mark.parametrize(
        "setting", [("seed", 1), ("network.hidden", 13), ("training.epoch_size", 72), ("text.alphabet", "70")]
    )
    def test_others_are_refused(self, straight, setting):
        before = state_of(straight)
        with pytest.raises(OCRError, match=f"^{setting[0]} can't change when a run is resumed$"):
            train_short(straight / "ocr", resume=True, settings=[setting])
        assert state_of(straight) == before

    @pytest.mark.parametrize("options", [{"overwrite": True}, {"recipe": "captcha"}, {"recipe": short_recipe()}])
    def test_a_run_that_goes_on_is_as_it_is(self, straight, options):
        before = state_of(straight)
        option = "--overwrite" if "overwrite" in options else "--preset"
        with pytest.raises(OCRError, match=f"^--resume goes on with the run at --prefix as it is: leave out {option}$"):
            train_short(straight / "ocr", resume=True, **options)
        assert state_of(straight) == before

    def test_there_must_be_a_run(self, tmp_path):
        with pytest.raises(OCRError, match="ocr-manifest.json: no such file, so there is no run that could go on"):
            train_short(tmp_path / "ocr", resume=True)

    def test_other_fonts_are_refused(self, straight):
        with pytest.raises(OCRError, match="not what this run was begun with, which is Ubuntu-M.ttf$"):
            train_short(straight / "ocr", resume=True, fonts=FONT.with_name("Lato-Black.ttf"))


class TestLabelled:
    RECIPE = line_recipe(("training.epochs", 1))

    def test_data_tell_alphabet_and_sizes(self, data, tmp_path):
        trained = train_short(tmp_path / "ocr", train_data=data, recipe=self.RECIPE, held_out=0.2)
        recipe = read_recipe(str(tmp_path / "ocr"), None)
        assert (recipe.text.alphabet, recipe.text.max_length) == ("ab", 2)
        assert (recipe.training.epoch_size, recipe.training.validation_size) == (24, 6)
        assert trained.best.epoch == 1

    def test_sizes_that_they_have_may_be_said(self, data, tmp_path):
        sizes = {"training.epoch_size": 24, "training.validation_size": 6, "text.alphabet": "ab"}
        how = {"train_data": data, "held_out": 0.2}
        train_short(tmp_path / "ocr", recipe=self.RECIPE, settings=sizes, **how)
        train_short(tmp_path / "ocr", resume=True, settings={**sizes, "training.epochs": 2}, **how)
        assert read_manifest(str(tmp_path / "ocr")).last == "-0002.params"

    @pytest.mark.parametrize("key", ["training.epoch_size", "training.validation_size"])
    def test_other_sizes_are_refused(self, data, tmp_path, key):
        with pytest.raises(
            OCRError, match=f"^--set {key}: with --train-data these are the numbers of samples there are$"
        ):
            train_short(tmp_path / "ocr", train_data=data, recipe=self.RECIPE, settings={key: 7})
        assert not list(tmp_path.iterdir())

    def test_other_samples_are_refused_when_it_goes_on(self, data, tmp_path):
        train_short(tmp_path / "ocr", train_data=data, recipe=self.RECIPE)
        with pytest.raises(OCRError, match=f"^{data}: not the samples that this run was begun with$"):
            train_short(tmp_path / "ocr", train_data=data, resume=True, held_out=0.3)
        with pytest.raises(OCRError, match="not what this run was begun with, which is data on disk"):
            train_short(tmp_path / "ocr", resume=True)
