#!/usr/bin/env bash
# Generate for designers' laptops, a worker a GPU, until the job ends (docs/cluster.md).
#
#     sbatch training/slurm/cluster.sh
#     sbatch --nodes=4 training/slurm/cluster.sh
#
# The job's output says the address for `vocaldm live --engine`. Laptops need the same ~/.ray/auth_token.
#
#SBATCH --job-name=vocaldm-cluster
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=16
#SBATCH --time=12:00:00
set -euo pipefail

port="${PORT:-10001}"
ray_port="${RAY_PORT:-6379}"
nodes="${SLURM_JOB_NUM_NODES:-1}"
gpus="${SLURM_GPUS_ON_NODE:-0}"
workers="${WORKERS:-$((nodes * (gpus > 0 ? gpus : 1)))}"
share="$((gpus > 0 ? 1 : 0))"
# This script runs on the first of the job's machines.
address="${ADDRESS:-$(hostname --ip-address | cut -d ' ' -f 1)}"

export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
[ -n "${RAY_AUTH_TOKEN:-}" ] || [ -s "${RAY_AUTH_TOKEN_PATH:-$HOME/.ray/auth_token}" ] ||
    ray get-auth-token --generate >/dev/null

serve=(vocaldm cluster serve --host "$address" --port "$port" --workers "$workers" --gpus "$share")
if [ "$nodes" -eq 1 ]; then
    exec "${serve[@]}"
fi

trap 'kill $(jobs -p)' EXIT
ray start --head --block --node-ip-address="$address" --port="$ray_port" --num-cpus="$workers" \
    --include-dashboard=false &
until ray status --address="$address:$ray_port" >/dev/null 2>&1; do
    kill -0 "$!" # ends this script where Ray has ended
    sleep 1
done
srun --nodes="$((nodes - 1))" --ntasks="$((nodes - 1))" --exclude="${SLURMD_NODENAME:-$(hostname -s)}" \
    ray start --address="$address:$ray_port" --num-cpus="$workers" --block &
"${serve[@]}" --address "$address:$ray_port"
