#!/bin/sh
# The palm networks of bundles `knuckle` and `knuckle-far` on 2 CPU cores: scenes in about half an hour, training in about
# five hours.
#
#     sh recipes/palm_cpu.sh PHOTOS/index.jsonl WORK/ WORK_OF_LANDMARKS/
#
# The last folder is that of recipes/landmarks_cpu.sh: its photos with all palms, its pictures without hands, and what it
# found that looks like hands. Every step goes on where it was stopped; run it again with the same folder. A stage of
# training ends after at most 150 minutes with a checkpoint. One thread trains and one process prepares samples.
set -eu
index=$1 work=$2 landmarks=$3
photos=$landmarks/palms

sh recipes/palm_photos.sh "$index" "$photos"
knuckle synth scenes "$work/scenes" --count 6000 --side 384 --seed 33 --workers 2
knuckle synth scenes "$work/more" --count 2000 --side 384 --seed 21 --workers 2

export OMP_NUM_THREADS=1
check="--check $photos/hands/held_out.jsonl --workers 1 --save-every 500"
set -- --data "$photos/hands/train.jsonl:1" --data "$photos/people/train.jsonl:0.8" \
    --data "$photos/digits/train.jsonl:0.2" --data "$work/scenes:0.85" --data "$work/more:0.25" \
    --data "$landmarks/hard/hard.jsonl:0.15"
knuckle train palm --init new "$@" $check --steps 26000 --warmup 300 --batch 32 --rate 0.002 --seed 20 \
    --minutes 150 --evaluate-every 2000 --out "$work/run"
# The same network learns from the features of MediaPipe's too, and from people in rooms where they never were.
set -- --data "$photos/hands/train.jsonl:1" --data "$photos/people/train.jsonl:0.7" \
    --data "$photos/rooms/train.jsonl:0.9" --data "$photos/digits/train.jsonl:0.15" --data "$work/scenes:0.6" \
    --data "$work/more:0.2" --data "$landmarks/hard/hard.jsonl:0.15"
knuckle train palm --init "$work/run/checkpoint.pt" --teacher mediapipe "$@" $check --steps 12500 --warmup 300 --batch 32 \
    --rate 0.0012 --seed 31 --minutes 150 --evaluate-every 2000 --out "$work/taught"
# Hands of many people in those rooms, and more pictures without any: to a network that learned features of one that saw
# many hands, more things look like hands.
set -- --data "$photos/hands/train.jsonl:1" --data "$photos/people/train.jsonl:0.7" \
    --data "$photos/rooms/train.jsonl:0.8" --data "$photos/pasted/train.jsonl:1" \
    --data "$photos/digits/train.jsonl:0.15" --data "$work/scenes:0.9" --data "$work/more:0.3" \
    --data "$landmarks/hard/hard.jsonl:0.5" --data "$landmarks/real/free.jsonl:0.35"
knuckle train palm --init "$work/taught/checkpoint.pt" --teacher mediapipe "$@" $check --steps 11200 --warmup 200 --batch 32 \
    --rate 0.001 --seed 51 --minutes 150 --evaluate-every 2500 --out "$work/pasted"
python recipes/calibrate_palms.py "$work/pasted/checkpoint.pt" --data "$photos/hands/train.jsonl" \
    --data "$landmarks/real/free.jsonl"
knuckle export "$work/pasted/calibrated.pt" --hand knuckle --out "$work/bundle" --licence Apache-2.0
# The same weights, on pictures of 320 px.
knuckle train palm --init "$work/pasted/checkpoint.pt" --side 320 "$@" $check --steps 1200 --rate 0.0006 --warmup 50 \
    --batch 16 --seed 53 --evaluate-every 1200 --out "$work/far"
python recipes/calibrate_palms.py "$work/far/checkpoint.pt" --data "$photos/hands/train.jsonl" \
    --data "$landmarks/real/free.jsonl"
knuckle export "$work/far/calibrated.pt" --hand knuckle --out "$work/bundle_far" --licence Apache-2.0
