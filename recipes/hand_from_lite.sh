#!/bin/sh
# The landmark network of bundle `knuckle`: every weight goes on from MediaPipe's lite network.
#
#     sh recipes/hand_from_lite.sh PHOTOS/index.jsonl WORK/
#
# Labels are medians of twelve reads of each hand by MediaPipe's networks. Presence learns the regions that our palm
# network proposes; drawn hands keep left and right apart. Then channels are pruned, and training goes on against jitter
# and with rounding to 8 bits. log.md (Stages 4 to 8) has the figures. This is those stages in two. The released weights
# were trained by another program, with the same photos and kinds of losses.
#
# A stage ends after 150 minutes at the latest, and the recipe with it. Run it again with the same folders to resume.
set -eu
index=$1 work=$2
hands="subhih sign_digits asl_letters lebanese_gestures rf100_signers lab_gestures cut_at_the_edge letters_two_hands
    digits_anushka motion_blur white_walls_crops signing_woman bare_and_gloved gloves_workers"
regions="subhih asl_letters lebanese_gestures faces_no_hands animals_no_hands indoor_no_hands"

[ -f "$work/hands/done" ] || {
    python recipes/pseudo_labels.py "$index" "$work/hands" --sources $hands
    touch "$work/hands/done"
}
[ -f "$work/regions.jsonl" ] || python recipes/train_part.py "$index" "$work/regions.jsonl" --sources $regions \
    --incomplete bare_and_gloved gloves_workers
python recipes/drawn_hands.py "$work/drawn"

export OMP_NUM_THREADS=1
check=$work/hands/held_out.jsonl
. recipes/stage.sh

landmarks() {
    name=$1 steps=$2
    shift 2
    stage hand "$name" "$steps" --batch 128 --warmup 80 --ema 0.995 --look 0.4 --data "$work/hands/train.jsonl" \
        --data "$work/drawn/train.jsonl:0.04" \
        --candidate-data "$work/regions.jsonl" --candidate-beside --candidate-share 0.25 --weight-presence 0.2 \
        --weight-depth 0.1 --weight-world 0.2 --weight-bones 0 --weight-handedness 0.1 "$@"
}

landmarks lite 2500 --init mediapipe-lite --rate 0.000035
[ -f "$work/pruned.pt" ] || python recipes/prune_hand.py "$work/hands/train.jsonl" \
    --init "$work/lite/checkpoint.pt" --inner 16 32 48 64 --out "$work/pruned.pt"
landmarks pruned 4000 --init "$work/pruned.pt" --rate 0.00008 --pairs 0.4 --quantise
knuckle export "$work/pruned/checkpoint.pt" --pictures "$work/hands/held_out.jsonl" --out "$work/bundle" \
    --licence Apache-2.0
