#!/usr/bin/env bash
# Tests the migration on a database of yours: status before, migrate, schemas and tables, every HACS resource, result.
# It adds what is missing and drops nothing. Exits with the code of hacs-refinery.
#
#   TEST_DATABASE_URL=postgresql://… scripts/test-migration.sh        or DATABASE_URL
#   HACS_REFINERY=/usr/local/bin/hacs-refinery                        another program than that of this directory
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

export DATABASE_URL=${TEST_DATABASE_URL:-${DATABASE_URL:-}}
if [ -z "$DATABASE_URL" ]; then
    printf 'error: set TEST_DATABASE_URL or DATABASE_URL\n' >&2
    exit 2
fi

tool=${HACS_REFINERY:-}
if [ -z "$tool" ]; then
    need_build_tools
    tool=$(built --bin hacs-refinery)
fi

# Runs a step; the first that fails ends the test.
step() {
    local title=$1 code=0
    shift
    say "$title"
    "$@" || code=$?
    if [ "$code" != 0 ]; then
        printf 'FAILED: %s (exit code %s)\n' "$title" "$code"
        exit "$code"
    fi
}

step "status before" "$tool" status
step "migrate" "$tool" migrate --wait 30s
step "all schemas and tables" "$tool" status --json --check
step "every HACS resource" "$tool" verify --deep
echo "PASSED: all schemas and tables are there, and every HACS resource is supported"
