#!/usr/bin/env bash
# Train on the GPUs of several machines, one process a GPU, by srun. The project's folder, the data and RUN lie on a
# disk that all of them see.
#
#     sbatch --nodes=4 training/slurm/several_nodes.sh NOUN [RECIPE.yaml] --out RUN [OPTIONS]
#
# A GPU for each process is Fabric's to choose, so ask for GPUs by the node and not by the task.
#
#SBATCH --job-name=vocaldm-train
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --time=08:00:00
#SBATCH --signal=TERM@300
#SBATCH --open-mode=append
set -euo pipefail

python="${PYTHON:-python3}"

exec srun --kill-on-bad-exit=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" \
    "$python" -m training "$@" --devices "$SLURM_NTASKS_PER_NODE" --nodes "$SLURM_JOB_NUM_NODES" \
    --set machine.threads="$SLURM_CPUS_PER_TASK"
