#!/usr/bin/env bash
# Start-up, resident memory and size of the program beside psql and other migration tools.
#
#   benches/runner/size.sh [profiles]      with "profiles", the program is also built with other release profiles
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh
. benches/lib/peers.sh

program=$(built --release --bin hacs-refinery)
start_bench_server
need_peers
export_urls

# What is started: for two of the tools a script, whose rest lies in a directory of its own.
file_of() {
    case $1 in
    psql) echo "$bin/psql" ;;
    hacs-refinery) echo "$program" ;;
    refinery_cli) echo "$cache/refinery_cli-0.10.0/bin/refinery" ;;
    sqlx-cli) echo "$cache/sqlx-cli-0.9.0/bin/sqlx" ;;
    dbmate) echo "$dbmate" ;;
    *) echo "$python/bin/$1" ;;
    esac
}

size_of() {
    case $1 in
    alembic | yoyo) du -sk "$python/lib" | cut -f 1 ;;
    *) echo "$(($(stat -L -c %s "$(file_of "$1")") / 1024))" ;;
    esac
}

# Kilobytes at most, of a command.
memory_of() { /usr/bin/time -f %M -o "$home/memory" "$@" >/dev/null 2>"$home/error" || { cat "$home/error" >&2; return 1; }; cat "$home/memory"; }

# Milliseconds of a command: the median of 50.
time_of() {
    hyperfine -N -w 5 -r 50 --export-csv "$home/csv" "$1" >/dev/null 2>&1
    awk -F, 'END { printf "%.1f", $(NF - 4) * 1000 }' "$home/csv"
}

printf '%-14s %12s %14s %14s %10s\n' tool '--help ms' 'fresh kB' 'nothing kB' 'file kB'
for tool in "${tools[@]}"; do
    empty_database "$tool"
    read -ra command <<<"$(command_of "$tool" "$port")"
    fresh=$(memory_of "${command[@]}")
    if [ "$tool" = psql ]; then command=("$bin/psql" -X -c 'select 1' "${command[-1]}"); fi
    printf '%-14s %12s %14s %14s %10s\n' "$tool" "$(time_of "$(file_of "$tool") --help")" "$fresh" \
        "$(memory_of "${command[@]}")" "$(size_of "$tool")"
done
url="postgresql://hacs@127.0.0.1:$port/bench_hacs-refinery"
printf 'hacs-refinery --version: %s ms\n' "$(time_of "$program --version")"
for command in status verify; do
    printf 'hacs-refinery %s: %s kB\n' "$command" "$(memory_of "$program" "$command" -d "$url")"
done
[ "${1:-}" = profiles ] || exit 0

say "release profiles"
for profile in 'opt-level=s' 'opt-level=z' 'opt-level=3' 'lto=false' 'codegen-units=16' 'panic=unwind'; do
    name=${profile%%=*} value=${profile#*=}
    key=CARGO_PROFILE_RELEASE_$(tr a-z- A-Z_ <<<"$name")
    program=$(export "$key=$value"; built --release --bin hacs-refinery --target-dir "$home/target")
    printf '%-18s %6d kB  --version %s ms  migrate with nothing to do %s ms\n' "$profile" \
        "$(($(stat -c %s "$program") / 1024))" "$(time_of "$program --version")" "$(time_of "$program migrate -q -d $url")"
done
