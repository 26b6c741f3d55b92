#!/usr/bin/env bash
# Tells the author of a migration which statements would stop a database that is in use: squawk, pinned in scripts/npm.txt.
# An exception is a comment above the statement that says why: -- squawk-ignore require-concurrent-index-creation
#
#   scripts/lint-migrations.sh              all migrations
#   scripts/lint-migrations.sh FILE …       these, as they would be if they came next
#
# Exits with 3 where squawk is missing and cannot be installed.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

tool=$(npm_tool squawk-cli) || exit
squawk=$(find "$tool/node_modules/@squawk-cli" -name 'squawk*' -type f -path '*/bin/*' | head -n 1)
[ -x "$squawk" ] || chmod u+x "$squawk"

# For all, with the reason:
exceptions=(
    require-lock-timeout      # the runner sets lock_timeout and statement_timeout for each run
    require-statement-timeout
    prefer-bigint-over-int    # FHIR's integers have 32 bits; numbers of rows and changes are bigint already
    prefer-robust-stmts       # a run is one transaction, and a file outside of one is checked by the runner itself
)
# shellcheck disable=SC2034 # read by its name
# For V1 to V8, which make the tables before anybody uses them:
first=(
    "${exceptions[@]}"
    require-concurrent-index-creation
    adding-field-with-default # generated columns of tables that are made in the same run
    prefer-text-field         # the history has the columns that refinery gives it
)

# shellcheck disable=SC2034 # read by its name
# For the example of a column that becomes NOT NULL: a validated CHECK proves it, so that nothing is scanned.
proved=("${exceptions[@]}" adding-not-nullable-field)

# lint NAMES-OF-EXCEPTIONS FILE …, each in the kind of transaction that the runner gives it
lint() {
    local -n except=$1
    local file mode
    shift
    for file in "$@"; do
        mode=--assume-in-transaction
        if head -n 1 "$file" | grep -q '^-- hacs-refinery: no transaction'; then mode=--no-assume-in-transaction; fi
        "$squawk" --pg-version 14.0 "$mode" "${except[@]/#/--exclude=}" "$file" >"$said" 2>&1 || { cat "$said" >&2; return 1; }
    done
}

said=$(mktemp)
blocking=$(mktemp)
trap 'rm -f "$said" "$blocking"' EXIT
if [ $# != 0 ]; then
    lint exceptions "$@" || exit 1
    exit
fi

lint first migrations/V[1-8]__*.sql || die "see above: migrations that stop others"
shopt -s nullglob
later=(migrations/V9__*.sql migrations/V[1-9][0-9]*__*.sql tests/data/evolving/V10[012]__*.sql)
lint proved tests/data/evolving/V103__*.sql || die "see above: migrations that stop others"
lint exceptions "${later[@]}" || die "see above: migrations that stop others"

# A linter that takes everything would prove nothing.
echo 'create index patients_shoe_idx on hacs_core.patients (family);' >"$blocking"
if lint exceptions "$blocking" 2>/dev/null; then die "$squawk takes an index that keeps writers out"; fi
say "no migration after V8 keeps others out for long"
