#!/usr/bin/env bash
# The schema against the tables of the original Python system, with their indexes, on the same data: how fast both answer
# and take rows, and how large the indexes are. What their columns cannot answer is left out.
#
#   benches/schema/legacy.sh [observations [rounds [seconds [prepare|rows|answers|all]]]]         1000000 3 5 all
#
# Rows are taken at 100 000 observations at most, in bulk and one in a transaction. A part alone is for a machine that others use.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh
. benches/lib/hospital.sh

size=${1:-1000000}
rows=$((size < 100000 ? size : 100000))
rounds=${2:-3}
seconds=${3:-5}
part=${4:-all}
[ -x "$bin/pgbench" ] || die "pgbench is missing in $bin"

exists() { [ -n "$(sql postgres -c "select 1 from pg_database where datname = '$1'")" ]; }
columns() { sql "$1" -c "select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
    where attrelid = '$2'::regclass and attnum > 0 and attgenerated = '' and not attisdropped"; }

# The tables that both have, what others refer to first, each beside its counterpart and its view in as_legacy.
pairs='hacs_core.patients hacs_core.patients
hacs_core.organizations hacs_core.organizations
hacs_core.encounters hacs_core.encounters
hacs_core.observations hacs_core.observations
hacs_clinical.conditions hacs_clinical.conditions
hacs_clinical.medication_requests hacs_clinical.medication_requests
hacs_clinical.appointments hacs_clinical.appointments
hacs_agents.messages hacs_agents.agent_messages
hacs_agents.memories hacs_agents.memory_blocks
hacs_registry.knowledge_items hacs_registry.knowledge_items'

# The same rows, ready to be inserted, in a schema "stage": stage_rows FROM TO RELATION TABLE
stage_rows() {
    local list
    list=$(columns "$1" "$3")
    sql "$2" -c "set client_min_messages = warning" -c "create schema if not exists stage" -c "create unlogged table stage.${4/./_} as select $list from $4 limit 0"
    sql "$1" -c "copy (select $list from $3 order by created_at, id) to stdout (format binary)" |
        sql "$2" -c "set client_min_messages = warning" -c "copy stage.${4/./_} from stdin (format binary)"
}

# Statements that insert a staged table: insertion DATABASE TABLE
insertion() {
    local list
    list=$(columns "$1" "stage.${2/./_}")
    printf "insert into %s (%s) select %s from stage.%s;\n" "$2" "$list" "$list" "${2/./_}"
}

# ---------------------------------------------------------------------------------------------------------------
# Both, empty but for what is staged, at 100 000 observations or fewer; and both full at the size that is asked for.
# ---------------------------------------------------------------------------------------------------------------

prepare() {
    local from ours theirs
    from=$(hospital "$1")
    sql "$from" -f benches/data/legacy.sql
    if ! exists "staged_$1"; then
        say "the same $1 observations for both"
        copy_of template0 staging_legacy
        sql staging_legacy -f benches/data/legacy-tables.sql
        copy_of hacs staging
        while read -r ours theirs; do
            stage_rows "$from" staging "$ours" "$ours"
            stage_rows "$from" staging_legacy "as_legacy.${theirs/./_}" "$theirs"
        done <<<"$pairs"
        stage_rows "$from" staging_legacy as_legacy.hacs_audit_system_audit_log hacs_audit.system_audit_log
        sql staging -c "vacuum analyze"
        sql staging_legacy -c "vacuum analyze"
        sql postgres -c "set client_min_messages = warning" -c "drop database if exists staged_legacy_$1" \
            -c "alter database staging_legacy rename to staged_legacy_$1" -c "alter database staging rename to staged_$1"
    fi
}

full_legacy() {
    if ! exists "legacy_$1"; then
        copy_of "staged_legacy_$1" filling
        { while read -r _ theirs; do insertion filling "$theirs"; done <<<"$pairs"; insertion filling hacs_audit.system_audit_log; } |
            sql filling
        sql filling -c "set client_min_messages = warning" -c "drop schema stage cascade" -c "vacuum analyze"
        sql postgres -c "alter database filling rename to legacy_$1"
    fi
}

# ---------------------------------------------------------------------------------------------------------------
# Rows
# ---------------------------------------------------------------------------------------------------------------

# Milliseconds to insert all staged rows, table by table, with the audit on or off: bulk DATABASE AUDIT KIND <TABLES.
# What is called keyless has no foreign keys.
bulk() {
    copy_of "$1" bench_bulk
    audit bench_bulk "$2"
    if [ "$3" = keyless ]; then
        sql bench_bulk -c "select format('alter table %s drop constraint %I;', conrelid::regclass, conname) from pg_constraint
            where contype = 'f' and conparentid = 0" | sql bench_bulk
    fi
    { printf '\\timing on\n'; while read -r table; do printf '\\echo %s\n' "$table"; insertion bench_bulk "$table"; done; } |
        sql bench_bulk | awk -v kind="$3" '/^hacs/ { table = $1 } /^Time/ { print kind, table, $2 }'
}

audit() {
    sql "$1" -c "select format('alter table %s %s trigger %I;', tgrelid::regclass, '$2', tgname) from pg_trigger where tgname in ('audit_insert', 'audit_update', 'audit_delete')" |
        sql "$1"
}

# Observations a second, each in a transaction of its own: single DATABASE AUDIT KIND PATIENT-COLUMNS
single() {
    audit "$1" "$2"
    local key='' value=''
    if [ "$3" = legacy ]; then key='id, ' value='gen_random_uuid()::text, '; fi
    cat >"$work/single.sql" <<SQL
\\set n random(1, $((rows / 5)))
insert into hacs_core.observations ($key status, category, code, subject, encounter, effective_datetime, issued, value_quantity)
select $value status, category, code, subject, encounter, now(), now(), value_quantity from (values (
    'final', '[{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}]'::jsonb,
    '{"text": "Heart rate", "coding": [{"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"}]}'::jsonb,
    'Patient/p' || 1 + (:n - 1) / 2, 'Encounter/e' || :n, '{"value": 72, "unit": "/min", "system": "http://unitsofmeasure.org"}'::jsonb
)) as v (status, category, code, subject, encounter, value_quantity);
SQL
    printf '%s %s\n' "$3" "$("$bin/pgbench" -h "$HACS_QUICKSTART_DIR" -U hacs -n -M prepared -T "$seconds" -c 2 \
        -f "$work/single.sql" "$1" | awk '/^tps/ { print $3 }')"
}

for observations in "$rows" "$size"; do
    prepare "$observations"
    full_legacy "$observations"
done
if [ "$part" = prepare ]; then exit; fi

if [ "$part" != answers ]; then

say "rows in bulk"
for _ in $(seq "$rounds"); do
    cut -d' ' -f2 <<<"$pairs" | bulk "staged_legacy_$rows" disable legacy
    cut -d' ' -f1 <<<"$pairs" | bulk "staged_$rows" disable keyless
    cut -d' ' -f1 <<<"$pairs" | bulk "staged_$rows" disable rules
    cut -d' ' -f1 <<<"$pairs" | bulk "staged_$rows" 'enable always' audit
done >"$work/bulk"
say "single rows"
copy_of "hospital_$rows" bench_ours
copy_of "legacy_$rows" bench_legacy
for _ in $(seq "$rounds"); do
    single bench_legacy disable legacy
    single bench_ours disable rules
    single bench_ours 'enable always' audit
done >"$work/single"

printf '| rows | Python tables | all rules | | and audit | | all rules but foreign keys | |\n|---|--:|--:|--:|--:|--:|--:|--:|\n'
awk -v rounds="$rounds" '{ s[$1] += $2 / rounds } END { printf "| observations one by one, a second | %.0f | %.0f | %.2f | %.0f | %.2f | | |\n",
    s["legacy"], s["rules"], s["rules"] / s["legacy"], s["audit"], s["audit"] / s["legacy"] }' "$work/single"
awk -v rounds="$rounds" '
    { ms[$1, $2] += $3 / rounds; ms[$1, "all"] += $3 / rounds }
    function line(name, of) {
        printf "| %s in bulk, ms | %.0f | %.0f | %.2f | %.0f | %.2f | %.0f | %.2f |\n", name, ms["legacy", of], ms["rules", of],
            ms["legacy", of] / ms["rules", of], ms["audit", of], ms["legacy", of] / ms["audit", of], ms["keyless", of],
            ms["legacy", of] / ms["keyless", of]
    }
    END { line("observations", "hacs_core.observations"); line("ten tables", "all") }' "$work/bulk"
fi
if [ "$part" = rows ]; then exit; fi

# ---------------------------------------------------------------------------------------------------------------
# Answers and sizes
# ---------------------------------------------------------------------------------------------------------------

say "answers at $size observations"
for file in benches/questions/legacy/*.sql; do
    name=${file##*/}
    printf '%s %s %s\n' "${name%.sql}" "$(ask "legacy_$size" "$file" | cut -d' ' -f1-3)" \
        "$(ask "hospital_$size" "benches/questions/$name" | cut -d' ' -f1-3)"
done | awk '
    BEGIN { printf "\n| question | Python tables, ms | rows | here, ms | rows | times faster |\n|---|--:|--:|--:|--:|--:|\n" }
    { printf "| `%s` | %.2f | %d | %.2f | %d | %.1f |\n", $1, $2, $4, $5, $7, $2 / $5; sum += log($2 / $5); n++ }
    END { printf "| geometric mean of %d | | | | | %.1f |\n", n, exp(sum / n) }'

# Of the tables that both have and of the trail; in MB, and bytes a row.
sizes() { sql "$1" -c "select round(sum(pg_indexes_size(oid)) / 1e6), round(sum(pg_table_size(oid)) / 1e6), count(*) from pg_class
    where relkind = 'r' and (oid::regclass::text = any (string_to_array('$2', ' ')) or relname ~ '^(resource_changes|system_audit_log)')"; }
printf '\n| at %s observations | indexes, MB | tables, MB |\n|---|--:|--:|\n' "$size"
sizes "legacy_$size" "$(cut -d' ' -f2 <<<"$pairs" | tr '\n' ' ')" | awk -F'|' '{ printf "| Python tables | %d | %d |\n", $1, $2 }'
sizes "hospital_$size" "$(cut -d' ' -f1 <<<"$pairs" | tr '\n' ' ')" | awk -F'|' '{ printf "| here | %d | %d |\n", $1, $2 }'
