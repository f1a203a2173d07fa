# shellcheck shell=bash
# A PostgreSQL of a script's own, on a free port of this machine, from the installed programs; to be sourced.
#
#   private_postgres <<<"shared_buffers = '1GB'"    starts it with such settings beside its defaults; sets PGHOST, PGPORT, PGUSER and
#                                                   puts its programs in the PATH
#   end_private_postgres                            ends it and removes its data

postgres_data=

# PostgreSQL refuses to run as root.
as_server() {
    if [ "$(id -u)" -eq 0 ]; then
        runuser --user postgres -- "$@"
    else
        "$@"
    fi
}

private_postgres() {
    local initdb bin
    # That of the PATH, else the newest of the system's packages.
    initdb=$(command -v initdb || find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort --version-sort | tail -n 1)
    if [ -z "$initdb" ]; then
        echo "PostgreSQL's programs are missing: install them (apt-get install postgresql), or put initdb in the PATH" >&2
        return 1
    fi
    bin=$(dirname "$(readlink --canonicalize "$initdb")")
    postgres_data=$(mktemp --directory)
    [ "$(id -u)" -ne 0 ] || chown postgres "$postgres_data"
    PGPORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    export PGPORT PGHOST=127.0.0.1 PGUSER=postgres PATH="$PATH:$bin"
    pushd "$postgres_data" >/dev/null || return
    as_server "$bin/initdb" --pgdata data --username postgres --auth trust >/dev/null
    {
        printf "port = %s\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n" "$PGPORT"
        cat
    } | as_server tee --append data/postgresql.conf >/dev/null
    as_server "$bin/pg_ctl" start --pgdata data --log log --wait --silent >/dev/null
    popd >/dev/null || return
}

end_private_postgres() {
    [ -n "$postgres_data" ] || return 0
    (cd "$postgres_data" && as_server pg_ctl stop --pgdata data --mode immediate --silent) 2>/dev/null || true
    rm --recursive --force "$postgres_data"
}
