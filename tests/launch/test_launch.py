"""What lstm_ocr_launch.py makes of the processes that it starts; workers that are no training at all do for that."""

import json
import os
import re
import signal
import time

import pytest

import ocr_lib.mx  # noqa: F401  (the scheduler needs MXNet)
from tests.launching import all_ended, begun, launched, launching, process_of, started_by, wait_for

SSH = """#!/bin/sh
# Stands for ssh: its options end at --, then come the host and the command.
while [ "$1" != -- ]; do echo "$1" >>"$SSH_LOG"; shift; done
echo "host $2" >>"$SSH_LOG"
cd /
exec env -i "SSH_LOG=$SSH_LOG" sh -c "$3"
"""


@pytest.fixture
def worker(tmp_path):
    """Return a function that writes a worker's program, in a folder whose name needs quotes."""

    def write(code):
        folder = tmp_path / "it's a folder"
        folder.mkdir(exist_ok=True)
        script = folder / "worker.py"
        script.write_text(f"import json, os, signal, sys, time\nrank = os.environ['OCR_RANK']\n{code}\n")
        return script

    return write


def test_lines_are_whole_and_say_whose_they_are(worker):
    script = worker("for i in range(3000):\n    print('x' * 50, file=(sys.stdout, sys.stderr)[i % 2])\nsys.exit(3)")
    result = launched(["-n", 3], [script])
    assert result.returncode == 1
    line = re.compile(r"\[worker [012]\] x{50}")
    *said, last = result.stderr.splitlines()
    assert all(line.fullmatch(told) for told in [*said, *result.stdout.splitlines()])
    assert len(said) == len(result.stdout.splitlines()) == 3 * 1500
    assert re.search(r"error: worker [012] ended with exit code 3: all others were ended$", last)


def test_a_worker_that_is_killed_ends_all(worker):
    script = worker("print('ready', rank, file=sys.stderr)\ntime.sleep(1000)")
    with begun(launching(["-n", 2], [script])) as run:
        wait_for(run, "ready 1")
        pids = started_by(run.pid)
        os.kill(process_of(pids, "OCR_RANK=1"), signal.SIGKILL)
        said = run.stderr.read().splitlines()
        assert run.wait(timeout=30) == 1
        assert said[-1].endswith("error: worker 1 was ended by SIGKILL: all others were ended")
        assert all_ended(pids, 1)


def test_nothing_outlives_a_launcher_that_is_killed(worker):
    script = worker(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', rank, file=sys.stderr)\ntime.sleep(1000)"
    )
    with begun(launching(["-n", 1], [script])) as run:
        wait_for(run, "ready 0")
        deadline = time.monotonic() + 30
        while len(pids := started_by(run.pid)) < 1 + 3 * 2 and time.monotonic() < deadline:
            time.sleep(0.1)  # the others are only starting
        assert len(pids) == 1 + 3 * 2
        run.kill()
        assert all_ended(pids)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_passed_to_the_workers_and_a_second_one_ends_all(worker, number):
    script = worker(
        "def stop(number, frame):\n    print('told', number, file=sys.stderr)\n"
        f"signal.signal({int(number)}, stop)\nprint('ready', rank, file=sys.stderr)\ntime.sleep(1000)"
    )
    with begun(launching(["-n", 1], [script])) as run:
        wait_for(run, "ready 0")
        pids = started_by(run.pid)
        run.send_signal(number)
        wait_for(run, f"told {int(number)}")
        run.send_signal(number)
        assert run.wait(timeout=30) == 128 + number
        assert all_ended(pids, 1)


def test_hosts_of_a_file_are_reached_by_ssh(worker, tmp_path):
    script = worker("print(json.dumps([os.getcwd(), sys.argv[1:], dict(os.environ)]))\nsys.exit(7)")
    (tmp_path / "ssh").write_text(SSH)
    (tmp_path / "ssh").chmod(0o755)
    (tmp_path / "hosts").write_text("# two workers\n127.0.0.1 slots=2 # here\nlocalhost\n")
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SSH_LOG": str(tmp_path / "log"),
        "MXNET_TEST": 'it\'s $HOME; "quoted"',
        "SECRET": "not passed on",
    }
    options = ["-n", 2, "-s", 1, "--hostfile", tmp_path / "hosts"]
    result = launched(options, [script, "a b", "$HOME"], cwd=script.parent, **environment)
    assert re.search(r"error: worker [01] on 127\.0\.0\.1 ended with exit code 7", result.stderr.splitlines()[-1])
    log = (tmp_path / "log").read_text().splitlines()
    assert log.count("host 127.0.0.1") == 3  # two workers, and the server
    assert "BatchMode=yes" in log and "ServerAliveInterval=5" in log
    told = {line[:10]: json.loads(line[11:]) for line in result.stdout.splitlines()}
    for rank, (folder, arguments, found) in enumerate(told[name] for name in sorted(told)):
        assert folder == str(script.parent)
        assert arguments[:4] == ["a b", "$HOME", "--kv-store", "dist_sync"]
        assert arguments[4:] == ["--cpu", str(max(1, len(os.sched_getaffinity(0)) // 2))]
        assert found["MXNET_TEST"] == environment["MXNET_TEST"]
        assert found["OCR_RANK"] == str(rank)
        assert found["DMLC_ROLE"] == "worker"
        assert "SECRET" not in found


def test_a_connection_that_is_cut_ends_what_runs_behind_it(worker, tmp_path):
    script = worker("print('ready', rank, file=sys.stderr)\ntime.sleep(1000)")
    (tmp_path / "ssh").write_text('#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\n(sh -c "$3") | cat\n')
    (tmp_path / "ssh").chmod(0o755)
    (tmp_path / "hosts").write_text("localhost\n127.0.0.1\n")
    options = ["-n", 2, "--hostfile", tmp_path / "hosts"]
    with begun(launching(options, [script]), PATH=f"{tmp_path}:{os.environ['PATH']}") as run:
        wait_for(run, "ready 1")
        pids = started_by(run.pid)
        run.kill()
        assert all_ended(pids)


def test_a_run_that_had_not_begun_is_started_as_before_and_one_that_had_is_resumed(worker, tmp_path):
    script = worker(
        "times = open('times', 'a+'); times.write('x'); times.flush(); times.seek(0); time_ = len(times.read())\n"
        "print(time_, sys.argv[1:])\n"
        "if time_ == 2:\n    open('p-manifest.json', 'w').write('begun')\n"
        "sys.exit(1)"
    )
    command = [script, "font", "--prefix", "p", "--overwrite", "--preset=x", "--pretrained", "y", "--set", "seed=1"]
    result = launched(["-n", 1, "--restarts", 2, "--kv-store", "dist_sync"], command, cwd=script.parent)
    first, second, third = (line.replace("[worker 0] ", "") for line in result.stdout.splitlines())
    own = ["--kv-store", "dist_sync", "--cpu", str(len(os.sched_getaffinity(0)))]
    assert first == f"1 {[*command[1:], *own]}"
    assert second == f"2 {[*command[1:], *own]}"
    assert third == f"3 {['font', '--prefix', 'p', '--set', 'seed=1', *own[:2], '--resume', *own[2:]]}"
    told = [line for line in result.stderr.splitlines() if "ended with exit code 1" in line]
    assert "from the beginning, as no checkpoint was there yet" in told[0]
    assert "from its last checkpoint" in told[1]
    assert len(told) == 3
