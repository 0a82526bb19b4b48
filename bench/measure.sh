#!/usr/bin/env bash
# One command on a machine with a GPU, within ten minutes: the tests that need one, then the figures
# of bench/README.md, the ones that are awaited most first.
#
#   REFERENCE=DIR bash bench/measure.sh
#
# OUT        folder of the results, each there as soon as it is known: sen.json, rdg.json, where.tsv,
#            sen_live.json, and all that is said in measure.log; default results
# WHEELS     folder of wheels of what the machine lacks; default wheels
# REFERENCE  folder of the authors' public code; without it nothing is compared with theirs
# LIMIT      seconds that all of it may take, default 540; what no longer fits is skipped
#
# Goes on after a failure, says at its end what passed, and leaves with 1 where something did not.
# Needs torch, torchvision, torchaudio and pandas; what else is imported comes from the wheels.
set -uo pipefail

cd "$(dirname "$0")/.." || exit
out=${OUT:-results}
limit=${LIMIT:-540}
python=${PYTHON:-python}
. bench/wheels.sh

if [ -n "${REFERENCE:-}" ] && [ ! -f "$REFERENCE/steps/trainer.py" ]; then
    echo "REFERENCE $REFERENCE: got no steps/trainer.py; expected a copy of the authors' code" >&2
    exit 2
fi
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
export PYTHONPATH=$site${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
export PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 # whatever the machine has
install_wheels "${WHEELS:-wheels}" "$site" pytest || exit
mkdir -p "$out" || exit
rm -f "$out"/{sen,rdg,sen_live}.json "$out/where.tsv" "$out/measure.log"

grace=10 # seconds that a command has to end once it is told to
code=0
summary=

# step NAME RECKONED MOST ARGUMENTS...: runs Python for MOST seconds at most, if RECKONED are left.
step() {
    local name=$1 reckoned=$2 most=$3 said left=$((limit - SECONDS - grace)) start=$SECONDS
    shift 3
    if ((left < reckoned)); then
        said="skipped, $left s left of some $reckoned"
    else
        ((most < left)) || most=$left
        timeout --kill-after=$grace "$most" "$python" "$@" 2>&1 | tee -a "$out/measure.log"
        case ${PIPESTATUS[0]} in
            0) said=passed ;;
            124 | 137) said="stopped after $most s" ;;
            *) said=failed ;;
        esac
        said+=", $((SECONDS - start)) s"
    fi
    [[ $said = passed* ]] || code=1
    summary+="$name: $said"$'\n'
}

train() {
    step "$1" "$2" "$3" -m bench.train --scales paper --work "$1" --rounds 3 --steps 8 \
        --out "$out/$1.json" "${@:4}"
}

# Tests by name, since others import what such a machine lacks.
step tests 75 120 -m pytest -rs -p no:cacheprovider \
    tests/engine/test_{graphs,adam,device}.py tests/rdg/test_{step_on_gpu,norm_kernels}.py \
    tests/sen/test_{step_on_gpu,paired_gru,masked_norm}.py tests/vision/test_inception_kernels.py
train sen 105 160
train rdg 180 230 --batches 128 ${REFERENCE:+--reference "$REFERENCE"}
step where 45 70 -m bench.where --params presets/cub.yaml --precision bfloat16 --batch 128 \
    --out "$out/where.tsv"
train sen_live 140 170 ${REFERENCE:+--reference "$REFERENCE"}
printf '\n%s' "$summary" | tee -a "$out/measure.log"
exit $code
