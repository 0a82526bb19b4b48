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
# STEPS    of the training, instead of rdg.steps of the parameters; the same in every call, since
#          checkpoints of another number are not gone on from
# RESULTS_BEFORE     results of an earlier call whose checkpoint a fresh machine goes on from
# BENCH    arguments of `python -m bench.train` to run first, such as "--work rdg --scales paper";
#          a measurement that fails is told and costs no training
#
# Needs torch, torchvision, torchaudio and pandas; pydantic, PyYAML, pyarrow, safetensors, filelock
# and tqdm are installed from wheels among the pieces where they are missing.
set -euo pipefail

cd "$(dirname "$0")/.."
out=${OUT:?the folder of the results}
pieces=${PIECES:-bench/pieces}
state=${STATE:-$HOME/.s2igan-gpu}
python=${PYTHON:-python}
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
    if compgen -G "$state/wheels/*.whl" >/dev/null &&
        ! "$python" -c 'import filelock, pyarrow, pydantic, safetensors, tqdm, yaml' 2>/dev/null; then
        "$python" -m pip install --quiet --no-index --no-deps --target "$state/site" "$state"/wheels/*.whl
    fi
    "$python" -m bench.pack --unpack "$state/packed"
    # Last of all, since it tells the next call that the inputs are whole.
    tar -xf "$state/inputs.tar" -C "$state" params.yaml
    rm -rf "$state/inputs.tar" "$state/pieces"
fi

if [ -n "${STEPS:-}" ]; then
    "$python" - "$state/params.yaml" "$STEPS" <<'END'
import sys, yaml
path, steps = sys.argv[1:]
params = yaml.safe_load(open(path))
params["rdg"]["steps"] = int(steps)
yaml.safe_dump(params, open(path, "w"), sort_keys=False)
END
fi
# Behind STEPS, since a checkpoint of other parameters is refused.
if [ -n "${RESULTS_BEFORE:-}" ]; then
    "$python" -m bench.results "$state" "$out" --restore "$RESULTS_BEFORE"
fi
if [ -n "${BENCH:-}" ]; then
    # shellcheck disable=SC2086 # several arguments are meant
    "$python" -m bench.train $BENCH --params "$state/params.yaml" --out "$out/bench.json" ||
        echo "bench.train failed; the training follows" >&2
fi

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
