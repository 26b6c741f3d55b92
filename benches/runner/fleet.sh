#!/usr/bin/env bash
# Many databases in one command, beside a shell loop that starts the same program for each and one that starts psql: how
# many a second, with nothing to do, for status, for verify, and where everything is to be done. And how much memory.
#
#   benches/runner/fleet.sh [databases] [parallel] [rounds]      300 databases, 4 at a time, 5 rounds
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh
. benches/lib/peers.sh

databases=${1:-300}
parallel=${2:-4}
rounds=${3:-5}
fresh=$(((databases + 9) / 10))
[ -x /usr/bin/time ] || install_packages time
program=$(built --release --bin hacs-refinery)
start_bench_server
url() { echo "postgresql://hacs@127.0.0.1:$port/$1"; }

say "making $databases databases"
sql postgres -c 'create database model template template0'
"$program" migrate -q -d "$(url model)"
for at in $(seq 1 "$databases"); do
    sql postgres -c "create database full_$at template model"
    echo "full_$at $(url "full_$at")" >>"$home/full"
done
for at in $(seq 1 "$fresh"); do echo "fresh_$at $(url "fresh_$at")" >>"$home/fresh"; done
for list in full fresh; do cut -d' ' -f2 "$home/$list" >"$home/$list.urls"; done

# "round name databases-a-second" of a command
timed() {
    local round=$1 name=$2 count=$3 begun ended
    shift 3
    begun=$(date +%s%N)
    "$@" >"$home/out" 2>&1 || { tail -n 5 "$home/out" >&2; die "$name failed"; }
    ended=$(date +%s%N)
    awk -v r="$round" -v n="$name" -v c="$count" -v ns="$((ended - begun))" 'BEGIN { print r, n, c * 1e9 / ns }'
}
each() { xargs -P "$parallel" -I '{}' "$@" '{}'; }
loop() { each "$program" "$@" -q -d <"$home/full.urls"; }
psql_loop() { each "$bin/psql" -X -q -c 'select 1' -d <"$home/full.urls"; }
psql_fresh() {
    local files
    mapfile -t files < <(printf '%s\n' migrations/V*.sql | sort -V | sed 'i -f')
    each "$bin/psql" -X -q -v ON_ERROR_STOP=1 -1 "${files[@]}" -d <"$home/fresh.urls"
}
empty() {
    for at in $(seq 1 "$fresh"); do
        sql postgres -c 'set client_min_messages = warning' -c "drop database if exists fresh_$at with (force)" \
            -c "create database fresh_$at template template0"
    done
}
many() { "$program" "$@" -q --databases "$home/full" --parallel "$parallel"; }
many_fresh() { "$program" migrate -q --databases "$home/fresh" --parallel "$parallel"; }
loop_fresh() { each "$program" migrate -q -d <"$home/fresh.urls"; }

for what in migrate status verify fresh; do
    say "$what, $parallel at a time"
    for round in $(seq 1 "$rounds"); do
        if [ "$what" = fresh ]; then
            for name in many_fresh loop_fresh psql_fresh; do empty; timed "$round" "${name%_fresh}" "$fresh" "$name"; done
        else
            timed "$round" many "$databases" many "$what"
            timed "$round" loop "$databases" loop "$what"
            timed "$round" psql "$databases" psql_loop
        fi
    done >"$home/times"
    compare 'databases a second' psql <"$home/times"
done

say "memory, 10 000 databases, of which $databases are there"
for at in $(seq 1 "$((10000 - databases))"); do echo "away_$at postgresql://hacs:word@127.0.0.1:1/away_$at"; done >>"$home/full"
/usr/bin/time -f '%M kB at most' "$program" status -q --databases "$home/full" --parallel 8 2>&1 >/dev/null | tail -n 1 || true
