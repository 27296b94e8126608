#!/bin/bash
# Many videos on a Slurm cluster: sbatch examples/cluster/slurm.sh. Each task of the array does one shard with all of its
# cores. A task that is requeued goes on where it was; so does the whole array when it is submitted again.
#SBATCH --job-name=knuckle
#SBATCH --array=1-50
#SBATCH --cpus-per-task=16
#SBATCH --mem=16G
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --signal=TERM@60
set -u
export OMP_NUM_THREADS=1
srun knuckle batch "${VIDEOS:-videos.txt}" --out "${OUT:-/shared/out}" --workers "$SLURM_CPUS_PER_TASK" \
    --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"
