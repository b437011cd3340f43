#!/bin/bash
# A search on a Slurm allocation: `sbatch examples/cluster/slurm.sh`. One Ray node per machine, the
# driver on the first.
# Submit it again after the time limit to resume the search.
#SBATCH --job-name=wiring-search
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --time=08:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --output=wiring-search-%j.log
set -euo pipefail

OUT=${OUT:-results/sweep}                     # on a shared file system
# --ahead: packs in flight, two per core (4 nodes × 32 cores).
SEARCH=${SEARCH:---task digits --space default --trials 100000 --ahead 256 --asynchronous}
source "${VENV:-.venv}/bin/activate"          # on the shared file system too
export RAY_AUTH_MODE=disabled                 # for a private network; else see docs/cluster.md

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | awk 'NR == 1')   # reads to the end: no broken pipe
address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | awk '{print $1}')
port=$((20000 + SLURM_JOB_ID % 20000))        # two jobs on one machine differ

srun --nodes=1 --ntasks=1 --nodelist="$head" --overlap \
    ray start --head --node-ip-address="$address" --port="$port" --num-cpus="$SLURM_CPUS_PER_TASK" \
    --include-dashboard=false --block &
for try in $(seq 60); do                      # wait until the head answers
    ray health-check --address "$address:$port" >/dev/null 2>&1 && break
    sleep 1
done
if (( SLURM_JOB_NUM_NODES > 1 )); then
    srun --nodes=$((SLURM_JOB_NUM_NODES - 1)) --ntasks=$((SLURM_JOB_NUM_NODES - 1)) --exclude="$head" --overlap \
        ray start --address="$address:$port" --num-cpus="$SLURM_CPUS_PER_TASK" --block &
fi

# The search runs on the machine of the batch script, which is the first. Slurm's signal before the
# time limit goes to the search, which saves its packs.
if [[ -e "$OUT" ]]; then
    wiring-search resume "$OUT" --address "$address:$port" &
else
    # shellcheck disable=SC2086
    wiring-search search $SEARCH --address "$address:$port" --out "$OUT" &
fi
search=$!
trap 'kill -TERM "$search"' TERM
wait "$search" || wait "$search"              # a signal ends the first wait, the search the second
