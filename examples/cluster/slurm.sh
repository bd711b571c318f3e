#!/bin/bash
# Trains on four machines: sbatch examples/cluster/slurm.sh font/ --prefix /shared/ocr --set training.parts=4
#SBATCH --job-name=lstm-ocr
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@120
set -euo pipefail

address() { getent ahostsv4 "$1" | awk 'NR == 1 { print $1 }'; }

export PYTHON=${PYTHON:-.venv/bin/python}
export DMLC_NUM_WORKER=$SLURM_NTASKS DMLC_NUM_SERVER=1
DMLC_PS_ROOT_URI=$(address "$(hostname)")
export DMLC_PS_ROOT_URI
export DMLC_PS_ROOT_PORT=$((20000 + SLURM_JOB_ID % 10000))

# Scheduler and server run beside the first worker.
DMLC_ROLE=scheduler DMLC_NODE_HOST=$DMLC_PS_ROOT_URI "$PYTHON" -m ocr_lib.training.server &
DMLC_ROLE=server DMLC_NODE_HOST=$DMLC_PS_ROOT_URI "$PYTHON" -m ocr_lib.training.server &

# The variables in single quotes are those of each task.
# shellcheck disable=SC2016
DMLC_ROLE=worker srun --kill-on-bad-exit=1 bash -c '
    DMLC_NODE_HOST=$(getent ahostsv4 "$(hostname)" | awk "NR == 1 { print \$1 }")
    export DMLC_NODE_HOST OCR_RANK=$SLURM_PROCID
    exec "$PYTHON" lstm_ocr_train.py --kv-store dist_sync --cpu "$SLURM_CPUS_PER_TASK" "$@"
' worker "$@"
wait
