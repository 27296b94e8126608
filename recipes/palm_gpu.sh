#!/bin/sh
# The palm network of bundle `knuckle` on one GPU, longer and on more scenes than recipes/palm_cpu.sh.
#
#     sh recipes/palm_gpu.sh PHOTOS/index.jsonl WORK/ WORK_OF_LANDMARKS/
#
# The last folder is that of recipes/landmarks_gpu.sh or landmarks_cpu.sh. Training ends after at most 25 minutes with a
# checkpoint. Run the recipe again with the same folders until all steps are done.
set -eu
index=$1 work=$2 landmarks=$3
photos=$landmarks/palms cores=$(nproc)

sh recipes/palm_photos.sh "$index" "$photos"
knuckle synth scenes "$work/scenes" --count 40000 --side 384 --seed 21 --workers "$cores"
knuckle train palm --init new --teacher mediapipe --steps 60000 --batch 256 --rate 0.004 --warmup 1000 --minutes 25 \
    --workers "$cores" --data "$photos/hands/train.jsonl:1" --data "$photos/people/train.jsonl:0.7" \
    --data "$photos/rooms/train.jsonl:0.8" --data "$photos/pasted/train.jsonl:1" \
    --data "$photos/signing/train.jsonl:0.5" --data "$photos/signing_rooms/train.jsonl:0.5" \
    --data "$photos/digits/train.jsonl:0.15" --data "$work/scenes:0.8" --data "$landmarks/hard/hard.jsonl:0.6" \
    --data "$landmarks/real/free.jsonl:0.4" --check "$photos/hands/held_out.jsonl" \
    --splits recipes/splits.json --out "$work/run"
python recipes/calibrate_palms.py "$work/run/checkpoint.pt" --free "$photos/hands/train.jsonl"
knuckle export "$work/run/calibrated.pt" --hand knuckle --out "$work/bundle" --licence Apache-2.0
