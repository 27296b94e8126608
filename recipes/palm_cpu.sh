#!/bin/sh
# The palm networks of bundles `knuckle` and `knuckle-far` on 2 CPU cores: scenes in about half an hour, training in
# about seven hours.
#
#     sh recipes/palm_cpu.sh PHOTOS/index.jsonl WORK/ WORK_OF_LANDMARKS/
#
# The last folder is that of recipes/landmarks_cpu.sh: its photos with all palms, its hand-free pictures and its hard
# negatives are used. The recipe ends after at most 150 minutes of a stage. Run it again with the same folders until it
# has exported both bundles: it resumes where it stopped. One thread trains and one process prepares samples.
set -eu
index=$1 work=$2 landmarks=$3
photos=$landmarks/palms

sh recipes/palm_photos.sh "$index" "$photos"
knuckle synth scenes "$work/scenes" --count 6000 --side 384 --seed 33 --workers 2
knuckle synth scenes "$work/more" --count 2000 --side 384 --seed 21 --workers 2

export OMP_NUM_THREADS=1
check=$photos/hands/held_out.jsonl
. recipes/stage.sh
# release NAME BUNDLE: calibrate the scores and export.
release() {
    python recipes/calibrate_palms.py "$work/$1/checkpoint.pt" --free "$photos/hands/train.jsonl" \
        --data "$photos/hands/train.jsonl"
    knuckle export "$work/$1/calibrated.pt" --hand knuckle --out "$work/$2" --licence Apache-2.0
}

stage palm run 26000 --init new --warmup 300 --batch 32 --rate 0.002 --seed 20 --evaluate-every 2000 \
    --data "$photos/hands/train.jsonl:1" --data "$photos/people/train.jsonl:0.8" \
    --data "$photos/digits/train.jsonl:0.2" --data "$work/scenes:0.85" --data "$work/more:0.25" \
    --data "$landmarks/hard/hard.jsonl:0.15"
# A teacher, and people in other rooms.
stage palm taught 12500 --init "$work/run/checkpoint.pt" --teacher mediapipe --warmup 300 --batch 32 --rate 0.0012 \
    --seed 31 --evaluate-every 2000 --data "$photos/hands/train.jsonl:1" --data "$photos/people/train.jsonl:0.7" \
    --data "$photos/rooms/train.jsonl:0.9" --data "$photos/digits/train.jsonl:0.15" --data "$work/scenes:0.6" \
    --data "$work/more:0.2" --data "$landmarks/hard/hard.jsonl:0.15"
# The hands of many people pasted into those rooms. More hand-free pictures, because a network that had a teacher has more
# false positives.
set -- --data "$photos/hands/train.jsonl:1" --data "$photos/people/train.jsonl:0.7" \
    --data "$photos/rooms/train.jsonl:0.8" --data "$photos/pasted/train.jsonl:1" \
    --data "$photos/digits/train.jsonl:0.15" --data "$work/scenes:0.9" --data "$work/more:0.3" \
    --data "$landmarks/hard/hard.jsonl:0.5" --data "$landmarks/real/free.jsonl:0.35"
stage palm pasted 11200 --init "$work/taught/checkpoint.pt" --teacher mediapipe --warmup 200 --batch 32 --rate 0.001 \
    --seed 51 --evaluate-every 2500 "$@"
# The mean of the two has the same recall and fewer false positives.
mean two taught pasted
# Longer, without the teacher (a step takes two thirds of the time).
stage palm longer 16000 --init "$work/two/checkpoint.pt" --warmup 200 --batch 32 --rate 0.0008 --seed 71 \
    --evaluate-every 2500 "$@"
# The same weights for pictures of 320 px.
stage palm longer_far 1200 --init "$work/longer/checkpoint.pt" --side 320 --warmup 50 --batch 16 --rate 0.0006 --seed 74 \
    --evaluate-every 1200 "$@"
# People who sign, other scenes, and harder hand-free pictures.
knuckle synth scenes "$work/others" --count 4000 --side 384 --seed 133 --workers 2
set -- --data "$photos/hands/train.jsonl:1.3" --data "$photos/people/train.jsonl:0.7" \
    --data "$photos/rooms/train.jsonl:0.7" --data "$photos/pasted/train.jsonl:0.9" \
    --data "$photos/signing/train.jsonl:0.5" --data "$photos/signing_rooms/train.jsonl:0.5" \
    --data "$photos/digits/train.jsonl:0.12" --data "$work/others:0.9" --data "$landmarks/real/free.jsonl:0.8" \
    --data "$landmarks/hard/hard.jsonl:0.15"
stage palm signing 9200 --init "$work/longer/checkpoint.pt" --warmup 200 --batch 32 --rate 0.0008 --seed 97 \
    --evaluate-every 2500 "$@"
# The mean with the previous weights has a higher recall than either at as few false positives.
mean two_more longer signing
stage palm signing_far 600 --init "$work/two_more/checkpoint.pt" --side 320 --warmup 50 --batch 16 --rate 0.0006 \
    --seed 98 --evaluate-every 600 "$@"
mean two_far longer_far signing_far
# More pasted hands, some backlit; other scenes again.
knuckle synth scenes "$work/still_others" --count 4000 --side 384 --seed 233 --workers 2
set -- --data "$photos/hands/train.jsonl:1.3" --data "$photos/people/train.jsonl:0.7" \
    --data "$photos/rooms/train.jsonl:0.7" --data "$photos/pasted/train.jsonl:0.5" \
    --data "$photos/pasted_more/train.jsonl:0.5" --data "$photos/pasted_close/train.jsonl:0.5" \
    --data "$photos/signing/train.jsonl:0.5" --data "$photos/signing_rooms/train.jsonl:0.5" \
    --data "$photos/digits/train.jsonl:0.12" --data "$work/still_others:0.6" --data "$work/others:0.4" \
    --data "$landmarks/real/free.jsonl:0.8" --data "$landmarks/hard/hard.jsonl:0.15"
stage palm backlit 11000 --init "$work/two_more/checkpoint.pt" --warmup 200 --batch 32 --rate 0.0008 --seed 117 \
    --evaluate-every 2500 "$@"
mean released two_more backlit
release released bundle
stage palm backlit_far 600 --init "$work/released/checkpoint.pt" --side 320 --warmup 50 --batch 16 --rate 0.0006 \
    --seed 118 --evaluate-every 600 "$@"
mean far two_far backlit_far
release far bundle_far
