# Recipes for everyday work; `just` lists them.

_default:
    @just --list

# Everything a change has to pass: what CI runs
check: tools
    .ci/run

# The tools of `check` that .ci/run does not install by itself
tools:
    command -v cargo-sqlx >/dev/null || cargo install --locked --debug sqlx-cli --no-default-features --features postgres,rustls

# The tests
test *arguments:
    cargo nextest run --workspace {{ arguments }}

# Start everything, submit the sample tickets, kill a worker, audit
demo *arguments:
    cargo run --release -- demo {{ arguments }}

# Measure the engine on a scratch database of the server that DATABASE_URL names
bench *arguments:
    cargo run --release -- bench {{ arguments }}

# Measure ticketflow beside other engines
peers *arguments:
    scripts/peers.sh {{ arguments }}

# Roll this program out over an older revision's, under load, and see that nothing is lost
upgrade-check *arguments:
    scripts/upgrade-check.sh {{ arguments }}

# Write the query metadata in .sqlx anew, after a change to a query or a migration
prepare: tools
    .ci/run prepare

# Take what the guarantees rest on out of a copy of the code, one by one, and see the tests named for it fail
mutation-check:
    scripts/mutation-check.sh

# Change the code in small ways and see which changes no test notices
mutation *arguments:
    command -v cargo-mutants >/dev/null || cargo install --locked cargo-mutants
    cargo mutants --test-tool nextest {{ arguments }}
