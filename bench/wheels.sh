# Sourced by gpu.sh and measure.sh, which set $python.

# install_wheels FOLDER SITE MODULES: installs the wheels of FOLDER into SITE, beside what the machine
# has, where it lacks a module of a list with commas.
install_wheels() {
    if compgen -G "$1/*.whl" >/dev/null && ! "$python" -c "import $3" 2>/dev/null; then
        "$python" -m pip install --quiet --no-index --no-deps --upgrade --target "$2" "$1"/*.whl
    fi
}
