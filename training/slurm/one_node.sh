#!/usr/bin/env bash
# Train on the GPUs of one machine, by torchrun: in a job, or without SLURM where GPUS says how many there are.
#
#     sbatch training/slurm/one_node.sh NOUN [RECIPE.yaml] --out RUN [OPTIONS]
#     GPUS=2 bash training/slurm/one_node.sh NOUN [RECIPE.yaml] --out RUN [OPTIONS]
#
#SBATCH --job-name=vocaldm-train
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=32
#SBATCH --time=08:00:00
#SBATCH --signal=B:TERM@300
#SBATCH --open-mode=append
set -euo pipefail

gpus="${GPUS:-${SLURM_GPUS_ON_NODE:-1}}"
python="${PYTHON:-python3}"
threads="$((${SLURM_CPUS_PER_TASK:-$(nproc)} / gpus))"

exec "$python" -m torch.distributed.run --standalone --nproc-per-node="$gpus" \
    -m training "$@" --devices "$gpus" --set machine.threads="$((threads > 0 ? threads : 1))"
