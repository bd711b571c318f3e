"""Which files of checkpoints a run leaves, and what it replaces."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_lib.errors import OCRError
from ocr_lib.files import sha256
from ocr_lib.mx import mx
from ocr_lib.net.checkpoint import load_checkpoint
from ocr_lib.net.manifest import files_at, read_manifest
from ocr_lib.recipe.settings import override
from ocr_lib.training.progress import Progress
from ocr_lib.training.store import Store
from tests.original_example import symbol
from tests.small_network import mark_params, mark_recipe, save

SHARED = ["-manifest.json", "-recipe.json", "-symbol.json"]
ARRAYS = {"params": {"arg:a": mx.nd.ones(1)}, "states": {"updates": mx.nd.ones(1)}}


def commit(store, recipe, epoch, batch=0, accuracy=None, is_best=False):
    metrics = {} if accuracy is None else {"accuracy": accuracy, "cer": 0.5}
    store.commit(recipe, mx.sym.var("a"), ARRAYS, Progress(epoch=epoch, batch=batch), metrics, is_best)


def recipe_keeping(count):
    return override(mark_recipe(), {"training.keep": count})


def params_of(prefix):
    return [suffix for suffix in files_at(prefix) if suffix.endswith(".params")]


def contents(folder):
    return {path.name: sha256(path) for path in folder.iterdir()}


class TestKept:
    @settings(max_examples=20)
    @given(st.integers(0, 4), st.lists(st.integers(0, 9), min_size=1, max_size=7), st.data())
    def test_the_best_and_the_last_few(self, tmp_path_factory, keep, accuracies, data):
        prefix = str(tmp_path_factory.mktemp("run") / "ocr")
        restart = data.draw(st.integers(0, len(accuracies)))
        store, best = Store(prefix), 0
        commit(store, recipe_keeping(keep), 0)
        for epoch, accuracy in enumerate(accuracies, 1):
            if epoch == restart:
                store = Store(prefix, read_manifest(prefix))
            is_best = not best or accuracy > accuracies[best - 1]
            best = epoch if is_best else best
            commit(store, recipe_keeping(keep), epoch, accuracy=accuracy, is_best=is_best)
            last = range(1 if keep == 0 else max(1, epoch - keep + 1), epoch + 1)
            names = [f"-{number:04d}.params" for number in sorted({best, *last})]
            assert files_at(prefix) == sorted([*names, f"-{epoch:04d}.states", *SHARED])
            manifest = read_manifest(prefix)
            assert [saved.params for saved in manifest.saved] == names
            assert manifest.best == f"-{best:04d}.params" and manifest.last == f"-{epoch:04d}.params"

    def test_what_was_stopped_amidst_an_epoch_counts_as_the_last_only(self, tmp_path):
        prefix = str(tmp_path / "ocr")
        store = Store(prefix)
        for epoch in (1, 2, 3):
            commit(store, recipe_keeping(2), epoch, accuracy=0.1 * epoch, is_best=True)
        commit(store, recipe_keeping(2), 3, batch=7)
        assert params_of(prefix) == ["-0002.params", "-0003-batch000007.params", "-0003.params"]
        commit(store, recipe_keeping(2), 4, accuracy=0.1)
        assert params_of(prefix) == ["-0003.params", "-0004.params"]

    def test_fewer_when_the_recipe_says_so_later(self, tmp_path):
        prefix = str(tmp_path / "ocr")
        store = Store(prefix)
        for epoch in range(1, 7):
            commit(store, recipe_keeping(0), epoch, accuracy=0.5, is_best=epoch == 1)
        assert len(params_of(prefix)) == 6
        commit(Store(prefix, read_manifest(prefix)), recipe_keeping(2), 7, accuracy=0.5)
        assert params_of(prefix) == ["-0001.params", "-0006.params", "-0007.params"]


def write_classic(prefix):
    """Write files as the original example leaves them: a symbol, and parameters of some epochs."""
    arrays = {"pred_fc_bias": mx.nd.ones(11)}
    for epoch in (1, 2, 100):
        mx.model.save_checkpoint(prefix, epoch, symbol(steps=4), arrays, {})


class TestReplaced:
    @pytest.fixture
    def prefix(self, tmp_path):
        write_classic(str(tmp_path / "ocr"))
        return str(tmp_path / "ocr")

    @pytest.fixture
    def neighbours(self, tmp_path):
        """Return the contents of files that are not the checkpoint's."""
        names = [
            "ocr-int8-0001.params",
            "ocr-int8-symbol.json",
            ".ocr-int8-0001.params.tmp",
            "ocr.onnx",
            "ocr2-0001.params",
        ]
        for name in [*names, "ocr-notes.txt", "ocr-0001.params.bak", ".ocr-notes.txt.tmp", ".ocr2-0001.params.tmp"]:
            (tmp_path / name).write_text(f"somebody's {name}")
        return {path.name: sha256(path) for path in tmp_path.iterdir() if path.read_bytes().startswith(b"somebody's")}

    def test_all_of_a_classic_checkpoint_is_gone_with_the_first_commit(self, prefix, tmp_path, neighbours):
        before = contents(tmp_path)
        store = Store(prefix)
        assert store.progress() is None and store.best() is None
        assert contents(tmp_path) == before
        commit(store, mark_recipe(), 0)
        assert files_at(prefix) == sorted(["-0000.params", "-0000.states", *SHARED])
        assert neighbours.items() <= contents(tmp_path).items()

    def test_a_run_of_ours_too(self, tmp_path, neighbours):
        prefix = save(tmp_path / "ocr", mark_recipe("9876543210"), mark_params(), (1, 2, 7), (1.0, 0.0, 0.0))
        commit(Store(prefix), mark_recipe(), 0)
        assert files_at(prefix) == sorted(["-0000.params", "-0000.states", *SHARED])
        assert [saved.epoch for saved in read_manifest(prefix).saved] == [0]
        assert neighbours.items() <= contents(tmp_path).items()

    def test_what_a_kill_left_of_this_prefix_is_gone(self, prefix, tmp_path, neighbours):
        for name in (".ocr-0001.params.tmp", ".ocr-recipe.json.tmp", ".ocr-0002-batch000001.states.tmp"):
            (tmp_path / name).touch()
        commit(Store(prefix), mark_recipe(), 0)
        hidden = {path.name for path in tmp_path.iterdir() if path.name.startswith(".")}
        assert hidden == {name for name in neighbours if name.startswith(".")}

    def test_by_a_run_that_goes_on_under_this_prefix(self, prefix, tmp_path, neighbours):
        old = save(tmp_path / "old", mark_recipe(), mark_params(), (1, 2), (0.9, 0.1))
        Store(old, read_manifest(old)).branch(prefix)
        assert files_at(prefix) == sorted(["-0001.params", "-0002.params", "-0002.states", *SHARED])
        assert load_checkpoint(prefix, "best").recipe == mark_recipe()
        assert neighbours.items() <= contents(tmp_path).items()

    def test_a_commit_that_fails_leaves_the_parameters(self, prefix, tmp_path):
        before = {suffix: sha256(tmp_path / f"ocr{suffix}") for suffix in params_of(prefix)}
        (tmp_path / "ocr-0000.states").mkdir()
        with pytest.raises(OCRError, match="ocr-0000.states can't be written"):
            commit(Store(prefix), mark_recipe(), 0)
        assert before.items() <= {suffix: sha256(tmp_path / f"ocr{suffix}") for suffix in params_of(prefix)}.items()
        assert read_manifest(prefix) is None
