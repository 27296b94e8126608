#!/bin/sh
# Teach the palm network of `knuckle` with gloves, more rooms and boxes that people drew. The mean of what it starts from
# and of what comes out is released: see log.md, Stage 8.
#
#     sh recipes/palm_boxes.sh WORK/ LABELS/ PALMS.pt
#
# LABELS is the folder that recipes/palm_photos.sh wrote, PALMS.pt a checkpoint of recipes/palm_cpu.sh. Many hands in
# gloves have only a box; it teaches by multiple instances. Takes about an hour and a half on one CPU core. Run it again
# with the same folders to resume.
set -eu
work=$1 photos=$2 palms=$3

export OMP_NUM_THREADS=1
check=$photos/gloves/held_out.jsonl
. recipes/stage.sh

stage palm boxes 2200 --init "$palms" --warmup 100 --batch 32 --rate 0.0002 --ema 0.99 --seed 203 --evaluate-every 500 \
    --data "$photos/hands/train.jsonl:0.5" --data "$photos/gloves/train.jsonl:0.4" \
    --data "$photos/rooms_and_walls/train.jsonl:0.4" --data "$photos/people/train.jsonl:0.9" \
    --data "$photos/pasted_walls/train.jsonl:0.8" --data "$photos/free/train.jsonl:0.4"
python recipes/average_weights.py "$work/mean.pt" "$palms" "$work/boxes/checkpoint.pt"
knuckle export "$work/mean.pt" --hand knuckle --out "$work/boxes_bundle" --licence Apache-2.0
