#!/usr/bin/env bash
# Shows that the tests watch over what the engine's guarantees rest on: takes one of them out of a copy of the tree at
# a time and expects the tests named beside it to fail. Not part of the normal run; needs cargo-nextest, psql and, in
# DATABASE_URL (or .env), any database of a server on which it may create another, for the compiler to check queries.
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}" SQLX_OFFLINE=false
url="${DATABASE_URL:-$(sed -n 's/^DATABASE_URL=//p' .env 2>/dev/null || true)}"
: "${url:?set DATABASE_URL to a database of a server on which another may be created}"
name="mutation_check_$$"
copy="$(mktemp -d)"
trap 'rm -rf "$copy"; psql -qX "$url" -c "DROP DATABASE IF EXISTS $name"' EXIT
passed=0
failed=0

psql -qX "$url" -c "CREATE DATABASE $name"
export DATABASE_URL="${url%/*}/$name"
find migrations -name '*.sql' -printf '%f %p\n' | sort | while read -r _ file; do
    psql -qX -v ON_ERROR_STOP=1 "$DATABASE_URL" -f "$file" >/dev/null
done

# A fresh copy of what git knows, without the cache of queries, so that the mutated ones are read.
fresh() {
    rm -rf "${copy:?}/tree"
    mkdir "$copy/tree"
    git ls-files -z | xargs -0 cp --parents --target-directory "$copy/tree"
    rm -rf "$copy/tree/.sqlx"
}

# Runs the named tests of the copy; succeeds if all of them pass.
tests_pass() {
    (cd "$copy/tree" && cargo nextest run -p ticketflow --test it --no-fail-fast -- "$@") >"$copy/log" 2>&1
}

# mutate <what it takes away> <files, with blanks between> <sed expression> <test>...
mutate() {
    local what="$1" files="$2" expression="$3" file red
    shift 3
    fresh
    for file in $files; do
        sed -i -E "$expression" "$copy/tree/$file"
        if cmp -s "$file" "$copy/tree/$file"; then
            echo "FAIL  $what: the expression no longer matches anything in $file"
            failed=$((failed + 1))
            return
        fi
    done
    if ! (cd "$copy/tree" && cargo nextest run -p ticketflow --test it --no-run) >"$copy/log" 2>&1; then
        echo "FAIL  $what: the mutant does not build"
        tail -n 20 "$copy/log"
        failed=$((failed + 1))
        return
    fi
    for red in "$@"; do
        if tests_pass "$red"; then
            echo "FAIL  $what: $red does not notice"
            failed=$((failed + 1))
        elif ! grep -qE "1 test run: 0 passed, 1 (failed|timed out)" "$copy/log"; then
            echo "FAIL  $what: there is no test $red"
            failed=$((failed + 1))
        else
            echo "ok    $what: $red"
            passed=$((passed + 1))
        fi
    done
}

fresh
if ! tests_pass leases:: tampering:: waiting:: durability::; then
    tail -n 20 "$copy/log"
    echo "the tests fail without any mutation"
    exit 1
fi

# A statement for many buckets and its like for one are one statement here.
advance="engine/src/store/advance.sql engine/src/store/advance_in_bucket.sql"
mutate "no epoch in the fence of advance" "$advance" \
    's/ AND run\.epoch = item\.epoch//' \
    leases::a_run_handed_back_is_refused_to_whoever_held_it_before \
    durability::every_step_survives_a_result_that_comes_after_its_run_was_handed_back
mutate "no SKIP LOCKED on what is due" engine/src/store/claim.sql \
    '1,/^\), ready AS/ s/ SKIP LOCKED//' \
    leases::a_claim_of_what_is_due_skips_what_is_locked
mutate "no SKIP LOCKED on what is ready" engine/src/store/claim.sql \
    '/^\), ready AS/,$ s/ SKIP LOCKED//' \
    leases::a_claim_skips_what_is_locked
mutate "keys locked in another order" engine/src/store/claim.sql \
    's/ORDER BY key COLLATE "C"/ORDER BY key COLLATE "C" DESC/' \
    locks::locks_are_taken_in_one_order
mutate "no SKIP LOCKED in lining up" engine/src/store/claim.rs \
    's/ SKIP LOCKED//' \
    leases::what_is_due_is_lined_up_but_for_what_is_locked
mutate "no primary key on the log" migrations/engine/20261121000003_create_run_events.sql \
    's/^( +erased_digest .*),$/\1/; /PRIMARY KEY \(bucket, run_id, seq\)/d' \
    tampering::two_events_cannot_share_a_place_in_the_log
mutate "a run parks whatever it has seen" "$advance" \
    '/item\.signals_seen IS NULL OR/d' \
    waiting::a_run_parks_only_if_it_has_seen_every_signal
mutate "no trigger on the log" migrations/engine/20261121000003_create_run_events.sql \
    's/BEFORE UPDATE OR DELETE ON run_events/BEFORE UPDATE OF duration_ms ON run_events/' \
    tampering::the_log_refuses_to_be_changed
mutate "no Idempotency-Key" api/src/routes/tickets/submit.rs \
    's/idempotency_key\(&headers\)\?/None/' \
    processes::tickets_posted_while_the_api_is_killed_exist_once_and_complete \
    restart::tickets_posted_while_postgres_is_killed_exist_once_and_complete
mutate "an action nobody approved" steps/src/finalize/act.rs \
    '/self\.check_approved\(/d' \
    actions::an_edited_checkpoint_is_no_approval
mutate "a key for each try of an action" steps/src/finalize/act.rs \
    's#format!\("\{ticket\}/\{\}", proposal\.name\)#format!("{ticket}/{}", context.attempt())#' \
    actions::a_worker_killed_between_an_action_and_its_checkpoint_leaves_one_effect \
    actions::a_receiver_that_fails_hangs_and_breaks_off_is_called_again_under_the_same_key

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
