#!/usr/bin/env bash
# Many databases in one command, with real ones: on two servers, a third of them broken in various ways; ended by a
# signal, killed, and continued. The tests do the same with a dozen. It takes 12 MB of disk a database.
#
#   scripts/test-fleet.sh [databases]      300
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

databases=${1:-300}
need_build_tools
bin=$(need_postgres)
program=$(built --release --bin hacs-refinery)
home=$(mktemp -d "${TMPDIR:-/tmp}/hacs-fleet-XXXXXX")
chmod 711 "$home"
pids=()
clean_up() {
    if [ "${#pids[@]}" != 0 ]; then kill "${pids[@]}" 2>/dev/null || true; fi
    for server in one two; do remove_cluster "$home/$server" immediate || true; done
    rm -rf "$home"
}
trap clean_up EXIT
for server in one two; do start_cluster "$home/$server" -c max_connections=100 -c fsync=off; done
sql() { "$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$home/$1" -U hacs -d "$2" "${@:3}"; }

# Every third is broken: what each has, in turn, and the exit code of `migrate` for it.
kinds=(down unreadable locked foreign newer dropped)
codes=([0]='' [2]=unreadable [3]='down dropped' [5]=locked [6]='foreign newer')
say "making $databases databases"
for server in one two; do
    sql "$server" postgres -c 'create database model template template0'
    "$program" migrate -q -d "$(url_of "$home/$server" model)"
done
declare -A expected
for at in $(seq 1 "$databases"); do
    server=one
    if [ $((at % 2)) = 0 ]; then server=two; fi
    name=hospital_$at
    url=$(url_of "$home/$server" "$name")
    kind=well
    if [ $((at % 3)) = 0 ]; then kind=${kinds[at / 3 % ${#kinds[@]}]}; fi
    template=template0
    case $kind in foreign | newer) template=model ;; esac
    case $kind in
    down) url=postgresql://hacs:hunter2@127.0.0.1:1/x ;;
    unreadable) url=postgresql://hacs:hunter2@h:port/x ;;
    dropped) ;;
    *) sql "$server" postgres -c "create database $name template $template" ;;
    esac
    case $kind in
    foreign) sql "$server" "$name" -c "update hacs_admin.migrations set checksum = '7' where version = 2" ;;
    newer)
        sql "$server" "$name" -c "insert into hacs_admin.migrations (version, name, applied_on, checksum)
            select 99, 'later', applied_on, '5' from hacs_admin.migrations where version = 1"
        ;;
    locked)
        # Held for as long as this script runs.
        sql "$server" "$name" -c "select pg_advisory_lock(x'686163736d696772'::bit(64)::bigint), pg_sleep(86400)" \
            >/dev/null 2>&1 &
        pids+=($!)
        ;;
    esac
    echo "$name $url" >>"$home/list"
    code=0
    for known in "${!codes[@]}"; do
        if [[ " ${codes[known]} " == *" $kind "* ]]; then code=$known; fi
    done
    expected[$code]=$((${expected[$code]:-0} + 1))
done

# 30 locked ones would take 30 workers for as long as --lock-timeout says.
many=(--databases "$home/list" --parallel 8 --json)
say "ended by a signal, then killed"
for signal in TERM KILL; do
    "$program" migrate --lock-timeout 5s "${many[@]}" >"$home/out" 2>"$home/err" &
    pid=$!
    # In the midst: once some have ended.
    until [ "$(grep -c . "$home/out")" -ge 10 ] || ! kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    begun=$(date +%s%N)
    kill -"$signal" "$pid"
    code=0
    wait "$pid" 2>/dev/null || code=$?
    took=$((($(date +%s%N) - begun) / 1000000))
    say "SIG$signal: exit code $code after $took ms, $(grep -c '"name"' "$home/out") had ended"
    [ "$took" -lt 6000 ] || die "it took longer than 6 s to end"
    if [ "$signal" = TERM ] && [ "$code" != 143 ]; then cat "$home/err" >&2; die "its exit code is not 143"; fi
done

say "continued to the end"
code=0
"$program" migrate --lock-timeout 5s "${many[@]}" >"$home/out" 2>"$home/err" || code=$?
tail -n 1 "$home/out"
[ "$code" = 2 ] || die "its exit code is $code, not 2, the worst one"
for code in "${!expected[@]}"; do
    found=$(grep '"name"' "$home/out" | grep -c "\"exit_code\":$code,") || true
    if [ "$found" != "${expected[$code]}" ]; then
        grep "\"exit_code\":$code," "$home/out" | cut -c 1-400 >&2
        die "$found ended with $code in place of ${expected[$code]}"
    fi
done
if grep -q hunter2 "$home/out" "$home/err"; then die "a password is shown"; fi

say "with nothing left to do, and looked at"
"$program" migrate --databases "$home/list" --parallel 8 --lock-timeout 1s -q --allow-newer >"$home/out" 2>&1 || true
tail -n 12 "$home/out"
well=$databases
code=0
"$program" status --check "${many[@]}" >"$home/out" || code=$?
found=$(grep -c '"migration_complete":true' "$home/out") || true
say "$found of $well are complete"
[ "$found" -ge "${expected[0]}" ] || die "not all that are well are complete"
say "PASSED"
