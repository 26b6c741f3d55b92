#!/usr/bin/env bash
# After a change of a migration or of the command line: writes what the tests expect anew, from a real migration.
#
#   src/schema/manifest.txt      every object of the six schemas; compiled into the binary
#   tests/suite/snapshots/       what the tool prints
#
# Read the differences before you commit them.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

PG_BINDIR=$(need_postgres)
export PG_BINDIR
UPDATE_MANIFEST=1 cargo test --locked --quiet --all-features --test suite -- --exact schema::manifest::the_committed_manifest_is_what_the_migrations_make
INSTA_UPDATE=always cargo test --locked --quiet --all-features --test suite -- snapshots:: manifest::
git --no-pager diff --stat -- src/schema/manifest.txt tests/suite/snapshots
