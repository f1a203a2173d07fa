#!/usr/bin/env bash
# ticketflow beside other durable workflow engines, each with the same six steps, on one private PostgreSQL:
# scripts/peers.sh [--workflows N] [--rounds R] [--only ENGINE]...
# Prints a Markdown table. What is installed is pinned in benches/peers.
#
# Needs Python 3.11 or newer, PostgreSQL's programs, and cargo; npm for the engines from npm, Python's venv for those from PyPI.
# Engines that cannot be installed are named as skipped, with the reason.
# TICKETFLOW names a built program to measure, instead of an optimised build of this tree.
# PEERS_DIR names a directory to install the engines in, which is kept; otherwise they are installed anew each time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null

say() { echo "$*" >&2; }

# What is wrong with the arguments is said before anything is installed.
TICKETFLOW=${TICKETFLOW:-} PEERS_CHECK_ARGUMENTS=1 python3 benches/peers/peers.py "$@"
case " $* " in *" -h "* | *" --help "*) exit ;; esac

# shellcheck source=scripts/private-postgres.sh
. scripts/private-postgres.sh

remove=
if [ -z "${PEERS_DIR:-}" ]; then
    scratch=$(mktemp --directory)
    remove=$scratch
else
    mkdir --parents "$PEERS_DIR"
    scratch=$(readlink --canonicalize "$PEERS_DIR")
fi

harness=
# shellcheck disable=SC2329  # called by the trap
stop() {
    if [ -n "$harness" ] && kill "$harness" 2>/dev/null; then
        wait "$harness" || true
    fi
    end_private_postgres
    [ -z "$remove" ] || rm --recursive --force "$remove"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Runs an installation whose output is only worth reading if it fails. Says in a line why, if it does.
attempt() {
    local log=$scratch/$1.log
    shift
    "$@" >"$log" 2>&1 || { grep --extended-regexp --ignore-case --max-count 1 'error|not found|no module' "$log" || tail -n 1 "$log"; }
}

install_npm() { npm ci --prefix "$scratch" --no-audit --no-fund; }

install_python() {
    python3 -m venv "$scratch/venv" || return
    "$scratch/venv/bin/python" -m pip install --disable-pip-version-check --requirement "$scratch/requirements.txt"
}

if [ -z "${TICKETFLOW:-}" ]; then
    say "building ticketflow"
    SQLX_OFFLINE=true cargo build --quiet --locked --release
    target=$(cargo metadata --format-version 1 --no-deps --offline | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
    TICKETFLOW=$target/release/ticketflow
fi
TICKETFLOW=$(readlink --canonicalize-existing "$TICKETFLOW")
export TICKETFLOW

say "installing the engines"
cp --recursive benches/peers/. "$scratch/"
NPM_MISSING=$(attempt npm install_npm)
PYPI_MISSING=$(attempt python install_python)
export NPM_MISSING PYPI_MISSING

say "starting PostgreSQL"
# Durability is as it comes.
private_postgres <<CONF
max_connections = 200
shared_buffers = '1GB'
max_wal_size = '4GB'
shared_preload_libraries = 'pg_stat_statements'
pg_stat_statements.max = 10000
log_min_messages = warning
CONF
# Nobody's own settings are measured.
unset "${!TICKETFLOW_@}" DATABASE_URL

python3 "$scratch/peers.py" "$@" &
harness=$!
wait "$harness"
