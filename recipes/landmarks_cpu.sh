#!/bin/sh
# The landmark network of bundle `knuckle` on 2 CPU cores: data in about an hour, training in about 70 minutes.
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
OMP_NUM_THREADS=1 knuckle train landmarks --init new --side 128 --steps 14000 --warmup 300 --workers 1 --minutes 150 \
    --data "$work/real/train.jsonl:2" --data "$work/renders:3" --check "$work/real/held_out.jsonl" \
    --save-every 500 --evaluate-every 1000 --out "$work/run"
knuckle export "$work/run/checkpoint.pt" --out "$work/bundle" --licence Apache-2.0
