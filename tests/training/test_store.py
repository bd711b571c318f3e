"""A run that goes on under another prefix."""

import pytest

from ocr_lib.errors import OCRError
from ocr_lib.files import sha256
from ocr_lib.mx import mx
from ocr_lib.net.checkpoint import load_checkpoint
from ocr_lib.net.manifest import read_manifest
from ocr_lib.training.progress import Progress
from ocr_lib.training.store import Store
from tests.small_network import files_of, mark_params, mark_recipe, save

ACCURACIES = (0.2, 1.0, 0.3, 0.4)


@pytest.fixture
def old(tmp_path):
    """Return the prefix of a run of four epochs, the second of them the best."""
    (tmp_path / "old").mkdir()
    return save(tmp_path / "old" / "ocr", mark_recipe(), mark_params(), (1, 2, 3, 4), ACCURACIES)


@pytest.fixture
def new(tmp_path):
    return str(tmp_path / "new" / "ocr")


def names(prefix):
    return [path.name for path in files_of(prefix)]


def hashes(prefix):
    return {path.name: sha256(path) for path in files_of(prefix)}


def test_takes_the_last_the_best_and_what_resuming_needs(old, new):
    before = hashes(old)
    store = Store(old, read_manifest(old))
    progress, arrays = store.progress(), store.last_arrays()
    store.branch(new)
    kept = ["0002.params", "0004.params", "0004.states", "manifest.json", "recipe.json", "symbol.json"]
    assert names(new) == [f"ocr-{name}" for name in kept]
    assert {name: digest for name, digest in hashes(new).items() if "manifest" not in name}.items() < before.items()
    there = read_manifest(new)
    assert [saved.epoch for saved in there.saved] == [2, 4]
    assert set(there.files) == {f"-{name}" for name in kept if "manifest" not in name}
    assert store.prefix == new and store.progress() == progress and store.best().epoch == 2
    again = Store(new, there)
    assert again.progress() == progress
    for kind, named in again.last_arrays().items():
        assert {name: array.asnumpy().tolist() for name, array in named.items()} == {
            name: array.asnumpy().tolist() for name, array in arrays[kind].items()
        }
    assert load_checkpoint(new).recipe == load_checkpoint(old).recipe
    assert hashes(old) == before


def test_commits_go_to_the_new_prefix_alone(old, new):
    before = hashes(old)
    store = Store(old, read_manifest(old))
    store.branch(new)
    checkpoint = load_checkpoint(old)
    params = {f"arg:{name}": array for name, array in checkpoint.arg_params.items()}
    kinds = {"params": params, "states": {"updates": mx.nd.array([5])}}
    store.commit(checkpoint.recipe, checkpoint.symbol, kinds, Progress(epoch=5), {"accuracy": 0.1, "cer": 0.5}, False)
    assert [saved.epoch for saved in read_manifest(new).saved] == [2, 4, 5]
    assert [name for name in names(new) if name.endswith("states")] == ["ocr-0005.states"]
    assert read_manifest(new).best == "-0002.params"
    assert hashes(old) == before


def test_replaces_a_run(old, new, tmp_path):
    (tmp_path / "new").mkdir()
    save(new, mark_recipe("9876543210"), mark_params(), (1, 2, 7), (1.0, 0.0, 0.0))
    store = Store(old, read_manifest(old))
    store.branch(new)
    assert not any("0001" in name or "0007" in name for name in names(new))
    assert load_checkpoint(new).recipe == mark_recipe()
    assert [saved.epoch for saved in read_manifest(new).saved] == [2, 4]


def test_a_damaged_file_is_named_and_nothing_is_replaced(old, new, tmp_path):
    (tmp_path / "new").mkdir()
    save(new, mark_recipe(), mark_params())
    before = hashes(new)
    path = tmp_path / "old" / "ocr-0002.params"
    path.write_bytes(path.read_bytes()[:-1])
    store = Store(old, read_manifest(old))
    with pytest.raises(OCRError, match=f"^{path}: the file is not what"):
        store.branch(new)
    assert hashes(new) == before


def test_a_kill_amidst_leaves_no_run_there(old, new, monkeypatch):
    monkeypatch.setattr("ocr_lib.training.store.write_manifest", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    store = Store(old, read_manifest(old))
    with pytest.raises(KeyboardInterrupt):
        store.branch(new)
    assert read_manifest(new) is None and read_manifest(old) is not None
