#!/bin/sh
# The palm networks of bundles `knuckle` and `knuckle-far` on 2 CPU cores: data in about half an hour, training in about
# three hours and a half.
#
#     sh recipes/palm_cpu.sh PHOTOS/index.jsonl WORK/ WORK_OF_LANDMARKS/
#
# The last folder is that of recipes/landmarks_cpu.sh: its pictures without hands, and what it found that looks like
# hands. Every step goes on where it was stopped; run it again with the same folder. A stage of training ends after at
# most 150 minutes with a checkpoint. One thread trains and one process prepares samples.
set -eu
index=$1 work=$2 landmarks=$3

sh recipes/palm_photos.sh "$index" "$work"
knuckle synth scenes "$work/scenes" --count 6000 --side 384 --seed 33 --workers 2
knuckle synth scenes "$work/more" --count 2000 --side 384 --seed 21 --workers 2

export OMP_NUM_THREADS=1
set -- --data "$work/hands/train.jsonl:1" --data "$work/people/train.jsonl:0.8" \
    --data "$work/digits/train.jsonl:0.2" --data "$work/scenes:0.85" --data "$work/more:0.25" \
    --data "$landmarks/hard/hard.jsonl:0.15" --check "$work/hands/held_out.jsonl" --workers 1
knuckle train palm --init new "$@" --steps 26000 --warmup 300 --batch 32 --rate 0.002 --seed 20 \
    --minutes 150 --save-every 500 --evaluate-every 2000 --out "$work/run"
# The same network learns from the features of MediaPipe's too, and from people in rooms where they never were.
set -- --data "$work/hands/train.jsonl:1" --data "$work/people/train.jsonl:0.7" --data "$work/rooms/train.jsonl:0.9" \
    --data "$work/digits/train.jsonl:0.15" --data "$work/scenes:0.6" --data "$work/more:0.2" \
    --data "$landmarks/hard/hard.jsonl:0.15" --check "$work/hands/held_out.jsonl" --workers 1
knuckle train palm --init "$work/run/checkpoint.pt" --teacher mediapipe "$@" --steps 12500 --warmup 300 --batch 32 \
    --rate 0.0012 --seed 31 --minutes 150 --save-every 500 --evaluate-every 2000 --out "$work/taught"
# Features of a network that saw many hands make more things look like hands: more pictures without any.
set -- "$@" --data "$landmarks/hard/hard.jsonl:1.05" --data "$landmarks/real/free.jsonl:0.8"
knuckle train palm --init "$work/taught/checkpoint.pt" "$@" --steps 1000 --warmup 50 --batch 32 --rate 0.0004 \
    --seed 41 --save-every 500 --evaluate-every 1000 --out "$work/refusing"
python recipes/calibrate_palms.py "$work/refusing/checkpoint.pt" --data "$work/hands/train.jsonl"
knuckle export "$work/refusing/calibrated.pt" --hand knuckle --out "$work/bundle" --licence Apache-2.0
# The same weights, on pictures of 320 px.
knuckle train palm --init "$work/refusing/checkpoint.pt" --side 320 "$@" --steps 1200 --rate 0.0006 --warmup 50 \
    --batch 16 --seed 42 --save-every 400 --evaluate-every 1200 --out "$work/far"
python recipes/calibrate_palms.py "$work/far/checkpoint.pt" --data "$work/hands/train.jsonl"
knuckle export "$work/far/calibrated.pt" --hand knuckle --out "$work/bundle_far" --licence Apache-2.0
