#!/bin/sh
# The palm networks of bundles `knuckle` and `knuckle-far` on 2 CPU cores: data in about half an hour, training in 100
# minutes.
#
#     sh recipes/palm_cpu.sh PHOTOS/index.jsonl WORK/
#
# Every step goes on where it was stopped; run it again with the same folder. A stage of training ends after at most
# 150 minutes with a checkpoint. One thread trains and one process prepares samples.
set -eu
index=$1 work=$2

[ -f "$work/photos/done" ] || { python recipes/pseudo_palms.py "$index" "$work/photos"; touch "$work/photos/done"; }
knuckle synth scenes "$work/scenes" --count 8000 --side 384 --seed 33 --workers 2

export OMP_NUM_THREADS=1
knuckle train palm --init new --steps 16000 --warmup 300 --batch 32 --rate 0.002 --workers 1 --minutes 150 \
    --data "$work/photos/train.jsonl:1.2" --data "$work/scenes:1.3" --check "$work/photos/held_out.jsonl" \
    --save-every 500 --evaluate-every 1000 --out "$work/run"
# Again, with what looked like hands to our landmark network.
python recipes/hard_negatives.py src/knuckle/networks/hand.pt "$work/hard" --data "$work/photos/train.jsonl"
knuckle train palm --init "$work/run/checkpoint.pt" --steps 8000 --warmup 50 --batch 32 --rate 0.0012 --seed 10 \
    --data "$work/photos/train.jsonl:1.5" --data "$work/scenes:1.15" --data "$work/hard/hard.jsonl:0.2" \
    --check "$work/photos/held_out.jsonl" --workers 1 --save-every 500 --evaluate-every 1000 --out "$work/again"
python recipes/calibrate_palms.py "$work/again/checkpoint.pt" --data "$work/photos/train.jsonl"
knuckle export "$work/again/calibrated.pt" --hand knuckle --out "$work/bundle" --licence Apache-2.0
# The same weights, on pictures of 320 px.
knuckle train palm --init "$work/again/checkpoint.pt" --side 320 --steps 1200 --rate 0.0006 --warmup 50 --batch 16 \
    --data "$work/photos/train.jsonl:1.2" --data "$work/scenes:1.3" --check "$work/photos/held_out.jsonl" \
    --workers 1 --save-every 400 --evaluate-every 800 --out "$work/far"
python recipes/calibrate_palms.py "$work/far/checkpoint.pt" --data "$work/photos/train.jsonl"
knuckle export "$work/far/calibrated.pt" --hand knuckle --out "$work/bundle_far" --licence Apache-2.0
