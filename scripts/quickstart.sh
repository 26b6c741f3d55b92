#!/usr/bin/env bash
# From nothing to a complete HACS database: finds or installs PostgreSQL, starts a throwaway cluster, builds, migrates.
#
#   scripts/quickstart.sh                    a throwaway cluster below the temporary directory
#   DATABASE_URL=… scripts/quickstart.sh     that database; nothing is started
#   scripts/quickstart.sh stop               stops the throwaway cluster and removes it
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

home=${HACS_QUICKSTART_DIR:-${TMPDIR:-/tmp}/hacs-quickstart-$(id -u)}

running() { as_server "$bin/pg_ctl" -D "$home/data" status >/dev/null 2>&1; }

start_cluster() {
    mkdir -p "$home"
    if [ "$(id -u)" = 0 ]; then chown "$(server_user)" "$home"; fi
    if [ ! -s "$home/data/PG_VERSION" ]; then
        say "making a throwaway cluster in $home"
        as_server "$bin/initdb" -D "$home/data" -U hacs -A trust -E UTF8 --no-locale -N >/dev/null
    fi
    if ! running; then
        as_server "$bin/pg_ctl" -D "$home/data" -l "$home/log" -w -s \
            -o "-c listen_addresses='' -c unix_socket_directories='$home'" start ||
            die "the server does not start; see $home/log"
    fi
    "$bin/psql" -X -q -h "$home" -U hacs -d postgres -v ON_ERROR_STOP=1 >/dev/null <<'SQL'
select 'create database hacs' where not exists (select from pg_database where datname = 'hacs') \gexec
SQL
}

if [ "${1:-}" = stop ]; then
    if bin=$(find_postgres) && running; then as_server "$bin/pg_ctl" -D "$home/data" -m fast -w -s stop; fi
    rm -rf "$home"
    say "stopped and removed $home"
    exit
fi
[ $# = 0 ] || die "usage: scripts/quickstart.sh [stop]"

need_build_tools
if [ -n "${DATABASE_URL:-}" ]; then
    own=
else
    bin=$(need_postgres)
    start_cluster
    own=1
    export DATABASE_URL="postgresql://hacs@/hacs?host=$home"
fi

say "building"
cargo build --quiet --locked
say "hacs-refinery migrate"
target/debug/hacs-refinery migrate
say "hacs-refinery status"
target/debug/hacs-refinery status
target/debug/hacs-refinery status --check >/dev/null

if [ -n "$own" ]; then
    printf '\nConnect:  %s\nStop:     %s\n' "$bin/psql -h $home -U hacs hacs" "scripts/quickstart.sh stop"
fi
