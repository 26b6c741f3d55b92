#!/usr/bin/env bash
# Whether the program takes longer on a database that is full: `migrate` with nothing to do, `status` and `verify`, on a
# database just migrated and on one with many rows and five years of audit trail, in turns.
#
#   benches/runner/growth.sh [rows] [rounds]      10 000 000 rows, 30 rounds
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh
. benches/lib/peers.sh

rows=${1:-10000000}
rounds=${2:-30}
command -v hyperfine >/dev/null || install_packages hyperfine
program=$(built --release --bin hacs-refinery)
start_bench_server
url() { echo "postgresql://hacs@/$1?host=$home/server&port=$port"; }
for database in young old; do
    sql postgres -c "create database $database template template0"
    "$program" migrate -q -d "$(url "$database")"
done

say "writing $rows rows"
# Without triggers, as a restore does it. The rows of the trail lie in its default partition first; the function gives
# each quarter of the last five years its own.
sql old <<SQL
set session_replication_role = replica;
set synchronous_commit = off;
insert into hacs_core.patients (id, family) select 'p' || n, 'F' || n from generate_series(1, $rows / 1000) as s (n);
insert into hacs_agents.memories (id, actor_id, memory_type, content)
    select 'm' || n, 'practitioner/' || n % 1000, 'episodic', 'a note of no length' from generate_series(1, $rows) as s (n);
set session_replication_role = origin;
SQL
# Each quarter by itself, since what waits in the default partition becomes one partition.
for quarter in $(seq 1 20); do
    sql old -c "insert into hacs_audit.resource_changes (changed_at, operation, schema_name, table_name, resource_type, resource_id)
        select now() - $quarter * interval '3 months', 'INSERT', 'hacs_core', 'patients', 'Patient', 'p' || n
        from generate_series(1, $rows / 2000) as s (n)" -c 'select hacs_audit.ensure_partitions()' >/dev/null
done
sql old -c 'vacuum analyze'
sql young -c 'vacuum analyze'
sql old -c "select count(*) || ' partitions' from pg_inherits where inhparent = 'hacs_audit.resource_changes'::regclass" \
    -c 'select pg_size_pretty(pg_database_size(current_database()))' -c checkpoint

for command in 'migrate -q' status verify; do
    for round in $(seq 0 "$rounds"); do
        for database in $(printf 'young\nold\n' | shuf); do
            hyperfine -N -r 1 --export-csv "$home/csv" "$program $command -d $(url "$database")" >/dev/null 2>&1
            # The first round fills the caches.
            if [ "$round" != 0 ]; then
                awk -F, -v round="$round" -v name="$database" 'END { print round, name, $(NF - 4) * 1000 }' "$home/csv"
            fi
        done
    done >"$home/times"
    say "$command"
    sort -s -k2,2 "$home/times" | compare ms young
done
