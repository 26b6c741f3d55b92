#!/usr/bin/env bash
# Installs what the tests need, then runs all of them. They start their own PostgreSQL; TEST_DATABASE_URL names another.
# HACS_TEST_FILTER='quickstart:: status::' runs the tests with one of these words in their name; the other tests are left
# out, and so is what cargo says of the sources alone: format, lints, documentation.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

need_build_tools
PG_BINDIR=$(need_postgres)
export PG_BINDIR
need_pgbouncer
command -v shellcheck >/dev/null || try_packages shellcheck || say "NOT CHECKED: the scripts, since shellcheck is missing"
# Not every distribution has pgvector; where it has none, the test that needs it is told not to fail.
if ! has_pgvector "$PG_BINDIR"; then
    try_packages "postgresql-$("$PG_BINDIR/postgres" --version | grep -oE '[0-9]+' | head -n 1)-pgvector" || true
    has_pgvector "$PG_BINDIR" || export HACS_TEST_WITHOUT_PGVECTOR=1
fi
if [ -n "${HACS_TEST_WITHOUT_PGVECTOR:-}" ]; then say "NOT TESTED: the index for embeddings, since pgvector is not to be had"; fi

read -r -a filter <<<"${HACS_TEST_FILTER:-}"
if [ "${#filter[@]}" = 0 ]; then
    say "format"
    cargo fmt --check
    say "lints"
    cargo clippy --locked --quiet --all-features --all-targets -- -D warnings
    # And what most programs link: no feature.
    cargo clippy --locked --quiet --lib --bins -- -D warnings
    # And the library alone, as a service links it.
    cargo clippy --locked --quiet --no-default-features --lib -- -D warnings
else
    say "NOT RUN: format, lints, documentation, and the tests without ${filter[*]} in their names"
fi
if command -v shellcheck >/dev/null; then shellcheck -x scripts/*.sh benches/*.sh benches/*/*.sh .ci/run; fi
say "locks of the migrations after V8"
code=0
scripts/lint-migrations.sh || code=$?
if [ "$code" != 0 ]; then
    # 3: without root there may be no npm, or none that reaches a registry.
    if [ "$code" != 3 ] || as_root true 2>/dev/null; then exit "$code"; fi
    say "NOT CHECKED: which locks later migrations take, since squawk cannot be installed (scripts/lint-migrations.sh)"
fi
if command -v cargo-deny >/dev/null; then
    say "licences and sources"
    # Advisories need the network beyond crates.io: cargo deny check advisories, where that can be reached.
    cargo deny --offline --locked check bans licenses sources
else
    say "cargo-deny is not installed: licences are not checked (cargo install cargo-deny)"
fi
say "tests"
cargo test --locked --quiet --all-features -- "${filter[@]}" "${skipped[@]}"
say "documents"
# Of the migrations as they are here, whatever database the surroundings name.
env -u DATABASE_URL scripts/update-docs.sh --check
if [ "${#filter[@]}" = 0 ]; then RUSTDOCFLAGS="-D warnings" cargo doc --locked --quiet --all-features --no-deps; fi
say "all passed"
