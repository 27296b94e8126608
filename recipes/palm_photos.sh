#!/bin/sh
# Label all palms of the photos that the training recipes use, and compose more pictures of them.
#
#     sh recipes/palm_photos.sh PHOTOS/index.jsonl WORK/
#
# Writes these folders, each with train.jsonl:
#     hands             close hands, and rooms without hands
#     people            people in rooms, whose hands are small
#     digits            hands that show digits before plain walls
#     gloves            hands bare and in gloves; many have only the boxes that people drew
#     rooms_and_walls   one or two hands of one person, in many rooms, also blurred
#     free              faces, animals, trees and rooms without hands
#     rooms             those people in other rooms and clothes
#     pasted…           hands of digits and hands, small, in rooms and before people
#     signing           frames of clips in PHOTOS/video of people who sign
#     signing_rooms     those people in other rooms
set -eu
index=$1 work=$2 video=$(dirname "$1")/video

label() {
    name=$1
    shift
    [ -f "$work/$name/done" ] && return
    python recipes/pseudo_palms.py "$index" "$work/$name" --sources "$@"
    touch "$work/$name/done"
}
label hands subhih asl_letters lebanese_gestures indoor_no_hands
label people lab_gestures rf100_signers
label digits sign_digits
label gloves bare_and_gloved gloves_workers gloves_other
label rooms_and_walls letters_two_hands digits_anushka motion_blur white_walls_crops signing_woman cut_at_the_edge \
    letters_hawk white_wall
label free indoor_no_hands faces_no_hands animals_no_hands trees_no_hands
[ -f "$work/rooms/done" ] || {
    python recipes/other_rooms.py "$work/people/train.jsonl" "$work/hands/train.jsonl" "$work/rooms" \
        --source rf100_signers --rooms-source indoor_no_hands --count 1600 --seed 5
    touch "$work/rooms/done"
}
# paste NAME HANDS COUNT SEED
paste() {
    [ -f "$work/$1/done" ] && return
    python recipes/pasted_hands.py "$work/$2/train.jsonl" "$work/$1" --rooms "$work/hands/train.jsonl" \
        --rooms "$work/rooms/train.jsonl" --count "$3" --seed "$4"
    touch "$work/$1/done"
}
paste pasted digits 3000 1
paste pasted_more digits 1600 9
paste pasted_close hands 1600 8
paste pasted_walls rooms_and_walls 500 31
[ -f "$work/signing/done" ] || {
    python recipes/clip_hands.py "$work/signing" "$video/asl_brother.mkv" "$video/asl_help.mkv" "$video/asl_learn.mkv" \
        "$video/asl_student.mkv" "$video/asl_walk.mkv" "$video/asl_yes.mkv" --source asl_clips --licence CC-BY-4.0
    touch "$work/signing/done"
}
[ -f "$work/signing_rooms/done" ] || {
    python recipes/other_rooms.py "$work/signing/train.jsonl" "$work/hands/train.jsonl" "$work/signing_rooms" \
        --source asl_clips --rooms-source indoor_no_hands --place "$work/signing/place.png" --count 1200 --seed 6
    touch "$work/signing_rooms/done"
}
