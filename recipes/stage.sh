# Sourced by the recipes: one stage of training, and the mean of several. Needs $work, and $check: labels to evaluate on.
#
#     stage TASK NAME STEPS OPTIONS
#     mean OUT NAME...
#
# The next stage starts from the last step of this one. So if a stage is not finished after 150 minutes, the recipe ends.
stage() {
    task=$1 name=$2 steps=$3
    shift 3
    knuckle train "$task" "$@" --steps "$steps" --out "$work/$name" --check "$check" --splits recipes/splits.json \
        --workers 1 --save-every 500 --minutes 150
    [ "$(tail -n 1 "$work/$name/train.csv" | cut -d, -f1)" = "$steps" ] || { echo "$name: run this again"; exit 0; }
}

mean() {
    out=$1
    shift
    mkdir -p "$work/$out"
    for name; do
        set -- "$@" "$work/$name/checkpoint.pt"
        shift
    done
    python recipes/average_weights.py "$work/$out/checkpoint.pt" "$@"
}
