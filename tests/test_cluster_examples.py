"""The scripts for clusters: what they start, and whether they are well-formed."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

CLUSTER = Path(__file__).parents[1] / "examples" / "cluster"
SHIMS = {
    "srun": '#!/bin/sh\nshift\nfor SLURM_PROCID in 0 1; do export SLURM_PROCID; "$@" || exit; done\n',
    "python": '#!/bin/sh\necho "$DMLC_ROLE $DMLC_NODE_HOST $DMLC_NUM_WORKER ${OCR_RANK-none} $*"\n',
    "getent": "#!/bin/sh\necho '192.0.2.7 STREAM node'\n",
}


def test_the_script_for_slurm_starts_all_processes(tmp_path):
    for name, text in SHIMS.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHON": "python"}
    environment.update(SLURM_NTASKS="2", SLURM_JOB_ID="123", SLURM_CPUS_PER_TASK="8")
    command = ["bash", str(CLUSTER / "slurm.sh"), "my fonts/", "--resume"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    worker = "lstm_ocr_train.py --kv-store dist_sync --cpu 8 my fonts/ --resume"
    assert sorted(result.stdout.splitlines()) == [
        "scheduler 192.0.2.7 2 none -m ocr_lib.training.server",
        "server 192.0.2.7 2 none -m ocr_lib.training.server",
        f"worker 192.0.2.7 2 0 {worker}",
        f"worker 192.0.2.7 2 1 {worker}",
    ]


def test_the_script_for_slurm_is_clean():
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not there")
    subprocess.run(["shellcheck", str(CLUSTER / "slurm.sh")], timeout=60, check=True)


def test_the_manifest_for_kubernetes_tells_every_process_where_the_others_are():
    yaml = pytest.importorskip("yaml")
    documents = list(yaml.safe_load_all((CLUSTER / "kubernetes.yaml").read_text()))
    jobs = [document for document in documents if document["kind"] == "Job"]
    assert len(jobs) == 3
    for job in jobs:
        (container,) = job["spec"]["template"]["spec"]["containers"]
        names = {variable["name"] for variable in container["env"]}
        assert names >= {
            "DMLC_ROLE",
            "DMLC_PS_ROOT_URI",
            "DMLC_PS_ROOT_PORT",
            "DMLC_NUM_WORKER",
            "DMLC_NUM_SERVER",
        }
    assert documents[0]["spec"]["selector"] == {"job-name": jobs[0]["metadata"]["name"]}


def test_the_manifest_for_kubernetes_has_no_tabs_and_one_value_of_each_number():
    text = (CLUSTER / "kubernetes.yaml").read_text()
    assert "\t" not in text
    for name in "DMLC_NUM_WORKER", "DMLC_NUM_SERVER", "DMLC_PS_ROOT_PORT":
        values = re.findall(rf'name: {name}, value: "(\d+)"', text)
        assert len(values) == 3 and len(set(values)) == 1
