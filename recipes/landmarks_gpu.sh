#!/bin/sh
# The landmark network of bundle `knuckle-fast` on one GPU, longer and on more renders than recipes/landmarks_cpu.sh.
#
#     sh recipes/landmarks_gpu.sh PHOTOS/index.jsonl WORK/
#
# Renders use the EGL driver of the GPU. Training ends after at most 25 minutes with a checkpoint. Run the recipe again with
# the same folder until all steps are done.
set -eu
index=$1 work=$2
cores=$(nproc)

sh recipes/landmark_photos.sh "$index" "$work"
knuckle synth hands "$work/renders" --count 100000 --side 256 --margin 1.4 --masks --seed 11 --workers "$cores"
knuckle synth hands "$work/pinches" --pose pinching --count 20000 --side 256 --margin 1.4 --masks --seed 61 \
    --workers "$cores"
knuckle train hand --init new --teacher mediapipe --side 128 --steps 60000 --batch 512 --rate 0.004 --warmup 1000 \
    --minutes 25 --workers "$cores" --data "$work/real/train.jsonl:2" --data "$work/palms/hands/train.jsonl:1" \
    --data "$work/palms/people/train.jsonl:1" --data "$work/palms/rooms/train.jsonl:0.4" \
    --data "$work/palms/signing/train.jsonl:0.6" --data "$work/palms/signing_rooms/train.jsonl:0.3" \
    --data "$work/palms/pasted/train.jsonl:0.7" --data "$work/renders:3" --data "$work/pinches:0.8" \
    --check "$work/real/held_out.jsonl" --splits recipes/splits.json --out "$work/run"
# Hard negatives for recipes/palm_gpu.sh.
python recipes/hard_negatives.py "$work/run/checkpoint.pt" "$work/hard" \
    --data "$work/real/train.jsonl" --data "$work/palms/hands/train.jsonl" --data "$work/palms/people/train.jsonl"
python recipes/calibrate_presence.py "$work/run/checkpoint.pt" \
    --hands "$work/real/train.jsonl" --free "$work/real/train.jsonl"
knuckle export "$work/run/calibrated.pt" --out "$work/bundle" --licence Apache-2.0
