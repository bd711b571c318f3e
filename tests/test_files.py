"""Files that are either whole or absent."""

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ocr_lib.errors import OCRError
from ocr_lib.files import atomic_path, check_free, check_writable, sha256, write_atomic


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("sync", [True, False])
def test_writes_and_replaces(tmp_path, sync):
    path = tmp_path / "new" / "folders" / "file.bin"
    for data in b"one", b"", b"a longer second\0" * 1000:
        write_atomic(path, data, sync)
        assert path.read_bytes() == data
        assert names(path.parent) == ["file.bin"]


def test_who_reads_the_old_file_reads_it_to_its_end(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        write_atomic(path, b"new")
        assert reader.read() == b"old"


def test_an_exception_leaves_what_was_there(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with contextlib.suppress(ZeroDivisionError), atomic_path(path) as temporary:
        temporary.write_bytes(b"half of the n")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_kill_leaves_what_was_there_and_the_next_write_succeeds(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    program = """
import os, signal, sys
from pathlib import Path
from ocr_lib.files import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half of the n")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program, path], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["file"]


def test_names_a_file_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OCRError, match="file/x can't be written: (File exists|Not a directory)"):
        write_atomic(tmp_path / "file" / "x", b"")
    (tmp_path / "folder" / "full").mkdir(parents=True)
    with pytest.raises(OCRError, match="folder can't be written: Is a directory"):
        write_atomic(tmp_path / "folder", b"")
    assert names(tmp_path) == ["file", "folder"]
    with pytest.raises(OCRError, match="can't be written: File name too long"):
        write_atomic(tmp_path / ("x" * 300), b"")


def test_a_temporary_file_that_nobody_wrote_is_an_error(tmp_path):
    with pytest.raises(OCRError, match="file can't be written: No such file"), atomic_path(tmp_path / "file"):
        pass


class TestCheckFree:
    def test_where_nothing_is(self, tmp_path):
        for path in tmp_path / "new", tmp_path / "no" / "such" / "folder":
            check_free(path)
            check_free(path, overwrite=True)
        assert names(tmp_path) == []

    @pytest.mark.parametrize("data", [b"", b"somebody's"])
    def test_a_file_is_somebodys(self, tmp_path, data):
        path = tmp_path / "file"
        path.write_bytes(data)
        with pytest.raises(
            OCRError, match=f"^{path} is there already: --overwrite replaces it, another name leaves it"
        ):
            check_free(path)
        check_free(path, overwrite=True)
        assert path.read_bytes() == data

    def test_so_is_a_link_to_nothing(self, tmp_path):
        path = tmp_path / "link"
        path.symlink_to(tmp_path / "gone")
        with pytest.raises(OCRError, match="link is there already"):
            check_free(path)

    @pytest.mark.parametrize("overwrite", [False, True])
    def test_a_folder_is_never_replaced(self, tmp_path, overwrite):
        with pytest.raises(OCRError, match=f"^{tmp_path} is a folder: give the name of a file$"):
            check_free(tmp_path, overwrite)


class TestCheckWritable:
    @pytest.mark.parametrize("name", ["new", "new/folder/file", "folder/file", "folder"])
    def test_where_a_file_can_be(self, tmp_path, name, monkeypatch):
        (tmp_path / "folder").mkdir()
        check_writable(tmp_path / name)
        monkeypatch.chdir(tmp_path)
        check_writable(Path(name))
        assert names(tmp_path) == ["folder"] and names(tmp_path / "folder") == []

    @pytest.mark.parametrize("check", [check_writable, check_free])
    @pytest.mark.parametrize("name", ["file/a", "file/a/b/c", "link/a"])
    def test_behind_what_is_no_folder(self, tmp_path, check, name):
        (tmp_path / "file").touch()
        (tmp_path / "link").symlink_to(tmp_path / "gone")
        message = (
            f"^{tmp_path / name} can't be written: {tmp_path / name.partition('/')[0]} is no folder that takes files$"
        )
        with pytest.raises(OCRError, match=message):
            check(tmp_path / name)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_in_a_folder_that_may_only_be_read(self, tmp_path):
        tmp_path.chmod(0o500)
        with pytest.raises(OCRError, match=f"a can't be written: {tmp_path} is no folder that takes files"):
            check_writable(tmp_path / "a")


def test_sha256_of_files_and_bytes(tmp_path):
    data = bytes(range(256)) * 5000
    path = tmp_path / "file"
    path.write_bytes(data)
    expected = hashlib.sha256(data).hexdigest()
    assert sha256(path) == sha256(data) == expected
    assert sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2
