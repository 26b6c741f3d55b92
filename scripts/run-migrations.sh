#!/bin/sh
# Inside a container: waits for the database, brings it up to date, and prints its status as JSON on standard output.
# Exits with the code of hacs-refinery. Arguments go to hacs-refinery migrate.
#
#   DATABASE_URL        the database; or libpq's PG* variables
#   DATABASE_URL_FILE   a file with the URL, such as a mounted secret; hacs-refinery reads it
#   PGPASSFILE          a password file, for a URL without a password
#   HACS_WAIT           how long to wait for the server to take connections (60s)
set -eu

# Where the log is asked for as JSON, nothing but JSON is printed.
json=
before=
for argument in "$@"; do
    case "$before $argument" in *' --log-format=json' | '--log-format json') json=1 ;; esac
    before=$argument
done

stop() {
    if [ -n "$json" ]; then
        printf '{"level":"ERROR","target":"run-migrations.sh","message":"%s","exit_code":2}\n' "$(printf %s "$1" | sed 's/["\\]/_/g')" >&2
    else
        printf 'error: %s\n' "$1" >&2
    fi
    exit 2
}

child=
private=
clean_up() { [ -z "$private" ] || rm -f "$private"; }
trap clean_up EXIT

# The first process of a container has to pass on signals: without this, stopping it would take until it is killed.
end() {
    code=143
    if [ -n "$child" ] && kill -TERM "$child" 2>/dev/null; then wait "$child" || code=$?; fi
    exit "$code"
}
trap end TERM INT

# Mounted secrets are often readable by a group or by all, and such a password file does not count. A copy does.
if [ -n "${PGPASSFILE:-}" ]; then
    [ -r "$PGPASSFILE" ] || stop "PGPASSFILE, $PGPASSFILE, cannot be read by user $(id -u)"
    umask 077
    # With a read-only root, /dev/shm can still be written.
    private=$(mktemp 2>/dev/null || mktemp -p /dev/shm) || stop 'there is no place for a copy of PGPASSFILE: mount a /tmp'
    cat -- "$PGPASSFILE" >"$private"
    export PGPASSFILE="$private"
fi

run() {
    "$@" &
    child=$!
    wait "$child"
}

# What was applied is for people, and the status says it to programs.
if [ -n "$json" ]; then
    run hacs-refinery migrate --wait "${HACS_WAIT:-60s}" "$@" >/dev/null
else
    run hacs-refinery migrate --wait "${HACS_WAIT:-60s}" "$@" >&2
fi
if [ $# = 0 ]; then
    run hacs-refinery status --json --check
else
    # --target and --allow-newer ask for another state than the newest.
    run hacs-refinery status --json ${json:+--log-format json}
fi
