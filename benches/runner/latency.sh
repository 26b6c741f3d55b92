#!/usr/bin/env bash
# Round trips of the program, of psql and of other migration tools, and what they mean where a round trip takes 20 ms.
# A proxy (tests/suite/support/wire.rs) counts the turns of the traffic: a client has spoken, and the server answers. Each TCP
# connection costs another round trip, which the time holds and the count of turns does not. The server asks for
# a password by md5, which is one turn of each connection, and speaks no TLS: SCRAM takes two turns, TLS one or two more.
#
#   benches/runner/latency.sh [milliseconds]      of a round trip: 20
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh
. benches/lib/peers.sh

millis=${1:-20}
program=$(built --release --bin hacs-refinery)
wire=$(built --release --example wire)
start_bench_server
need_peers

# Connections, round trips and milliseconds of a command, in which {port} stands for the proxy's.
through_wire() {
    local name=$1
    shift
    local found
    found=$("$wire" "$socket" "$millis" "${with_urls[@]}" '{port}' "$@" 2>"$home/error") ||
        { cat "$home/error" >&2; die "$name failed"; }
    # shellcheck disable=SC2086 # three numbers
    printf '%-22s %11d %11d %9d\n' "$name" $found
}

for title in 'an empty database' 'nothing to do'; do
    say "$title, $millis ms a round trip"
    printf '%-22s %11s %11s %9s\n' tool connections round-trips ms
    for tool in "${tools[@]}"; do
        # psql keeps no history: to do nothing is not among its abilities.
        if [ "$title" = 'an empty database' ]; then empty_database "$tool"; elif [ "$tool" = psql ]; then continue; fi
        # shellcheck disable=SC2046 # the words of the command
        through_wire "$tool" $(command_of "$tool" '{port}')
    done
done
through_wire "psql -c 'select 1'" "$bin/psql" -X -c 'select 1' 'postgresql://hacs@127.0.0.1:{port}/bench_psql'
for command in status verify; do
    through_wire "hacs-refinery $command" "$program" "$command" -d 'postgresql://hacs@127.0.0.1:{port}/bench_hacs-refinery'
done
