#!/bin/sh
# Label the photos that the recipes for the landmark network use: crops around hands (`real`), hand-free pictures
# (`real/free.jsonl`), and whole photos with all their palms (`palms`).
#
#     sh recipes/landmark_photos.sh PHOTOS/index.jsonl WORK/
set -eu
index=$1 work=$2
sources="subhih asl_letters lebanese_gestures lab_gestures sign_digits rf100_signers indoor_no_hands"

[ -f "$work/real/done" ] || {
    python recipes/pseudo_labels.py "$index" "$work/real" --sources $sources
    grep '"hands": \[\]' "$work/real/train.jsonl" >"$work/real/free.jsonl"
    touch "$work/real/done"
}
sh recipes/palm_photos.sh "$index" "$work/palms"
