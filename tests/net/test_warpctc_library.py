"""Where libwarpctc is found, and what is refused in its place."""

import ctypes.util
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ocr_lib.errors import OCRError
from ocr_lib.mx import mx
from ocr_lib.net import warpctc


@pytest.fixture
def not_loaded(monkeypatch):
    """A process that has not looked for the library yet."""
    monkeypatch.setattr(warpctc, "load_library", warpctc.load_library.__wrapped__)


@pytest.fixture
def no_library(monkeypatch, not_loaded):
    """A machine without WARPCTC_PATH, system library and paddle."""
    monkeypatch.delenv("WARPCTC_PATH", raising=False)
    monkeypatch.setattr(warpctc, "find_system_library", lambda name: None)
    monkeypatch.setattr(warpctc.importlib.util, "find_spec", lambda name: None)


class TestFindLibrary:
    @pytest.mark.parametrize("folder", ["", "build", "lib"])
    @pytest.mark.parametrize("name", ["libwarpctc.so", "libwarpctc.dylib"])
    def test_path_variable_names_a_folder(self, monkeypatch, tmp_path, folder, name):
        file = tmp_path / folder / name
        file.parent.mkdir(exist_ok=True)
        file.touch()
        monkeypatch.setenv("WARPCTC_PATH", str(tmp_path))
        assert Path(warpctc.find_library()) == file

    def test_path_variable_names_a_file_and_comes_first(self, monkeypatch, tmp_path):
        file = tmp_path / "mine.so"
        file.touch()
        monkeypatch.setattr(warpctc, "find_system_library", lambda name: "libwarpctc.so.2")
        monkeypatch.chdir(tmp_path)
        for given in file, file.name:
            monkeypatch.setenv("WARPCTC_PATH", str(given))
            assert warpctc.find_library() == str(file)

    def test_path_variable_to_nowhere_is_an_error(self, monkeypatch, tmp_path):
        monkeypatch.setattr(warpctc, "find_system_library", lambda name: "libwarpctc.so.2")
        monkeypatch.setenv("WARPCTC_PATH", str(tmp_path / "nowhere"))
        with pytest.raises(OCRError, match=r"WARPCTC_PATH is .*nowhere, but there is no libwarpctc\.so"):
            warpctc.find_library()

    def test_system_comes_before_paddle_which_is_not_imported(self, monkeypatch, tmp_path):
        file = tmp_path / "paddle" / "libs" / "libwarpctc.so"
        file.parent.mkdir(parents=True)
        file.touch()
        (tmp_path / "paddle" / "__init__.py").write_text("raise AssertionError('paddle was imported')\n")
        monkeypatch.delenv("WARPCTC_PATH", raising=False)
        monkeypatch.delitem(sys.modules, "paddle", raising=False)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setattr(warpctc, "find_system_library", lambda name: None)
        assert Path(warpctc.find_library()) == file
        monkeypatch.setattr(warpctc, "find_system_library", lambda name: f"lib{name}.so.2")
        assert warpctc.find_library() == "libwarpctc.so.2"

    def test_nothing_installed_says_what_to_install(self, no_library):
        with pytest.raises(OCRError, match=r"pip install --editable .*\[warpctc\]'.*WARPCTC_PATH"):
            warpctc.find_library()

    def test_graph_is_not_built_without_a_library(self, no_library):
        with pytest.raises(OCRError, match="not installed"):
            warpctc.warpctc_loss(mx.sym.Variable("data"), mx.sym.Variable("label"))


class TestLibrary:
    def test_text_file_is_named(self, not_loaded, monkeypatch, tmp_path):
        file = tmp_path / "libwarpctc.so"
        file.write_text("not a library\n")
        monkeypatch.setenv("WARPCTC_PATH", str(tmp_path))
        with pytest.raises(OCRError, match=f"{file} does not load as libwarpctc"):
            warpctc.warpctc_loss(mx.sym.Variable("data"), mx.sym.Variable("label"))

    def test_another_library_is_named(self):
        name = ctypes.util.find_library("c")
        with pytest.raises(OCRError, match=f"{name} does not load as libwarpctc.*get_warpctc_version"):
            warpctc.Library(name)

    def test_old_version_is_refused(self, monkeypatch):
        names = "ctcGetStatusString", "get_workspace_size", "compute_ctc_loss"
        old = SimpleNamespace(get_warpctc_version=lambda: 1, **{name: SimpleNamespace() for name in names})
        monkeypatch.setattr(warpctc.ctypes, "CDLL", lambda path: old)
        with pytest.raises(OCRError, match=r"old\.so is libwarpctc version 1, and version 2 is needed"):
            warpctc.Library("old.so")


def test_options_lie_in_memory_as_in_the_header():
    options = warpctc._Options
    assert [getattr(options, name).offset for name, _ in options._fields_] == [0, 8, 16]
    assert ctypes.sizeof(options) == 24


@pytest.mark.parametrize("wanted, expected", [("3", 3), ("4,2", 4), (" 2 ", 2), ("many", 5), ("", 5), (None, 5)])
def test_thread_count(monkeypatch, wanted, expected):
    monkeypatch.setattr(os, "cpu_count", lambda: 10)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if wanted is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", wanted)
    assert warpctc._thread_count() == expected


def test_has_native(monkeypatch):
    monkeypatch.delattr(mx.sym, "WarpCTC", raising=False)
    assert not warpctc.has_native()
    monkeypatch.setattr(mx.sym, "WarpCTC", object(), raising=False)
    assert warpctc.has_native()
