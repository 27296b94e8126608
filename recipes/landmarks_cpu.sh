#!/bin/sh
# The landmark network of bundle `knuckle-fast` on 2 CPU cores: data in about an hour and a half, training in about eight
# hours.
#
#     sh recipes/landmarks_cpu.sh PHOTOS/index.jsonl WORK/
#
# The folder photos/indoor_no_hands beside the index is used as background of some renders. The recipe ends after at most
# 150 minutes of a stage. Run it again with the same folders until it has exported a bundle: it resumes where it stopped.
# One thread trains and one process prepares samples. On CPUs with AMX a second training thread is no faster.
set -eu
index=$1 work=$2 rooms=$(dirname "$1")/photos/indoor_no_hands
[ -d "$rooms" ] || { echo "there is no $rooms: photos without hands"; exit 1; }

sh recipes/landmark_photos.sh "$index" "$work"
knuckle synth hands "$work/renders" --count 16000 --side 256 --margin 1.4 --masks --seed 11 --workers 2
knuckle synth hands "$work/pinches" --pose pinching --count 5000 --side 256 --margin 1.4 --seed 61 --workers 2
knuckle synth hands "$work/pinches_in_rooms" --pose pinching --count 5000 --side 256 --margin 1.4 --masks --seed 64 \
    --backgrounds "$rooms" --workers 2
real=$work/real/train.jsonl free=$work/real/free.jsonl hard=$work/hard/hard.jsonl palms=$work/palms

export OMP_NUM_THREADS=1
check=$work/real/held_out.jsonl
. recipes/stage.sh

stage hand run 19000 --init new --side 128 --warmup 300 --evaluate-every 1000 --data "$real:2" \
    --data "$work/renders:3"
# More hand-free pictures, for presence.
stage hand first 2800 --init "$work/run/checkpoint.pt" --rate 0.0004 --warmup 100 --weight-presence 1.5 \
    --evaluate-every 650 --data "$real:4" --data "$work/renders:5" --data "$free:3"
# Harder hands: whole photos, labelled where nine of twelve crops agree on the palm.
stage hand harder 9000 --init "$work/first/checkpoint.pt" --rate 0.0012 --warmup 100 --seed 6 \
    --evaluate-every 1000 \
    --data "$real:2" --data "$palms/hands/train.jsonl:0.8" --data "$palms/people/train.jsonl:0.3" \
    --data "$palms/digits/train.jsonl:0.3" --data "$work/renders:3"
# Hard negatives.
[ -f "$work/hard/done" ] || {
    python recipes/hard_negatives.py "$work/harder/checkpoint.pt" "$work/hard" \
        --data "$real" --data "$palms/hands/train.jsonl" --data "$palms/people/train.jsonl"
    touch "$work/hard/done"
}
stage hand tuned 2600 --init "$work/harder/checkpoint.pt" --rate 0.0004 --warmup 100 --seed 7 \
    --weight-presence 1.5 \
    --look 0.7 --evaluate-every 650 --data "$real:4" --data "$palms/hands/train.jsonl:1.5" \
    --data "$palms/people/train.jsonl:0.5" --data "$palms/digits/train.jsonl:0.5" --data "$work/renders:5" \
    --data "$free:1.5" --data "$hard:1.5"
mean three first harder tuned
# A teacher, and people in other rooms.
stage hand taught 9000 --init "$work/three/checkpoint.pt" --teacher mediapipe --rate 0.001 --warmup 200 \
    --seed 32 \
    --weight-presence 1 --look 0.8 --evaluate-every 1000 --data "$real:3" --data "$palms/hands/train.jsonl:1.5" \
    --data "$palms/people/train.jsonl:2" --data "$palms/digits/train.jsonl:0.6" --data "$palms/rooms/train.jsonl:1.2" \
    --data "$work/renders:4" --data "$free:1" --data "$hard:1.2"
mean two three taught
# Pinching hands, and the hands of many people pasted into rooms and before other people.
stage hand last 4800 --init "$work/two/checkpoint.pt" --teacher mediapipe --rate 0.0007 --warmup 100 --seed 62 \
    --weight-presence 1 --look 0.8 --evaluate-every 700 --data "$real:4" --data "$palms/hands/train.jsonl:2" \
    --data "$palms/people/train.jsonl:2" --data "$palms/digits/train.jsonl:0.4" --data "$palms/rooms/train.jsonl:0.8" \
    --data "$palms/pasted/train.jsonl:1.5" --data "$work/renders:2.6" --data "$work/pinches:2" --data "$free:1" \
    --data "$hard:1.2"
mean before two last last
# Longer, without the teacher (a step takes half as long). Pinching hands in rooms and before other photos.
stage hand longer 15300 --init "$work/before/checkpoint.pt" --rate 0.001 --warmup 200 --seed 73 \
    --weight-presence 1 --look 0.8 --evaluate-every 1000 --data "$real:4" --data "$palms/hands/train.jsonl:2" \
    --data "$palms/people/train.jsonl:2" --data "$palms/digits/train.jsonl:0.4" --data "$palms/rooms/train.jsonl:0.8" \
    --data "$palms/pasted/train.jsonl:1.5" --data "$work/renders:4" --data "$work/pinches:1.5" \
    --data "$work/pinches_in_rooms:2.5" --data "$free:1" --data "$hard:1.2"
# The mean of one part of the previous weights and two parts of these.
mean three_more before longer longer
# People who sign, more hands, and harder hand-free crops.
knuckle synth hands "$work/others" --count 5000 --side 256 --margin 1.4 --masks --seed 111 --workers 2
knuckle synth hands "$work/other_pinches" --pose pinching --count 4000 --side 256 --margin 1.4 --masks --seed 164 \
    --backgrounds "$rooms" --workers 2
stage hand signing 7800 --init "$work/three_more/checkpoint.pt" --rate 0.0008 --warmup 200 --seed 93 \
    --weight-presence 1 --look 0.8 --evaluate-every 1500 --data "$real:4" --data "$palms/hands/train.jsonl:2" \
    --data "$palms/people/train.jsonl:2" --data "$palms/signing/train.jsonl:1.5" \
    --data "$palms/signing_rooms/train.jsonl:0.7" --data "$palms/digits/train.jsonl:0.4" \
    --data "$palms/rooms/train.jsonl:0.8" --data "$palms/pasted/train.jsonl:1.5" --data "$work/others:3.5" \
    --data "$work/other_pinches:3.5" --data "$free:1.2" --data "$hard:0.4"
mean before_far three_more signing
# Distant hands with exact labels, backlit hands, more hands; half of the crops as regions of tracked hands.
knuckle synth hands "$work/far" --count 5000 --side 256 --margin 1.4 --masks --seed 211 --workers 2
knuckle synth hands "$work/far_pinches" --pose pinching --count 2500 --side 256 --margin 1.4 --masks --seed 264 \
    --backgrounds "$rooms" --workers 2
stage hand far_hands 8000 --init "$work/before_far/checkpoint.pt" --rate 0.0008 --warmup 200 --seed 113 \
    --weight-presence 1 --weight-handedness 0.5 --look 0.8 --evaluate-every 1500 --data "$real:4" \
    --data "$palms/hands/train.jsonl:2" --data "$palms/people/train.jsonl:2" --data "$palms/signing/train.jsonl:1.5" \
    --data "$palms/signing_rooms/train.jsonl:0.7" --data "$palms/digits/train.jsonl:0.4" \
    --data "$palms/rooms/train.jsonl:0.8" --data "$palms/pasted/train.jsonl:0.7" \
    --data "$palms/pasted_more/train.jsonl:0.7" --data "$palms/pasted_close/train.jsonl:1.2" --data "$work/far:3" \
    --data "$work/others:1.5" --data "$work/far_pinches:1.5" --data "$work/other_pinches:1.5" --data "$free:1.2" \
    --data "$hard:0.4"
# The mean of the last two, with calibrated presence.
mean released before_far far_hands
python recipes/calibrate_presence.py "$work/released/checkpoint.pt" --hands "$real" --free "$real"
knuckle export "$work/released/calibrated.pt" --out "$work/bundle" --licence Apache-2.0
