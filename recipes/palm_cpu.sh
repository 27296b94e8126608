#!/bin/sh
# The palm network of bundle `knuckle` on 2 CPU cores.
#
#     sh recipes/palm_cpu.sh PHOTOS/index.jsonl WORK/
#
# Every step goes on where it was stopped; run it again with the same folder. A stage of training ends after at most
# 150 minutes with a checkpoint.
set -eu
index=$1 work=$2

[ -f "$work/photos/done" ] || { python recipes/pseudo_palms.py "$index" "$work/photos"; touch "$work/photos/done"; }
knuckle synth scenes "$work/scenes" --count 6000 --side 384 --seed 21 --workers 2
OMP_NUM_THREADS=1 knuckle train palm --init new --steps 8000 --warmup 300 --batch 32 --workers 1 --minutes 150 \
    --data "$work/photos/train.jsonl:1" --data "$work/scenes:1" --check "$work/photos/held_out.jsonl" \
    --save-every 500 --evaluate-every 1000 --out "$work/run"
knuckle export "$work/run/checkpoint.pt" --out "$work/bundle" --licence Apache-2.0
