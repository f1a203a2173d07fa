#!/usr/bin/env bash
# Rolls this tree's program out over an older one, under load, and checks that nothing is lost: scripts/upgrade-check.sh [REVISION]
#
# The older program's API and worker take posted tickets; this program migrates their database; its API and worker start beside
# them, clients move over, and the older ones are stopped. Every post has to be acknowledged, every acknowledged ticket has to be
# done or wait for a person in the end, some have to be begun by the one program and ended by the other, and the audit has to be
# clean. REVISION is the commit before the newest migration unless named.
#
# Needs git, cargo, Python 3 and PostgreSQL's programs. Builds without optimisation, in cargo's target directory.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null

# Acknowledged tickets between one step and the next.
readonly BETWEEN=60
# Longest wait for anything, in seconds.
readonly PATIENCE=180
# Pause before every step of a ticket, so that workers hold some at any time, and leases that end soon.
readonly WORKER=(worker --pace 200ms --lease 5s --capacity 32)

say() { echo "== $* (${SECONDS}s)"; }
fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# shellcheck source=scripts/private-postgres.sh
. scripts/private-postgres.sh

newest() { git log -1 --no-merges --diff-filter=A --format=%H -- migrations; }
revision=$(git rev-parse --verify --quiet "${1:-$(newest)^}^{commit}") || fail "there is no revision ${1:-before the newest migration}"

scratch=$(mktemp --directory)
acknowledged=$scratch/acknowledged
url_file=$scratch/url
processes=()
# shellcheck disable=SC2329  # called by the trap
stop() {
    local status=$?
    [ "${#processes[@]}" -eq 0 ] || kill -KILL "${processes[@]}" 2>/dev/null || true
    if [ "$status" -ne 0 ]; then
        tail --lines 5 "$scratch"/*.log >&2 2>/dev/null || true
    fi
    end_private_postgres
    rm --recursive --force "$scratch"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# build NAME DIRECTORY: builds the program there, and puts a copy beside the other's.
build() {
    (cd "$2" && SQLX_OFFLINE=true cargo build --quiet --locked --target-dir "$target")
    cp "$target/debug/ticketflow" "$scratch/$1"
}

# start NAME ARGUMENT...: starts a process whose log is NAME.log, and sets `started` to its id.
start() {
    local name=$1
    shift
    "$@" >"$scratch/$name.log" 2>&1 &
    started=$!
    processes+=("$started")
}

# until_so WHAT COMMAND...: waits until the command succeeds.
until_so() {
    local what=$1 until=$((SECONDS + PATIENCE))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$until" ] || fail "$what: not within $PATIENCE s"
        sleep 0.1
    done
}

# ends WHAT PID: tells a process to stop, and expects it to end well.
ends() {
    kill -TERM "$2"
    wait "$2" || fail "$1 ended with $?"
}

sql() { psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --dbname "$PGDATABASE" "$@"; }

address() { sed --quiet 's|.*\(http://127[^ ]*\).*|\1|p' "$scratch/$1.log" | head -n 1 | grep .; }
is_registered() { [ "$(sql --command "SELECT count(*) FROM workers WHERE name LIKE '%-$1'")" -eq 1 ]; }
are_acknowledged() {
    [ ! -s "$scratch/clients.log" ] || fail "a post was refused"
    [ "$(grep --count " $2\$" "$acknowledged")" -ge "$1" ]
}
# More tickets are acknowledged at the address where clients post now; so many that no client is still posting elsewhere.
go_on() {
    local url before
    url=$(cat "$url_file")
    before=$(grep --count " $url\$" "$acknowledged" || true)
    until_so "$BETWEEN more tickets at $url" are_acknowledged $((before + BETWEEN)) "$url"
}
are_settled() {
    [ "$(sql --command "SELECT count(*) FROM live_runs WHERE state IN ('ready', 'leased', 'sleeping')")" -eq 0 ]
}

target=$(readlink --canonicalize-missing "${CARGO_TARGET_DIR:-target}")
tree=$target/upgrade-check
say "building $(git log -1 --format='%h (%s)' "$revision")"
rm --recursive --force "$tree"
mkdir --parents "$tree"
# Files as new as they are written: cargo goes by their times, and the directory had other revisions before.
git archive "$revision" | tar --extract --touch --directory "$tree"
build old "$tree"
rm --recursive --force "$tree"
say "building this tree"
build new .
! cmp --silent "$scratch/old" "$scratch/new" || fail "both revisions make the same program"

private_postgres <<<"max_connections = 200"
createdb upgrade
export PGDATABASE=upgrade DATABASE_URL="postgres://$PGUSER@$PGHOST:$PGPORT/upgrade" TICKETFLOW_LOG=warn TICKETFLOW_CONFIG=/dev/null
"$scratch/old" migrate >"$scratch/old-migrate.log" 2>&1

say "the older program takes tickets"
start old-api "$scratch/old" api --listen 127.0.0.1:0
old_api=$started
until_so "the older API's address" address old-api >"$url_file"
start old-worker "$scratch/old" "${WORKER[@]}"
old_worker=$started
until_so "the older worker" is_registered "$old_worker"
touch "$acknowledged"
start clients python3 scripts/post-tickets.py "$url_file" "$acknowledged"
posting=$started
go_on

say "migrating under it"
"$scratch/new" migrate 2>&1 | tee "$scratch/new-migrate.log"
go_on

say "starting this program beside it"
start new-api "$scratch/new" api --listen 127.0.0.1:0
new_api=$started
until_so "the new API's address" address new-api >"$scratch/new-url"
start new-worker "$scratch/new" "${WORKER[@]}"
new_worker=$started
until_so "the new worker" is_registered "$new_worker"
go_on
mv "$scratch/new-url" "$url_file"
go_on

say "stopping the older program"
ends "the older worker" "$old_worker"
ends "the older API" "$old_api"
go_on
ends "a post was refused: the clients" "$posting"

say "waiting for the last tickets"
until_so "all tickets are done or wait for a person" are_settled
ends "the new worker" "$new_worker"
ends "the new API" "$new_api"
processes=()

cut --delimiter ' ' --fields 2 "$acknowledged" | sql --command "CREATE TABLE acknowledged (id uuid)" --command "COPY acknowledged FROM STDIN"
lost=$(sql --command "SELECT count(*) FROM acknowledged LEFT JOIN tickets USING (id)
                      WHERE status IS NULL OR status NOT IN ('completed', 'awaiting_approval')")
handed_over=$(sql --command "SELECT count(*) FROM (SELECT FROM run_events WHERE actor LIKE 'worker:%-$old_worker' OR actor LIKE 'worker:%-$new_worker'
                             GROUP BY bucket, run_id HAVING count(DISTINCT actor) = 2) AS run")
[ "$lost" -eq 0 ] || fail "$lost of $(wc --lines <"$acknowledged") acknowledged tickets did not come to their end"
[ "$handed_over" -gt 0 ] || fail "no ticket was begun by the older program and ended by this one: nothing was checked"
"$scratch/new" audit verify
say "$(wc --lines <"$acknowledged") acknowledged tickets, none refused or lost, $handed_over handed over"
