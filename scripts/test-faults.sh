#!/usr/bin/env bash
# The fault tests at many moments, and a full disk. The normal tests run the same faults at fewer moments.
#
#   scripts/test-faults.sh                        200 moments, every message of a run
#   HACS_TEST_ROUNDS=1000 scripts/test-faults.sh  more of them
#
# A full disk needs a small file system of its own, and so the right to mount one: without it, this ends with an error.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

need_build_tools
PG_BINDIR=$(need_postgres)
export PG_BINDIR
export HACS_TEST_ROUNDS=${HACS_TEST_ROUNDS:-200}

work=
cleanup() {
    if [ -z "$work" ]; then return; fi
    stop_cluster "$work/server" immediate || true
    as_root umount "$work/small" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

full_disk() {
    work=$(mktemp -d)
    chmod 711 "$work"
    mkdir "$work/small"
    as_root mount -t tmpfs -o size=9m tmpfs "$work/small" ||
        die "a full disk was not tested: mounting is not permitted here"
    mkdir "$work/small/space"
    as_root chown -R "$(server_owner)" "$work/small"
    start_cluster "$work/server"
    local psql=("$PG_BINDIR/psql" -X -q -v ON_ERROR_STOP=1 -h "$work/server" -U hacs)
    "${psql[@]}" -d postgres -c "create tablespace small location '$work/small/space'" \
        -c "create database hacs template template0 tablespace small"
    DATABASE_URL=$(url_of "$work/server" hacs)
    export DATABASE_URL
    # Fills what is left, but for half a megabyte.
    local free
    free=$(df --output=avail -k "$work/small" | tail -n 1)
    if [ "$free" -gt 512 ]; then head -c "$(((free - 512) * 1024))" /dev/zero >"$work/small/ballast"; fi

    local code=0
    "$program" migrate 2>"$work/error" || code=$?
    cat "$work/error" >&2
    [ "$code" = 8 ] || die "a full disk: exit code $code instead of 8"
    grep -q 'SQLSTATE 53100' "$work/error" || die "a full disk: the error does not say so"
    grep -q 'Nothing was changed' "$work/error" || die "a full disk: the error does not say that nothing was changed"
    [ "$("${psql[@]}" -d hacs -Atc "select count(*) from pg_namespace where nspname like 'hacs%'")" = 0 ] ||
        die "a full disk: something was left behind"
    rm -f "$work/small/ballast"
    as_root mount -o remount,size=64m "$work/small"
    "$program" migrate >&2
    "$program" status --check >/dev/null
}

say "building"
program=$(built --bin hacs-refinery)
say "faults at $HACS_TEST_ROUNDS moments"
cargo test --locked --quiet --all-features --test suite -- kills:: --skip a_connection_cut
say "a cut after every message"
HACS_TEST_ROUNDS=1000000 cargo test --locked --quiet --all-features --test suite -- a_connection_cut
say "a full disk"
full_disk
say "all passed"
