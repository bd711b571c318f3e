"""What stands where a command is to write is somebody's: left byte for byte, unless --overwrite says otherwise."""

from functools import partial

import pytest

import ocr_lib.mx  # noqa: F401  (this module is skipped where there is no MXNet)
from ocr_lib.cli import eval as eval_command
from ocr_lib.cli import export, infer, train
from ocr_lib.net.manifest import files_at, read_manifest
from tests import original_example
from tests.cli.infer_command import write
from tests.cli.quantize_command import write_samples
from tests.cli.running import run_main
from tests.jobs.runs import SHORT, state_of
from tests.small_network import mark_params, mark_recipe, save
from tests.toy import FONT, toy_arguments

EPOCH = [*SHORT, ("training.epochs", 1)]
NEIGHBOURS = ["ocr-int8-symbol.json", "ocr-int8-0001.params", "ocr.txt", "ocr-0001.params.bak", "ocr2-0001.params"]
OURS = [f"-{name}" for name in ("0001.params", "0001.states", "manifest.json", "recipe.json", "symbol.json")]


def classic(folder):
    original_example.save(folder / "ocr", epoch=1, steps=2, hidden=3, rows=4)
    original_example.save(folder / "ocr", epoch=100, steps=2, hidden=3, rows=4)
    return "ocr-0001.params, {0}-0100.params, {0}-symbol.json are there, a checkpoint without a manifest"


def one_file(name, folder):
    (folder / name).write_bytes(b"somebody's")
    return f"{name} is there, a checkpoint without a manifest"


def a_run(folder):
    save(folder / "ocr", mark_recipe(), mark_params(), (1, 2, 3), (0.5, 1.0, 0.2))
    return "ocr-manifest.json is there, with 3 epochs trained: --resume goes on"


ANY_CHECKPOINT = {
    "classic": classic,
    "run": a_run,
    **{
        name: partial(one_file, f"ocr-{name}")
        for name in ("0100.params", "symbol.json", "0007.states", "recipe.json", "0002-batch000004.params")
    },
}


@pytest.fixture
def run_train(capsys, tmp_path):
    """Run the command for an epoch; return its last line and its exit code."""

    def run(*arguments):
        options = [f"--prefix={tmp_path}/ocr", "--cpu=1", "--num_proc=1", *toy_arguments(*EPOCH), *map(str, arguments)]
        code, output, errors = run_main(capsys, train.main, FONT, *options)
        assert output == ""
        return code, errors

    return run


def refused(outcome, *said):
    code, errors = outcome
    assert code == 1 and len(errors) == 1, errors
    assert all(part in errors[0] for part in said), errors


class TestTraining:
    @pytest.mark.parametrize("make", ANY_CHECKPOINT.values(), ids=ANY_CHECKPOINT)
    def test_at_a_prefix_where_a_checkpoint_is(self, run_train, tmp_path, make):
        for name in NEIGHBOURS:
            (tmp_path / name).write_bytes(b"somebody else's")
        neighbours = state_of(tmp_path)
        message = f"{tmp_path}/" + make(tmp_path).format(tmp_path / "ocr")
        before = state_of(tmp_path)
        for arguments in [], ["--dry-run"], [f"--log-dir={tmp_path}/new"]:
            refused(run_train(*arguments), message, "--overwrite begins anew, another --prefix leaves it alone")
            assert state_of(tmp_path) == before
        code, errors = run_train("--overwrite")
        assert code == 0, errors
        assert files_at(f"{tmp_path}/ocr") == OURS
        assert [saved.epoch for saved in read_manifest(f"{tmp_path}/ocr").saved] == [1]
        assert neighbours.items() <= state_of(tmp_path).items()

    @pytest.mark.parametrize("policy", ["retrain", "resume"])
    def test_with_pretrained_weights(self, capsys, tmp_path, policy):
        (tmp_path / "old").mkdir()
        old = save(tmp_path / "old" / "ocr", mark_recipe(), mark_params())
        classic(tmp_path)
        before = state_of(tmp_path)
        arguments = [FONT, f"--prefix={tmp_path}/ocr", f"--pretrained={old}", f"--pretrained-policy={policy}"]
        code, _, errors = run_main(capsys, train.main, *arguments)
        refused((code, errors), "a checkpoint without a manifest: --overwrite begins anew")
        assert state_of(tmp_path) == before

    @pytest.mark.parametrize("elsewhere", [True, False])
    def test_where_logs_are(self, run_train, tmp_path, elsewhere):
        folder = tmp_path / ("logs" if elsewhere else "ocr-log")
        arguments = [f"--log-dir={folder}"] if elsewhere else []
        folder.mkdir()
        (folder / "notes.txt").write_bytes(b"somebody's")
        logs = [folder / name for name in ("train.log", "curves.csv", "curves.png")]
        for log in logs:
            log.write_bytes(b"somebody's")
            before = state_of(tmp_path)
            refused(run_train(*arguments), f"{log} is there already: --overwrite replaces it, another --log-dir")
            assert state_of(tmp_path) == before
            log.unlink()
        for log in logs:
            log.write_bytes(b"somebody's")
        assert run_train("--overwrite", *arguments)[0] == 0
        assert not any(log.read_bytes().startswith(b"somebody's") for log in logs)
        assert (folder / "notes.txt").read_bytes() == b"somebody's"

    def test_other_files_among_the_logs_are_nobodys(self, run_train, tmp_path):
        (tmp_path / "logs").mkdir()
        (tmp_path / "logs" / "events.out.tfevents.1").write_bytes(b"somebody's")
        assert run_train(f"--log-dir={tmp_path}/logs")[0] == 0
        assert (tmp_path / "logs" / "events.out.tfevents.1").read_bytes() == b"somebody's"

    def test_logs_that_are_a_file(self, run_train, tmp_path):
        (tmp_path / "logs").write_bytes(b"somebody's")
        refused(
            run_train(f"--log-dir={tmp_path}/logs"), f"--log-dir {tmp_path}/logs is a file: give the name of a folder"
        )
        assert (tmp_path / "logs").read_bytes() == b"somebody's"

    def test_a_model_that_would_be_exported(self, run_train, tmp_path):
        model = tmp_path / "ocr.onnx"
        model.write_bytes(b"somebody's")
        refused(run_train("--export-on-end"), f"{model} is there already: --overwrite replaces it, another name leaves")
        assert state_of(tmp_path).keys() == {"ocr.onnx"} and model.read_bytes() == b"somebody's"
        assert run_train()[0] == 0 and model.read_bytes() == b"somebody's"
        refused(run_train("--resume", "--export-on-end"), f"{model} is there already")
        assert run_train("--overwrite", "--export-on-end")[0] == 0
        exported = model.read_bytes()
        assert exported != b"somebody's"
        longer = ["--resume", "--export-on-end", "--set=training.epochs=2"]
        assert run_train(*longer)[0] == 0, "its own model a run that goes on may replace"


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return write_samples(tmp_path_factory.mktemp("samples"))


WRITERS = {
    "eval --html": (eval_command.main, lambda samples, path: [f"--data={samples}", f"--html={path}"], "page.html"),
    "infer --plot": (infer.main, lambda samples, path: [samples / "0.png", f"--plot={path}"], "plot.png"),
    "export --out": (export.main, lambda samples, path: [f"--samples={samples}", f"--out={path}"], "a.onnx"),
}


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
class TestOneFile:
    @pytest.fixture
    def run(self, writer, capsys, prefix, samples, tmp_path):
        main, arguments, name = writer
        path = tmp_path / "new" / name
        return lambda *more, prefix=prefix: (
            path,
            *run_main(capsys, main, f"--prefix={prefix}", *arguments(samples, path), *more),
        )

    @pytest.mark.parametrize("content", [b"", b"somebody's"])
    def test_is_replaced_when_asked(self, run, content):
        path, code, expected, _ = run()
        assert code == 0
        written = path.read_bytes()
        path.write_bytes(content)
        path, code, output, errors = run()
        assert (code, output, len(errors)) == (1, "", 1), "nothing is read, printed or written"
        assert f"{path} is there already: --overwrite replaces it, another name leaves it alone" in errors[0]
        assert path.read_bytes() == content and list(path.parent.iterdir()) == [path]
        path, code, output, errors = run("--overwrite")
        assert (code, output, errors) == (0, expected, [])
        assert abs(len(path.read_bytes()) - len(written)) < 9  # times differ

    def test_that_is_looked_at_first(self, run, tmp_path):
        path, *_ = run()
        before = path.read_bytes()
        _, code, _, errors = run(prefix=tmp_path / "none")
        assert (code, len(errors)) == (1, 1) and "is there already" in errors[0]
        assert path.read_bytes() == before

    @pytest.mark.parametrize("more", [[], ["--overwrite"]])
    def test_a_folder_is_never_replaced(self, run, more, tmp_path, writer):
        folder = tmp_path / "new" / writer[2]
        folder.mkdir(parents=True)
        (folder / "notes.txt").write_bytes(b"somebody's")
        path, code, output, errors = run(*more)
        assert (code, output, len(errors)) == (1, "", 1)
        assert f"{path}" in errors[0] and "give the name of a file" in errors[0]
        assert (folder / "notes.txt").read_bytes() == b"somebody's"

    def test_its_folder_may_be_a_file(self, run, tmp_path):
        (tmp_path / "new").write_bytes(b"somebody's")
        path, code, output, errors = run()
        assert (code, output, len(errors)) == (1, "", 1)
        assert f"{path} can't be written: {tmp_path}/new is no folder that takes files" in errors[0]


def test_an_image_is_read_beside_a_plot_of_another_name(capsys, prefix, tmp_path):
    image = write(tmp_path / "a.png")
    before = image.read_bytes()
    code, _, errors = run_main(capsys, infer.main, f"--prefix={prefix}", image, f"--plot={image}")
    assert code == 1 and f"{image} is there already" in errors[0]
    assert image.read_bytes() == before
