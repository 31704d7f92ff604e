# Sourced by the other scripts: brings a fresh Debian or Raspberry Pi OS to where sensed runs.
# shellcheck shell=bash

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "sensed: these packages are needed and there is no sudo; as root: $*" >&2
        return 1
    fi
}

# need_packages COMMAND-OR-CHECK=PACKAGE...: installs the packages whose check fails.
need_packages() {
    local pair missing=()
    for pair in "$@"; do
        PATH="$PATH:/usr/sbin" bash -c "${pair%%=*}" >/dev/null 2>&1 || missing+=("${pair#*=}")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    echo "sensed: installing ${missing[*]}" >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" >/dev/null
}

# need_venv EXTRAS: a virtual environment in .venv with sensed and its EXTRAS ("" or "[test]").
need_venv() {
    local stamp wanted
    need_packages "python3 -c 'import ensurepip, venv'=python3-venv"
    stamp=.venv/.sensed-stamp
    wanted="$1 $(python3 -V) $(sha256sum pyproject.toml)"
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return 0
    echo "sensed: setting up .venv" >&2
    python3 -m venv --clear .venv
    .venv/bin/pip install --quiet --disable-pip-version-check --editable ".$1"
    echo "$wanted" >"$stamp"
}
