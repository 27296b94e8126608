#!/bin/sh
# The landmark network of bundle `knuckle` on 2 CPU cores: data in about an hour and a half, training in about six hours.
#
#     sh recipes/landmarks_cpu.sh PHOTOS/index.jsonl WORK/
#
# Every step goes on where it was stopped; run it again with the same folder. A stage of training ends after at most
# 150 minutes with a checkpoint. One thread trains and one process prepares samples: where a processor multiplies
# bfloat16 in hardware (AMX), two threads that wait for each other are no faster.
set -eu
index=$1 work=$2
sources="subhih asl_letters lebanese_gestures hands_dguzk lab_gestures sign_digits rf100_signers indoor_no_hands"

[ -f "$work/real/done" ] || { python recipes/pseudo_labels.py "$index" "$work/real" --sources $sources; touch "$work/real/done"; }
knuckle synth hands "$work/renders" --count 16000 --side 256 --margin 1.4 --masks --seed 11 --workers 2
python - "$work/real" <<'PYTHON'
import pathlib, sys
folder = pathlib.Path(sys.argv[1])
lines = folder.joinpath("train.jsonl").read_text().splitlines(keepends=True)
folder.joinpath("free.jsonl").write_text("".join(line for line in lines if '"hands": []' in line))
PYTHON

export OMP_NUM_THREADS=1
knuckle train landmarks --init new --side 128 --steps 19000 --warmup 300 --workers 1 --minutes 150 \
    --data "$work/real/train.jsonl:2" --data "$work/renders:3" --check "$work/real/held_out.jsonl" \
    --save-every 500 --evaluate-every 1000 --out "$work/run"
# Presence, with more pictures of nothing.
knuckle train landmarks --init "$work/run/checkpoint.pt" --steps 2800 --rate 0.0004 --warmup 100 --workers 1 \
    --weight-presence 1.5 --data "$work/real/train.jsonl:4" --data "$work/renders:5" --data "$work/real/free.jsonl:3" \
    --check "$work/real/held_out.jsonl" --save-every 500 --evaluate-every 650 --out "$work/first"
# Harder hands: whole photos, where nine of twelve crops agree on the palm.
sh recipes/palm_photos.sh "$index" "$work/palms"
knuckle train landmarks --init "$work/first/checkpoint.pt" --steps 9000 --rate 0.0012 --warmup 100 --workers 1 --seed 6 \
    --data "$work/real/train.jsonl:2" --data "$work/palms/hands/train.jsonl:0.8" \
    --data "$work/palms/people/train.jsonl:0.3" --data "$work/palms/digits/train.jsonl:0.3" --data "$work/renders:3" \
    --check "$work/real/held_out.jsonl" --save-every 500 --evaluate-every 1000 --out "$work/harder"
# Presence again, with what looked like hands.
python recipes/hard_negatives.py "$work/harder/checkpoint.pt" "$work/hard" \
    --data "$work/real/train.jsonl" --data "$work/palms/hands/train.jsonl" --data "$work/palms/people/train.jsonl"
knuckle train landmarks --init "$work/harder/checkpoint.pt" --steps 2600 --rate 0.0004 --warmup 100 --workers 1 --seed 7 \
    --weight-presence 1.5 --look 0.7 --data "$work/real/train.jsonl:4" --data "$work/palms/hands/train.jsonl:1.5" \
    --data "$work/palms/people/train.jsonl:0.5" --data "$work/palms/digits/train.jsonl:0.5" --data "$work/renders:5" \
    --data "$work/real/free.jsonl:1.5" --data "$work/hard/hard.jsonl:1.5" --check "$work/real/held_out.jsonl" \
    --save-every 500 --evaluate-every 650 --out "$work/tuned"
mkdir -p "$work/mean"
python recipes/average_weights.py "$work/mean/checkpoint.pt" \
    "$work/first/checkpoint.pt" "$work/harder/checkpoint.pt" "$work/tuned/checkpoint.pt"
# From the features of MediaPipe's network too, and from people and hands in other rooms.
set -- --data "$work/palms/people/train.jsonl:2" --data "$work/real/free.jsonl:1" --data "$work/hard/hard.jsonl:1.2" \
    --teacher mediapipe --weight-presence 1 --look 0.8 --check "$work/real/held_out.jsonl" --workers 1 --save-every 500
knuckle train landmarks --init "$work/mean/checkpoint.pt" "$@" --steps 9000 --rate 0.001 --warmup 200 --seed 32 \
    --data "$work/real/train.jsonl:3" --data "$work/palms/hands/train.jsonl:1.5" \
    --data "$work/palms/digits/train.jsonl:0.6" --data "$work/palms/rooms/train.jsonl:1.2" --data "$work/renders:4" \
    --minutes 150 --evaluate-every 1000 --out "$work/taught"
# Thumb and index finger of closed hands, and hands of many before other people and rooms.
knuckle synth hands "$work/pinches" --pose pinching --count 5000 --side 256 --margin 1.4 --seed 61 --workers 2
mkdir -p "$work/half"
python recipes/average_weights.py "$work/half/checkpoint.pt" "$work/mean/checkpoint.pt" "$work/taught/checkpoint.pt"
knuckle train landmarks --init "$work/half/checkpoint.pt" "$@" --steps 4800 --rate 0.0007 --warmup 100 --seed 62 \
    --data "$work/real/train.jsonl:4" --data "$work/palms/hands/train.jsonl:2" \
    --data "$work/palms/digits/train.jsonl:0.4" --data "$work/palms/rooms/train.jsonl:0.8" \
    --data "$work/palms/pasted/train.jsonl:1.5" --data "$work/renders:2.6" --data "$work/pinches:2" \
    --evaluate-every 700 --out "$work/last"
# The mean of what was made on the way, and the zero of the presence logit where tracking needs it.
mkdir -p "$work/released"
python recipes/average_weights.py "$work/released/checkpoint.pt" \
    "$work/mean/checkpoint.pt" "$work/taught/checkpoint.pt" "$work/last/checkpoint.pt"
python recipes/calibrate_presence.py "$work/released/checkpoint.pt" \
    --hands "$work/real/train.jsonl" --free "$work/real/train.jsonl"
knuckle export "$work/released/calibrated.pt" --out "$work/bundle" --licence Apache-2.0
