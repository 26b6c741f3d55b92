#!/usr/bin/env bash
# What the audit costs: bulk writes of observations and single-row writes by pgbench, with and without it, in turns, on a
# throwaway cluster with PostgreSQL's default settings.
#
#   benches/schema/audit.sh [rounds [observations [seconds]]]      3 50000 5
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh
. benches/lib/hospital.sh

rounds=${1:-3}
rows=${2:-50000}
seconds=${3:-5}
[ -x "$bin/pgbench" ] || die "pgbench is missing in $bin"
copy_of hacs bench_audit
psql() { sql bench_audit "$@"; }

observation="select 'final', jsonb_build_object('text', 'Heart rate', 'coding', jsonb_build_array(
        jsonb_build_object('system', 'http://loinc.org', 'code', '8867-4'))), 'Patient/p' || (1 + n % 1000),
    now() - n * interval '1 minute', jsonb_build_object('value', n % 200, 'unit', '/min')"
columns="status, code, subject, effective_datetime, value_quantity"

# Milliseconds of a statement.
time_of() { psql -c '\timing on' -c "$1" | awk '/^Time:/ { print $2 }'; }

audit() {
    psql -c "alter table hacs_core.observations $1 trigger audit_insert, $1 trigger audit_update, $1 trigger audit_delete" -c "delete from hacs_core.observations" \
        -c "vacuum analyze hacs_core.observations"
}

bulk() {
    audit "$1"
    printf '%s %s ' "$2" "$(time_of "insert into hacs_core.observations (id, $columns) select 'o' || n, ${observation#select }
        from generate_series(1, $rows) as s (n)")"
    printf '%s ' "$(time_of "update hacs_core.observations set status = 'amended', notes = 'checked'")"
    printf '%s\n' "$(time_of "delete from hacs_core.observations")"
}

single() {
    audit "$1"
    printf '\\set n random(1, 1000)\ninsert into hacs_core.observations (%s) %s from (values (:n)) as s (n);\n' \
        "$columns" "$(tr '\n' ' ' <<<"$observation")" >"$work/single.sql"
    printf '%s %s\n' "$2" "$("$bin/pgbench" -h "$HACS_QUICKSTART_DIR" -U hacs -n -T "$seconds" -c 2 -f \
        "$work/single.sql" bench_audit | awk '/^tps/ { print $3 }')"
}

psql -c "insert into hacs_core.patients (id, family) select 'p' || n, 'F' || n from generate_series(1, 1000) as s (n)"
bulk disable warm >/dev/null
say "bulk: insert, update and delete of $rows observations, in ms"
for _ in $(seq "$rounds"); do
    bulk disable bare
    bulk 'enable always' audited
done | tee "$work/bulk"
say "single-row transactions a second"
for _ in $(seq "$rounds"); do
    single disable bare
    single 'enable always' audited
done | tee "$work/single"

awk '{ for (i = 2; i <= 4; i++) sum[$1, i] += $i }
    END { for (i = 2; i <= 4; i++) printf "bulk %s: %.1f times\n", substr("insertupdatedelete", 6 * (i - 2) + 1, 6),
        sum["audited", i] / sum["bare", i]
        printf "a deletion: %.2f of an insert, both audited\n", sum["audited", 4] / sum["audited", 2] }' "$work/bulk"
awk '{ sum[$1] += $2 } END { printf "single rows: %.2f of the transactions\n", sum["audited"] / sum["bare"] }' \
    "$work/single"

audit 'enable always'
psql -c "insert into hacs_core.observations (id, $columns)
    select 'size' || n, ${observation#select } from generate_series(1, 1000) as s (n)"
both=$(psql -c "select avg(2 * pg_column_size(to_jsonb(o))) from hacs_core.observations as o")
psql -c "update hacs_core.observations set status = 'amended', notes = 'checked'"
kept=$(psql -c "select avg(pg_column_size(changed_fields) + pg_column_size(old_values) + pg_column_size(new_values))
    from hacs_audit.resource_changes where operation = 'UPDATE' and resource_id like 'size%'")
awk -v a="$kept" -v b="$both" 'BEGIN { printf "an update keeps %d bytes of values, both images would be %d: %.2f\n", a, b, a / b }'
