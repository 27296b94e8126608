#!/bin/sh
# The photos of both recipes for landmarks, labelled by MediaPipe where its views agree: crops of hands (`real`), those
# of them without a hand (`real/free.jsonl`), and whole photos with all their palms (`palms`).
#
#     sh recipes/landmark_photos.sh PHOTOS/index.jsonl WORK/
set -eu
index=$1 work=$2
sources="subhih asl_letters lebanese_gestures hands_dguzk lab_gestures sign_digits rf100_signers indoor_no_hands"

[ -f "$work/real/done" ] || {
    python recipes/pseudo_labels.py "$index" "$work/real" --sources $sources
    grep '"hands": \[\]' "$work/real/train.jsonl" >"$work/real/free.jsonl"
    touch "$work/real/done"
}
sh recipes/palm_photos.sh "$index" "$work/palms"
