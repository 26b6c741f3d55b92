#!/usr/bin/env bash
# How long the program takes beside psql and other migration tools, with the same nine files: on an empty database, and
# with nothing to do. In each round every tool runs once, in another order.
#
#   benches/runner/tools.sh [rounds]      15 rounds
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh
. benches/lib/peers.sh

rounds=${1:-15}
program=$(built --release --bin hacs-refinery)
static=$program
if [ -z "${HACS_SMOKE:-}" ]; then static=$(scripts/build-static.sh); fi
start_bench_server
need_peers
export_urls

# Milliseconds of the commands that are given as name and command, in random order, after "prepare name".
measure() {
    local round=$1 prepare=$2 line name
    while read -r line; do
        name=${line%% *}
        $prepare "$name"
        hyperfine -N -r 1 --export-csv "$home/csv" "${line#* }" >/dev/null 2>"$home/error" || {
            cat "$home/error" >&2
            die "$name failed"
        }
        awk -F, -v round="$round" -v name="$name" 'END { print round, name, $(NF - 4) * 1000 }' <(tail -n 1 "$home/csv" | sed 's/"[^"]*"/x/')
    done < <(shuf)
}

fresh() { for tool in "${tools[@]}"; do echo "$tool $(command_of "$tool" "$port")"; done; }
nothing() {
    fresh | grep -v '^psql '
    echo "psql-select-1 $bin/psql -X -c 'select 1' postgresql://hacs@127.0.0.1:$port/bench_psql"
    echo "psql-select-1-socket $bin/psql -X -h $home/server -p $port -U hacs -c 'select 1' bench_psql"
    local socket="postgresql://hacs@/bench_hacs-refinery?host=$home/server&port=$port"
    echo "hacs-refinery-socket $program migrate -q -d $socket"
    echo "hacs-refinery-static $static migrate -q -d postgresql://hacs@127.0.0.1:$port/bench_hacs-refinery"
    echo "hacs-refinery-static-socket $static migrate -q -d $socket"
}

say "an empty database, $rounds rounds"
for round in $(seq "$rounds"); do fresh | measure "$round" empty_database; done >"$home/fresh"
sort -s -k2,2 "$home/fresh" | compare ms psql
sql bench_hacs-refinery -c 'vacuum analyze'

say "nothing to do, $((rounds * 2)) rounds"
for round in $(seq $((rounds * 2))); do nothing | measure "$round" true; done >"$home/nothing"
sort -s -k2,2 "$home/nothing" | compare ms psql-select-1
say "the same over the socket"
grep -- -socket "$home/nothing" | sort -s -k2,2 | compare ms psql-select-1-socket
