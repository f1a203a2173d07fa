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

# A directory with initdb and pg_ctl: that of the PATH, else the newest of the system's packages.
initdb=$(command -v initdb || find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort --version-sort | tail -n 1)
if [ -z "$initdb" ]; then
    say "PostgreSQL's programs are missing: install them (apt-get install postgresql), or put initdb in the PATH"
    exit 1
fi
bin=$(dirname "$(readlink --canonicalize "$initdb")")

cluster=$(mktemp --directory)
scratch=${PEERS_DIR:-}
if [ -z "$scratch" ]; then
    scratch=$(mktemp --directory)
    remove=("$cluster" "$scratch")
else
    mkdir --parents "$scratch"
    scratch=$(readlink --canonicalize "$scratch")
    remove=("$cluster")
fi

# PostgreSQL refuses to run as root.
as_server() { "$@"; }
if [ "$(id -u)" -eq 0 ]; then
    chown postgres "$cluster"
    as_server() { runuser --user postgres -- "$@"; }
fi

harness=
# shellcheck disable=SC2329  # called by the trap
stop() {
    if [ -n "$harness" ] && kill "$harness" 2>/dev/null; then
        wait "$harness" || true
    fi
    (cd / && as_server "$bin/pg_ctl" stop --pgdata "$cluster/data" --mode immediate --silent) 2>/dev/null || true
    rm --recursive --force "${remove[@]}"
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

start_postgres() (
    cd "$cluster"
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    as_server "$bin/initdb" --pgdata data --username postgres --auth trust >/dev/null
    # Durability is as it comes.
    as_server tee --append data/postgresql.conf >/dev/null <<CONF
port = $port
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = '1GB'
max_wal_size = '4GB'
shared_preload_libraries = 'pg_stat_statements'
pg_stat_statements.max = 10000
log_min_messages = warning
CONF
    as_server "$bin/pg_ctl" start --pgdata data --log log --wait --silent >/dev/null
    echo "$port"
)

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
PGPORT=$(start_postgres)
export PGPORT PGHOST=127.0.0.1 PGUSER=postgres PATH="$PATH:$bin"
# Nobody's own settings are measured.
unset "${!TICKETFLOW_@}" DATABASE_URL

python3 "$scratch/peers.py" "$@" &
harness=$!
wait "$harness"
