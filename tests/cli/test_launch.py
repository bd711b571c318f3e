"""lstm_ocr_launch.py refuses what can't work before anything starts, in one line."""

import socket

import pytest

from ocr_lib.cli import launch

COMMAND = ["--", "lstm_ocr_train.py", "font/"]


def refused(capsys, arguments):
    """Return the one line that the command ends with."""
    try:
        code = launch.main([*map(str, arguments)])
    except SystemExit as exit_:
        code = exit_.code
    (line,) = capsys.readouterr().err.splitlines()
    assert code in (1, 2)
    assert "error: " in line and "unexpected" not in line
    return line


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["-n", 2], "behind --"),
        (["-n", 2, "lstm_ocr_train.py", "font/"], "unrecognized"),
        (["-n", 2, "--"], "behind --"),
        ([*COMMAND], "-n"),
        (["-n", 0, *COMMAND], "-n must be at least 1, not 0"),
        (["-n", 1, "-s", 0, *COMMAND], "-s must be at least 1, not 0"),
        (["-n", 1, "--restarts", -1, *COMMAND], "--restarts must be at least 0"),
        (["-n", 1, "--port", 0, *COMMAND], "--port 0 is not"),
        (["-n", 1, "--port", 65536, *COMMAND], "--port 65536 is not"),
        (["-n", 1, "--kv-store", "local", *COMMAND], "dist_sync"),
        (["-n", 1, *COMMAND, "--kv-store", "local"], "--kv-store local in the command is not for several machines"),
        (["-n", 1, "--kv-store", "horovod", *COMMAND, "--kv-store=dist_sync"], "is not horovod"),
        (["-n", 1, "--", "nowhere.py"], "nowhere.py: there is no such command"),
        (["-n", 1, "--", "no-such-program", "font/"], "no-such-program: there is no such command"),
    ],
)
def test_what_is_refused(capsys, arguments, said):
    assert said in refused(capsys, arguments)


@pytest.mark.parametrize(
    "text, said",
    [
        (None, "No such file"),
        ("", "there are no hosts in it"),
        ("# none\n\n", "there are no hosts in it"),
        ("localhost\nlocalhost slots=many\n", "line 2 is not `host` or `host slots=N`"),
        ("localhost slots=0\n", "line 1 is not"),
        ("-oProxyCommand=x\n", "line 1 is not"),
        ("nowhere.invalid\n", "the host nowhere.invalid is unknown"),
        ("localhost\n", "-n 2 workers don't fit the 1 slots"),
    ],
)
def test_hostfiles_that_are_refused(capsys, tmp_path, text, said):
    path = tmp_path / "hosts"
    if text is not None:
        path.write_text(text)
    line = refused(capsys, ["-n", 2, "--hostfile", path, *COMMAND])
    assert str(path) in line
    assert said in line


def test_a_port_in_use_is_refused(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port {port} is in use: by another run?" in refused(capsys, ["-n", 2, "--port", port, *COMMAND])


def test_no_ssh_is_told(capsys, tmp_path, monkeypatch):
    (tmp_path / "hosts").write_text("127.0.0.1\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "ssh" in refused(capsys, ["-n", 1, "--hostfile", tmp_path / "hosts", *COMMAND])
