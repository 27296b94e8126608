#!/bin/sh
# The photos of all recipes for training, with all their palms labelled by MediaPipe where its views agree.
#
#     sh recipes/palm_photos.sh PHOTOS/index.jsonl WORK/
#
# Close hands; people in rooms, whose hands are small and whose faces and clothes are not hands; digits on plain walls;
# people before plain walls put into other rooms and clothes; the hands that showed digits, small, in rooms and before
# people.
set -eu
index=$1 work=$2

label() {
    name=$1
    shift
    [ -f "$work/$name/done" ] && return
    python recipes/pseudo_palms.py "$index" "$work/$name" --sources "$@"
    touch "$work/$name/done"
}
label hands subhih asl_letters lebanese_gestures hands_dguzk indoor_no_hands
label people lab_gestures rf100_signers
label digits sign_digits
[ -f "$work/rooms/done" ] || {
    python recipes/other_rooms.py "$work/people/train.jsonl" "$work/hands/train.jsonl" "$work/rooms" \
        --source rf100_signers --rooms-source indoor_no_hands --count 1600 --seed 5
    touch "$work/rooms/done"
}
[ -f "$work/pasted/done" ] || {
    python recipes/pasted_hands.py "$work/digits/train.jsonl" "$work/pasted" --rooms "$work/hands/train.jsonl" \
        --rooms "$work/rooms/train.jsonl" --count 3000 --seed 1
    touch "$work/pasted/done"
}
