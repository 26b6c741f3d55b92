#!/usr/bin/env bash
# Whether every measurement still runs: each once, with 1 000 rows and one round, with the program that the tests have
# built. The figures mean nothing.
#
#   benches/smoke.sh [part of a name …]      those alone; without one, all
#
# Tools of crates.io take minutes to build: they take part where they are built already, or with HACS_BENCH_TOOLS.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

need_build_tools
unset DATABASE_URL HACS_BENCH_DIR HACS_QUICKSTART_DIR
tools='psql hacs-refinery dbmate alembic yoyo'
for tool in refinery_cli-0.10.0 sqlx-cli-0.9.0; do
    if [ -e "$cache/$tool/.crates.toml" ]; then tools+=" ${tool%-*}"; fi
done
export HACS_BENCH_TOOLS=${HACS_BENCH_TOOLS:-$tools}

said=$(mktemp)
trap 'rm -f "$said"' EXIT
ran=0
export HACS_SMOKE=yes
smoke() {
    local wanted found=
    for wanted in "${words[@]}"; do if [[ $1 == *$wanted* ]]; then found=1; fi; done
    if [ "${#words[@]}" != 0 ] && [ -z "$found" ]; then return; fi
    local started=$SECONDS
    "$@" >"$said" 2>&1 || { cat "$said" >&2; die "$* does not run"; }
    [ -s "$said" ] || die "$* prints nothing"
    ran=$((ran + 1))
    printf 'ok  %s  (%s s)\n' "$*" "$((SECONDS - started))"
}

words=("$@")
smoke benches/runner/tools.sh 1
smoke benches/runner/latency.sh 1
smoke benches/runner/size.sh
smoke benches/runner/growth.sh 1000 1
smoke benches/runner/fleet.sh 10 2 1
smoke benches/schema/audit.sh 1 1000 1
smoke benches/schema/audit-parts.sh 1 1000
smoke benches/schema/documents.sh 1 10
smoke benches/schema/import.sh 1000 1
smoke benches/schema/follow.sh 1 1
smoke benches/schema/adopt.sh 1000 1
smoke benches/schema/questions.sh 1000
smoke benches/schema/indexes.sh 1000
smoke benches/schema/storage.sh 1000 100 1
smoke benches/schema/legacy.sh 1000 1 1
smoke benches/schema/evolving.sh 1000
smoke benches/schema/distributed.sh 1 1
smoke cargo bench --locked --quiet --all-features --profile dev --bench constraints -- 1
# A measurement that is not above would be run by nobody.
for file in benches/{runner,schema}/*.sh; do
    grep -q "^smoke $file" benches/smoke.sh || die "$file is not tried by benches/smoke.sh"
done
say "$ran measurements run, with $HACS_BENCH_TOOLS"
