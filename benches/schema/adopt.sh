#!/usr/bin/env bash
# What `adopt` takes for one generic table of the Python system, beside `import` of the same documents, in turn; how much
# memory the program and its session take at their most; and how long a service that writes meanwhile waits at its longest.
# Patients of two kilobytes, with rules and audit.
#
#   benches/schema/adopt.sh [documents [rounds]]     100000 documents, 3 rounds
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh
. benches/lib/hospital.sh

documents=${1:-100000}
rounds=${2:-3}
tool=$(built --release --bin hacs-refinery)
[ -x "$bin/pgbench" ] || die "pgbench is missing in $bin"

say "a generic table of $documents documents"
copy_of template0 generic
sql generic <<SQL
create table public.hacs_resources (
    id text primary key, resource_type text not null, data jsonb not null, created_at timestamptz default now(),
    updated_at timestamptz default now(), created_by text, updated_by text
);
insert into public.hacs_resources (id, resource_type, data, created_by)
select 'm' || n, 'Patient', jsonb_build_object(
    'id', 'm' || n, 'resource_type', 'Patient', 'full_name', 'N ' || n, 'gender', 'female', 'birth_date', '1985-04-03',
    'created_at', '2025-08-01T10:00:00Z', 'updated_at', '2025-08-01T10:00:00Z', 'note', repeat('0', 1900)
), 'practitioner/1'
from generate_series(1, $documents) as n;
create index idx_hacs_resources_type on public.hacs_resources (resource_type);
create index idx_hacs_resources_created_at on public.hacs_resources (created_at);
create index idx_hacs_resources_data_gin on public.hacs_resources using gin (data);
vacuum analyze public.hacs_resources;
SQL
sql generic -c "copy (select data from public.hacs_resources) to stdout with (format csv, quote e'\x01', delimiter e'\x02')" >"$work/documents.ndjson"

# The most memory of its own that a program and its session took: peak NAME DATABASE COMMAND …, with its seconds before it
peak() {
    local name=$1 database=$2 most=0 session=0 now pid started
    shift 2
    started=$(date +%s.%N)
    "$@" &
    while kill -0 $! 2>/dev/null; do
        now=$(sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\) kB$/\1/p' "/proc/$!/status" 2>/dev/null || true)
        if [ "${now:-0}" -gt "$most" ]; then most=$now; fi
        for pid in $(sql postgres -c "select pid from pg_stat_activity where datname = '$database' and application_name = 'hacs-refinery'"); do
            now=$(sed -n 's/^RssAnon:[[:space:]]*\([0-9]*\) kB$/\1/p' "/proc/$pid/status" 2>/dev/null || true)
            if [ "${now:-0}" -gt "$session" ]; then session=$now; fi
        done
        sleep 0.2
    done
    wait $! || [ $? = 9 ]
    printf '%s %s %s %s\n' "$name" "$(echo "$(date +%s.%N) - $started" | awk '{ print $1 - $3 }')" "$most" "$session" >>"$work/times"
}

by_import() { exec "$tool" import --quiet -d "host=$HACS_QUICKSTART_DIR user=hacs dbname=bench_import" "$work/documents.ndjson"; }
by_adopt() { exec "$tool" adopt --quiet -d "host=$HACS_QUICKSTART_DIR user=hacs dbname=bench_adopt"; }

for _ in $(seq "$rounds"); do
    copy_of hacs bench_import
    peak import bench_import by_import
    copy_of generic bench_adopt
    peak adopt bench_adopt by_adopt
done

say "with a service that writes"
copy_of generic bench_adopt
cat >"$work/write.sql" <<'SQL'
\set n random(1, 1000)
insert into public.hacs_resources (id, resource_type, data, updated_at)
values ('s' || :n, 'Patient', jsonb_build_object('id', 's' || :n, 'resource_type', 'Patient', 'full_name', clock_timestamp()::text), now())
on conflict (id) do update set data = excluded.data, updated_at = excluded.updated_at;
SQL
(cd "$work" && exec "$bin/pgbench" -h "$HACS_QUICKSTART_DIR" -U hacs -n -c 2 -R 50 -T 100000 -f write.sql -l bench_adopt >/dev/null 2>&1) &
writer=$!
"$tool" adopt --json -d "host=$HACS_QUICKSTART_DIR user=hacs dbname=bench_adopt" >"$work/report.json" || [ $? = 9 ]
# what it has told so far lies in a buffer until there is more of it
sleep 5
kill "$writer" 2>/dev/null || true
wait "$writer" 2>/dev/null || true
waited=$(cat "$work"/pgbench_log.* | awk '$3 > most { most = $3 } END { print most / 1e6 }')
said=$(sed -n 's/^ *"writers_waited_seconds": \([0-9.]*\),$/\1/p' "$work/report.json")

least() { awk -v name="$1" '$1 == name && (least == "" || $2 < least) { least = $2 } END { print least }' "$work/times"; }
most() { awk -v name="$1" -v at="$2" '$1 == name && $at > most { most = $at } END { print int(most / 1024 + 0.5) }' "$work/times"; }
awk -v n="$documents" -v import="$(least import)" -v adopt="$(least adopt)" -v waited="$waited" -v said="$said" \
    -v import_mb="$(most import 3)" -v adopt_mb="$(most adopt 3)" -v import_s="$(most import 4)" -v adopt_s="$(most adopt 4)" 'BEGIN {
    printf "%d documents of the generic table\n", n
    printf "import   %8.1f s  %8d documents/s                        %d MB of memory, %d MB of its session\n", import, n / import, import_mb, import_s
    printf "adopt    %8.1f s  %8d documents/s   %.2f of the speed   %d MB of memory, %d MB of its session\n", adopt, n / adopt, import / adopt, adopt_mb, adopt_s
    printf "a service that writes meanwhile waits %.2f s at its longest; the report says %.2f s\n", waited, said }'
