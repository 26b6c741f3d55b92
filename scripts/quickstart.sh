#!/usr/bin/env bash
# From nothing to a complete HACS database: finds or installs PostgreSQL, starts a throwaway cluster, builds, migrates.
#
#   scripts/quickstart.sh                    a throwaway cluster below the temporary directory, which only you can enter
#   DATABASE_URL=… scripts/quickstart.sh     that database; nothing is started
#   scripts/quickstart.sh stop               stops your throwaway cluster and removes it
#
# HACS_QUICKSTART_DIR names a directory for the cluster.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

# Your clusters. Their names end in letters that nobody can guess, and nobody else can make a directory that is yours.
clusters() {
    if [ -n "${HACS_QUICKSTART_DIR:-}" ]; then
        if [ -d "$HACS_QUICKSTART_DIR" ]; then printf '%s\n' "$HACS_QUICKSTART_DIR"; fi
        return
    fi
    find "${TMPDIR:-/tmp}/" -maxdepth 1 -type d -name 'hacs-quickstart-*' -user "$(server_owner)" -perm 0700 2>/dev/null | sort
}

if [ "${1:-}" = stop ] && [ $# = 1 ]; then
    found=$(clusters)
    while read -r home; do
        if [ -z "$home" ]; then continue; fi
        private_dir "$home"
        remove_cluster "$home"
        say "stopped and removed $home"
    done <<<"$found"
    exit
fi
[ $# = 0 ] || die "usage: scripts/quickstart.sh [stop]"

# shellcheck disable=SC2016 # for the reader's shell
stop_with="${HACS_QUICKSTART_DIR:+HACS_QUICKSTART_DIR='$HACS_QUICKSTART_DIR' }scripts/quickstart.sh stop"
home=
ended() {
    local code=$?
    if [ "$code" != 0 ] && [ -n "$home" ]; then
        printf '\nThis did not end well (exit code %s); the server may still run.\nStop:     %s\n' "$code" "$stop_with" >&2
    fi
}
trap ended EXIT

need_build_tools
if [ -z "${DATABASE_URL:-}" ]; then
    bin=$(need_postgres)
    home=$(clusters | head -n 1)
    if [ -z "$home" ]; then
        home=${HACS_QUICKSTART_DIR:-$(mktemp -d "${TMPDIR:-/tmp}/hacs-quickstart-XXXXXXXXXX")}
        say "making a throwaway cluster in $home"
    fi
    start_cluster "$home"
    "$bin/psql" -X -q -h "$home" -U hacs -d postgres -v ON_ERROR_STOP=1 >/dev/null <<'SQL'
select 'create database hacs' where not exists (select 1 from pg_database where datname = 'hacs') \gexec
SQL
    DATABASE_URL=$(url_of "$home" hacs)
    export DATABASE_URL
fi

say "building"
program=$(built --bin hacs-refinery)
say "hacs-refinery migrate"
"$program" migrate
say "hacs-refinery status"
"$program" status
"$program" status --check >/dev/null

if [ -n "$home" ]; then
    printf '\nConnect:  %s\nStop:     %s\n' "$bin/psql -h $home -U hacs hacs" "$stop_with"
fi
