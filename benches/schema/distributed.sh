#!/usr/bin/env bash
# What a database over many machines costs beside one of one machine: single changes with the audit, documents, and
# questions, in turns. TEST_CITUS_URL names the coordinator of a Citus cluster, and a superuser who may make databases on
# all of its nodes; beside it, on the coordinator itself, stands a database that is not distributed.
#
#   TEST_CITUS_URL=… benches/schema/distributed.sh [rounds [seconds]]      3 5
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh

rounds=${1:-3}
seconds=${2:-5}
if [ -z "${TEST_CITUS_URL:-}" ]; then
    echo "NOT RUN: TEST_CITUS_URL names no coordinator of Citus"
    exit
fi
bin=$(need_postgres)
[ -x "$bin/pgbench" ] || die "pgbench is missing in $bin"
program=$(built --all-features --bin hacs-refinery)
name=hacs_bench_$$
url() { sed -E "s|/[^/?]*(\?.*)?$|/$1\1|" <<<"$2"; }
nodes=$("$bin/psql" -XAtq "$TEST_CITUS_URL" -c "select nodename || ' ' || nodeport from pg_dist_node where isactive order by groupid")
[ "$(wc -l <<<"$nodes")" -gt 2 ] || die "a coordinator and two workers are registered in no database of TEST_CITUS_URL"
at() { sed -E "s|@[^/]*/|@$1:$2/|" <<<"$TEST_CITUS_URL"; }
clean() {
    while read -r host port; do
        "$bin/psql" -Xq "$(at "$host" "$port")" -c "drop database if exists $name with (force)" \
            -c "drop database if exists ${name}_plain with (force)" 2>/dev/null || true
    done <<<"$nodes"
}
trap clean EXIT
while read -r host port; do
    "$bin/psql" -Xq "$(at "$host" "$port")" -c "create database $name template template0" 2>/dev/null
    "$bin/psql" -Xq "$(url "$name" "$(at "$host" "$port")")" -c "create extension citus" 2>/dev/null
done <<<"$nodes"
plain=$(url "${name}_plain" "$TEST_CITUS_URL")
citus=$(url "$name" "$TEST_CITUS_URL")
"$bin/psql" -Xq "$TEST_CITUS_URL" -c "create database ${name}_plain template template0" 2>/dev/null
{
    read -r host port
    "$bin/psql" -XAtq "$citus" -c "select citus_set_coordinator_host('$host', $port)" >/dev/null
    while read -r host port; do
        "$bin/psql" -XAtq "$citus" -c "select citus_add_node('$host', $port)" >/dev/null
    done
} <<<"$nodes"
for database in "$plain" "$citus"; do DATABASE_URL=$database "$program" migrate -q; done
DATABASE_URL=$citus "$program" distribute -q
for database in "$plain" "$citus"; do
    home='' value=''
    if [ "$database" = "$citus" ]; then home=', patient_id' value=", 'p' || n % 1000 + 1"; fi
    "$bin/psql" -Xq "$database" -c "insert into hacs_core.patients (id, family) select 'p' || n, 'F' from generate_series(1, 1000) as n" \
        -c "insert into hacs_core.observations (id, status, code, subject, value_string$home)
            select 'o' || n, 'final', '{\"text\": \"x\"}', 'Patient/p' || n % 1000 + 1, 'v'$value
            from generate_series(1, 20000) as n" -c analyze
done

work=$(mktemp -d)
chmod 755 "$work"
trap 'clean; rm -rf "$work"' EXIT
row="'final', '{\"text\": \"x\"}', 'Patient/p' || :n, 'v'"
cat >"$work/insert.plain" <<<"\\set n random(1, 1000)
insert into hacs_core.observations (status, code, subject, value_string) values ($row);"
cat >"$work/insert.citus" <<<"\\set n random(1, 1000)
insert into hacs_core.observations (status, code, subject, value_string, patient_id) values ($row, 'p' || :n);"
cat >"$work/update.plain" <<<"\\set n random(1, 1000)
\\set v random(1, 1000000)
begin;
select hacs_audit.set_actor('doctor/1');
update hacs_core.patients set family = 'F' || :v where id = 'p' || :n;
commit;"
cp "$work/update.plain" "$work/update.citus"
cat >"$work/put.plain" <<<"\\set n random(1, 1000)
select hacs_core.put(jsonb_build_object('resource_type', 'Observation', 'status', 'final', 'code', '{\"text\": \"x\"}'::jsonb,
    'subject', 'Patient/p' || :n, 'value_string', 'v'));"
cp "$work/put.plain" "$work/put.citus"
cat >"$work/of_a_patient.plain" <<<"\\set n random(1, 1000)
select * from hacs_core.observations where patient_id = 'p' || :n order by effective_datetime desc limit 20;"
cp "$work/of_a_patient.plain" "$work/of_a_patient.citus"
cat >"$work/by_id.plain" <<<"\\set n random(1, 20000)
select * from hacs_core.observations where id = 'o' || :n;"
cp "$work/by_id.plain" "$work/by_id.citus"

speed() { "$bin/pgbench" -n -T "$seconds" -f "$work/$1" "$2" 2>/dev/null | awk '/^tps/ { print $3 }'; }
printf '%-14s %12s %12s %8s\n' work plain/s distributed/s share
for what in insert update put of_a_patient by_id; do
    for round in $(seq "$rounds"); do
        echo "$(speed $what.plain "$plain") $(speed $what.citus "$citus") $round"
    done | sort -n | awk -v what=$what '
        { plain[NR] = $1; citus[NR] = $2; share[NR] = $2 / $1 }
        END {
            n = middle(share); printf "%-14s %12.0f %12.0f %8.2f\n", what, plain[int((NR + 1) / 2)], citus[int((NR + 1) / 2)], n
        }
        function middle(list, i, j, t) {
            for (i = 1; i <= NR; i++) for (j = i + 1; j <= NR; j++) if (list[j] < list[i]) { t = list[i]; list[i] = list[j]; list[j] = t }
            return list[int((NR + 1) / 2)]
        }'
done
