#!/usr/bin/env bash
# What `import` takes beside COPY and one hand-written INSERT … SELECT of the same documents, in turn, and how much memory
# import and export take at their most. Patients of two kilobytes, with rules and audit.
#
#   benches/schema/import.sh [documents [rounds]]     100000 documents, 3 rounds
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh
. benches/lib/hospital.sh

documents=${1:-100000}
rounds=${2:-3}
tool=$(built --release --bin hacs-refinery)
seq "$documents" | awk -v rest="$(printf '%01900d' 0)" '{
    printf "{\"resource_type\": \"Patient\", \"id\": \"m%d\", \"full_name\": \"N %d\", \"gender\": \"female\", ", $1, $1
    printf "\"birth_date\": \"1985-04-03\", \"note\": \"%s\"}\n", rest }' >"$work/documents.ndjson"

# The most memory that a program took: peak NAME COMMAND …, with its seconds beside it
peak() {
    local name=$1 most=0 now started
    shift
    started=$(date +%s.%N)
    "$@" &
    while kill -0 $! 2>/dev/null; do
        now=$(sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\) kB$/\1/p' "/proc/$!/status" 2>/dev/null || true)
        if [ "${now:-0}" -gt "$most" ]; then most=$now; fi
        sleep 0.05
    done
    wait $!
    printf '%s %s %s\n' "$name" "$(echo "$(date +%s.%N) - $started" | awk '{ print $1 - $3 }')" "$most" >>"$work/times"
}

by_import() { exec "$tool" import --quiet -d "host=$HACS_QUICKSTART_DIR user=hacs dbname=documents" "$work/documents.ndjson"; }
by_export() { exec "$tool" export --quiet -d "host=$HACS_QUICKSTART_DIR user=hacs dbname=documents" >/dev/null; }
by_hand() {
    sql documents >/dev/null <<SQL
begin;
create temporary table given (document jsonb);
\copy given from '$work/documents.ndjson' with (format csv, quote e'\x01', delimiter e'\x02')
insert into hacs_core.patients (id, full_name, gender, birth_date, extra)
select p.id, p.full_name, p.gender, p.birth_date, document - '{resource_type, id, full_name, gender, birth_date}'::text[]
from given, jsonb_populate_record(null::hacs_core.patients, document) as p;
commit;
SQL
}

for _ in $(seq "$rounds"); do
    copy_of hacs documents
    peak hand by_hand
    copy_of hacs documents
    peak import by_import
    peak export by_export
done
least() { awk -v name="$1" '$1 == name && (least == "" || $2 < least) { least = $2 } END { print least }' "$work/times"; }
most() { awk -v name="$1" '$1 == name && $3 > most { most = $3 } END { print int(most / 1024 + 0.5) }' "$work/times"; }
awk -v n="$documents" -v hand="$(least hand)" -v import="$(least import)" -v export="$(least export)" \
    -v import_mb="$(most import)" -v export_mb="$(most export)" -v size="$(wc -c <"$work/documents.ndjson")" 'BEGIN {
    printf "%d documents, %d MB\n", n, size / 1e6
    printf "COPY and one INSERT   %8.1f s  %8d documents/s\n", hand, n / hand
    printf "import                %8.1f s  %8d documents/s   %.2f times as long   %d MB of memory\n", import, n / import, import / hand, import_mb
    printf "export                %8.1f s  %8d documents/s                       %d MB of memory\n", export, n / export, export_mb }'
