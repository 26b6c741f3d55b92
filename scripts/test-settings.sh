#!/usr/bin/env bash
# Sets each of the server's settings that a role or a database can set to an odd value, one at a time, and expects that
# migrate, status and verify give the same as without it. The tests take a sample of these. Ten minutes, where the machine does nothing else.
#
# scripts/test-settings.sh [name,name...]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

need_build_tools
PG_BINDIR=$(need_postgres)
export PG_BINDIR
HACS_TEST_SETTINGS=${1:-all} cargo test --locked --quiet --all-features --test suite -- --nocapture settings::
say "no setting changes anything"
