#!/usr/bin/env bash
# One command on a machine with a GPU: trains the RDG on packed inputs for some minutes and hands
# back results. Called again, it goes on from its checkpoint.
#
#   OUT=results bash bench/gpu.sh
#
# OUT      folder of the results, at most eight files of at most 16 MiB
# PIECES   folder of the pieces of `python -m bench.pack`, all of them or the next ones;
#          default bench/pieces
# STATE    folder that outlives the call: pieces, artifacts, checkpoints; default ~/.s2igan-gpu
# SECONDS_TO_TRAIN   after which the training is told to stop; default 480
# STEPS    of the training, instead of rdg.steps of the parameters; another number than before is
#          refused, since its checkpoints cannot be gone on from
# RESULTS_BEFORE     results of an earlier call whose checkpoint a fresh machine goes on from
#
# Needs torch, torchvision, torchaudio and pandas; pydantic, PyYAML, pyarrow, safetensors, filelock
# and tqdm are installed from wheels among the pieces where they are missing.
set -euo pipefail

cd "$(dirname "$0")/.."
out=${OUT:?the folder of the results}
pieces=${PIECES:-bench/pieces}
state=${STATE:-$HOME/.s2igan-gpu}
python=${PYTHON:-python}
. bench/wheels.sh
mkdir -p "$out" "$state/pieces"
state=$(cd "$state" && pwd)
out=$(cd "$out" && pwd)
# Nothing of this run goes anywhere but into the two folders.
export DVC_ROOT=$state S2IGAN_TRACKING=off PYTHONPATH=$state/site${PYTHONPATH:+:$PYTHONPATH}
export TORCHINDUCTOR_CACHE_DIR=$state/compiled TRITON_CACHE_DIR=$state/compiled/triton

if [ ! -f "$state/params.yaml" ]; then
    if [ -d "$pieces" ]; then cp "$pieces"/inputs.* "$state/pieces/"; fi
    if ! lacking=$("$python" -m bench.parts missing "$state/pieces" inputs); then
        echo "waiting for more pieces: $lacking" | tee "$out/waiting.txt"
        exit 0
    fi
    "$python" -m bench.parts join "$state/pieces" inputs "$state/inputs.tar"
    tar -xf "$state/inputs.tar" -C "$state" --exclude=params.yaml
    install_wheels "$state/wheels" "$state/site"
    "$python" -m bench.pack --unpack "$state/packed"
    # Last of all and at once, since it tells the next call that the inputs are whole.
    cp "$state/pieces/inputs.json" "$state"
    tar -xOf "$state/inputs.tar" params.yaml >"$state/params.partial"
    mv "$state/params.partial" "$state/params.yaml"
    rm -rf "$state/inputs.tar" "$state/pieces"
elif [ -f "$pieces/inputs.json" ] && ! cmp -s "$pieces/inputs.json" "$state/inputs.json"; then
    echo "PIECES $pieces: got other inputs than $state holds; take those, or another STATE" >&2
    exit 2
fi

"$python" -m bench.begin "$state" ${STEPS:+--steps "$STEPS"} \
    ${RESULTS_BEFORE:+--restore "$RESULTS_BEFORE"}

if [ ! -f "$state/rdg/rdg.json" ]; then
    packed=$state/packed
    status=0
    timeout --signal=TERM --kill-after=30 "${SECONDS_TO_TRAIN:-480}" \
        "$python" -m stages.train_rdg --params "$state/params.yaml" \
        --corpus "$packed/corpus" --features "$packed/features" \
        --embeddings "$packed/embeddings" --sen "$packed/sen" --weights "$packed/weights" \
        --rdg "$state/rdg" --curves "$state/curves.tsv" --grid "$state/grid.png" || status=$?
    # Told to stop after its time (124 by timeout, 143 by the stage, 137 killed): not a failure.
    case $status in 0 | 124 | 137 | 143) ;; *) exit "$status" ;; esac
fi
"$python" -m bench.results "$state" "$out"
