# Sourced by gpu.sh and measure.sh, which set $python and pipefail.

# install_wheels FOLDER SITE [MODULES]: where the machine lacks what s2igan is imported with, or one
# of MODULES, installs the wheels of FOLDER into SITE; returns 2 where something is lacking still.
install_wheels() {
    local imports="import filelock, pyarrow, pydantic, safetensors, tqdm, yaml${3:+, $3}" lacking
    if "$python" -c "$imports" 2>/dev/null; then return; fi
    if compgen -G "$1/*.whl" >/dev/null; then
        "$python" -m pip install --quiet --no-index --no-deps --upgrade --target "$2" "$1"/*.whl
    fi
    if ! lacking=$("$python" -c "$imports" 2>&1 | tail -n 1); then
        echo "wheels in $1: $lacking; expected one there for this Python (bench/README.md)" >&2
        return 2
    fi
}
