"""The manifest: what it names, what it refuses."""

import hashlib
import json
from pathlib import Path

import pytest

from ocr_lib.errors import OCRError
from ocr_lib.net.manifest import (
    FORMAT,
    Manifest,
    Saved,
    check_free_prefix,
    check_prefix,
    files_at,
    read_manifest,
    read_recipe,
    resumable,
    temporary_files_at,
    verified,
    write_manifest,
)
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import encode_json, override


def manifest_of(saved, best, last, files=None):
    return Manifest(FORMAT, files or {}, saved, best, last, "-0002.states", {})


WHOLE = [Saved("-0000.params", 0), Saved("-0001.params", 1, 0, {"accuracy": 0.5}), Saved("-0002.params", 2)]
CUT_SHORT = Saved("-0002-batch000007.params", 2, 7)


class TestFind:
    @pytest.mark.parametrize(
        "epoch, expected", [(0, "-0000"), (1, "-0001"), (2, "-0002"), ("best", "-0001"), ("last", "-0002")]
    )
    def test_finds(self, epoch, expected):
        assert manifest_of(WHOLE, "-0001.params", "-0002.params").find(epoch, "ocr").params == f"{expected}.params"

    def test_a_number_means_a_whole_epoch(self):
        manifest = manifest_of([CUT_SHORT, WHOLE[2]], CUT_SHORT.params, CUT_SHORT.params)
        assert manifest.find(2, "ocr") == WHOLE[2]
        assert manifest.find("last", "ocr") == manifest.find("best", "ocr") == CUT_SHORT

    def test_unknown_epoch_lists_those_there_are(self):
        with pytest.raises(OCRError, match=r"^runs/ocr has no epoch 7; it has 0, 1, 2$"):
            manifest_of([*WHOLE, CUT_SHORT], "-0001.params", "-0002.params").find(7, "runs/ocr")

    def test_without_a_whole_epoch_the_last_is_offered(self):
        with pytest.raises(OCRError, match="has no epoch 2; it has no whole epoch yet, but --epoch last"):
            manifest_of([CUT_SHORT], CUT_SHORT.params, CUT_SHORT.params).find(2, "ocr")

    @pytest.mark.parametrize("epoch", ["best", "last"])
    def test_one_that_is_not_among_those_saved_is_refused(self, epoch):
        with pytest.raises(OCRError, match=f"^ocr-manifest.json: {epoch} is -0009.params, which is not among"):
            manifest_of(WHOLE, "-0009.params", "-0009.params").find(epoch, "ocr")


class TestRead:
    def test_reads_what_was_written(self, tmp_path):
        manifest = manifest_of(WHOLE, "-0001.params", "-0002.params", {"-symbol.json": "00"})
        write_manifest(str(tmp_path / "ocr"), manifest)
        assert read_manifest(str(tmp_path / "ocr")) == manifest

    def test_none_is_no_fault(self, tmp_path):
        assert read_manifest(str(tmp_path / "ocr")) is None

    @pytest.mark.parametrize(
        "change, message",
        [
            ({"format": "ocr-lib checkpoint 2"}, "the format is 'ocr-lib checkpoint 2', and this version reads"),
            ({"best": 3}, r"Expected `str`, got `int` - at `\$.best`"),
            ({"surplus": 1}, "unknown field `surplus`"),
            ({"saved": [{"params": "-0001.params"}]}, r"missing required field `epoch`"),
        ],
    )
    def test_another_kind_is_refused_by_name(self, tmp_path, change, message):
        path = tmp_path / "ocr-manifest.json"
        write_manifest(str(tmp_path / "ocr"), manifest_of(WHOLE, "-0001.params", "-0002.params"))
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
        with pytest.raises(OCRError, match=f"^{path}: .*{message}"):
            read_manifest(str(tmp_path / "ocr"))

    @pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[]"])
    def test_a_cut_off_or_foreign_file_is_refused_by_name(self, tmp_path, data):
        (tmp_path / "ocr-manifest.json").write_bytes(data)
        with pytest.raises(OCRError, match=f"^{tmp_path}/ocr-manifest.json: "):
            read_manifest(str(tmp_path / "ocr"))

    def test_a_folder_in_its_place_is_refused_by_name(self, tmp_path):
        (tmp_path / "ocr-manifest.json").mkdir()
        with pytest.raises(OCRError, match="ocr-manifest.json: Is a directory"):
            read_manifest(str(tmp_path / "ocr"))


class TestVerified:
    @pytest.fixture
    def prefix(self, tmp_path):
        (tmp_path / "ocr-0001.params").write_bytes(b"some numbers")
        return str(tmp_path / "ocr")

    @pytest.fixture
    def manifest(self):
        digest = hashlib.sha256(b"some numbers").hexdigest()
        return manifest_of(WHOLE, "-0001.params", "-0001.params", {"-0001.params": digest})

    def test_the_file_that_was_saved(self, prefix, manifest):
        assert str(verified(prefix, "-0001.params", manifest)) == f"{prefix}-0001.params"

    @pytest.mark.parametrize("data", [b"", b"some number", b"some numbers.", b"some numbars"])
    def test_another_is_refused_by_name(self, prefix, manifest, data, tmp_path):
        (tmp_path / "ocr-0001.params").write_bytes(data)
        with pytest.raises(
            OCRError, match=rf"^{prefix}-0001.params: .* {prefix}-manifest.json says .*cut off or chang"
        ):
            verified(prefix, "-0001.params", manifest)

    def test_a_file_that_the_manifest_does_not_name_is_refused(self, prefix, manifest, tmp_path):
        (tmp_path / "ocr-0002.params").write_bytes(b"some numbers")
        with pytest.raises(OCRError, match="ocr-0002.params: the file is not what"):
            verified(prefix, "-0002.params", manifest)

    def test_a_missing_file_is_named(self, prefix, manifest):
        for known in (manifest, None):
            with pytest.raises(OCRError, match=f"^{prefix}-0003.params: this file of the checkpoint is missing"):
                verified(prefix, "-0003.params", known)

    def test_while_a_file_is_being_replaced_both_are_right(self, prefix, tmp_path):
        digests = [hashlib.sha256(data).hexdigest() for data in (b"some numbers", b"others")]
        manifest = manifest_of(WHOLE, "-0001.params", "-0001.params", {"-0001.params": " ".join(digests)})
        for data in (b"some numbers", b"others"):
            (tmp_path / "ocr-0001.params").write_bytes(data)
            verified(prefix, "-0001.params", manifest)
        (tmp_path / "ocr-0001.params").write_bytes(b"neither")
        with pytest.raises(OCRError):
            verified(prefix, "-0001.params", manifest)


class TestReadRecipe:
    def test_reads_what_was_written(self, tmp_path):
        recipe = override(Recipe(), [("network.hidden", 7), ("text.alphabet", "жя")])
        (tmp_path / "ocr-recipe.json").write_bytes(encode_json(recipe))
        assert read_recipe(str(tmp_path / "ocr"), None) == recipe

    def test_names_the_file_and_the_key(self, tmp_path):
        (tmp_path / "ocr-recipe.json").write_text('{"network": {"layers": 0}}')
        with pytest.raises(OCRError, match=rf"^{tmp_path}/ocr-recipe.json: .*`\$.network.layers`"):
            read_recipe(str(tmp_path / "ocr"), None)


# Of the classic example, which counts from 1 to 100, of MXNet's do_checkpoint, and of ours.
OURS = ["-0000.params", "-0007.states", "-0123-batch000045.params", "-12345.params", "-manifest.json", "-recipe.json"]
CLASSIC = ["-0001.params", "-0100.params", "-symbol.json"]
OTHERS = [
    "-0001.params.bak",
    "-001.params",
    "-0001.json",
    "-int8-0001.params",
    "-int8-symbol.json",
    "-log",
    "-manifest.jsonl",
    "-symbol.json.orig",
    ".onnx",
    "-x0001.params",
    "2-0001.params",
]


@pytest.fixture
def prefix(tmp_path):
    return str(tmp_path / "ocr")


def put(prefix, suffixes):
    for suffix in suffixes:
        Path(prefix + suffix).write_text(suffix)


class TestFilesAt:
    def test_of_any_checkpoint_and_of_nothing_else(self, prefix, tmp_path):
        assert files_at(prefix) == files_at(str(tmp_path / "none" / "ocr")) == []
        put(prefix, [*OURS, *CLASSIC, *OTHERS])
        assert files_at(prefix) == sorted({*OURS, *CLASSIC})
        assert files_at(f"{prefix}-int8") == ["-0001.params", "-symbol.json"]
        assert files_at(f"{prefix}2") == ["-0001.params"]
        assert files_at(str(tmp_path / "oc")) == []

    def test_beside_the_caller(self, prefix, tmp_path, monkeypatch):
        put(prefix, CLASSIC)
        monkeypatch.chdir(tmp_path)
        assert files_at("ocr") == files_at("./ocr") == sorted(CLASSIC)

    @pytest.mark.parametrize("name", ["[a-z]*", "o?r", "*", "ocr.v2", "ocr-1", "ö c r", "-0001.params"])
    def test_names_that_mean_something_elsewhere(self, prefix, tmp_path, name):
        put(prefix, CLASSIC)
        assert files_at(str(tmp_path / name)) == temporary_files_at(str(tmp_path / name)) == []
        put(str(tmp_path / name), CLASSIC)
        assert files_at(str(tmp_path / name)) == sorted(CLASSIC)

    def test_temporary_ones_are_those_of_this_prefix(self, tmp_path):
        left = [f".{name}.tmp" for name in ("ocr-0001.params", "ocr-symbol.json", "ocr-0003-batch000009.states")]
        others = [".ocr-int8-0001.params.tmp", ".ocr-0001.params", "ocr-0001.params.tmp", ".ocr-notes.tmp", ".cr-1.tmp"]
        for name in [*left, *others]:
            (tmp_path / name).touch()
        assert sorted(path.name for path in temporary_files_at(str(tmp_path / "ocr"))) == sorted(left)
        assert files_at(str(tmp_path / "ocr")) == []


class TestCheckFreePrefix:
    def test_a_free_one(self, prefix, tmp_path):
        put(prefix, OTHERS)
        check_free_prefix(prefix)
        check_free_prefix(str(tmp_path / "new" / "ocr"))

    @pytest.mark.parametrize(
        "suffixes, said",
        [
            (["-0100.params"], "-0100.params is there"),
            (["-symbol.json"], "-symbol.json is there"),
            (["-recipe.json"], "-recipe.json is there"),
            (["-0003-batch000001.states"], "-0003-batch000001.states is there"),
            (CLASSIC, "-0001.params, {0}-0100.params, {0}-symbol.json are there"),
            (
                [*CLASSIC, "-0002.params", "-0003.params"],
                "-0001.params, {0}-0002.params, {0}-0003.params and 2 others are",
            ),
        ],
    )
    def test_any_file_of_a_checkpoint_is_somebodys(self, prefix, suffixes, said):
        put(prefix, suffixes)
        with pytest.raises(OCRError) as refused:
            check_free_prefix(prefix)
        message = str(refused.value)
        assert message.startswith(prefix + said.format(prefix))
        assert message.endswith(
            "a checkpoint without a manifest: --overwrite begins anew, another --prefix leaves it alone"
        )

    def test_a_run(self, prefix):
        write_manifest(prefix, manifest_of(WHOLE, "-0001.params", "-0002.params"))
        there = f"^{prefix}-manifest.json is there, with 2 epochs trained: "
        with pytest.raises(
            OCRError, match=f"{there}--resume goes on, --overwrite begins anew, another --prefix leaves"
        ):
            check_free_prefix(prefix)
        with pytest.raises(OCRError, match=f"{there}--overwrite begins anew, another --out leaves it alone$"):
            check_free_prefix(prefix, "--out")

    def test_one_of_8_bits_can_not_go_on(self, prefix):
        write_manifest(prefix, Manifest(FORMAT, {}, WHOLE, "-0001.params", "-0002.params", "", {}))
        with pytest.raises(OCRError, match="-manifest.json is there, with 2 epochs trained: --overwrite"):
            check_free_prefix(prefix)

    def test_a_damaged_manifest_is_named(self, prefix):
        put(prefix, ["-manifest.json"])
        with pytest.raises(OCRError, match=f"^{prefix}-manifest.json: "):
            check_free_prefix(prefix)


class TestCheckPrefix:
    def test_a_folder_is_no_prefix(self, tmp_path):
        for prefix in (str(tmp_path), f"{tmp_path}/", f"{tmp_path}/new/", "", "."):
            for check in (check_prefix, check_free_prefix, resumable):
                with pytest.raises(
                    OCRError, match="^--prefix .* is a folder: give the beginning of a file name, as in .*ocr"
                ):
                    check(prefix)
        with pytest.raises(OCRError, match=f"^--out {tmp_path} is a folder"):
            check_prefix(str(tmp_path), "--out")


class TestResumable:
    def test_a_run(self, prefix):
        manifest = manifest_of(WHOLE, "-0001.params", "-0002.params")
        write_manifest(prefix, manifest)
        assert resumable(prefix) == manifest

    @pytest.mark.parametrize("suffixes", [[], CLASSIC])
    def test_nothing_that_could_go_on(self, prefix, suffixes):
        put(prefix, suffixes)
        with pytest.raises(
            OCRError, match=f"^{prefix}-manifest.json: no such file, so there is no run that could go on"
        ):
            resumable(prefix)

    def test_of_another_prefix_weights_can_be_taken(self, prefix, tmp_path):
        with pytest.raises(OCRError, match="could go on; --pretrained-policy retrain takes weights alone$"):
            resumable(prefix, "--pretrained")
        with pytest.raises(OCRError, match=f"^--pretrained {tmp_path} is a folder"):
            resumable(str(tmp_path), "--pretrained")

    def test_one_of_8_bits(self, prefix):
        write_manifest(prefix, Manifest(FORMAT, {}, WHOLE, "-0001.params", "-0002.params", "", {}))
        with pytest.raises(
            OCRError, match=f"^{prefix} is of 8 bits, which can't be trained: take the checkpoint that it"
        ):
            resumable(prefix)
