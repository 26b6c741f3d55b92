#!/usr/bin/env bash
# What each index is for, how large it is, and what it costs to write: of those that keep no key, the questions of
# benches/questions that use it and the foreign keys that it supports; microseconds that it adds to a row, as the median of
# five inserts of 5 000 rows with it and without it, in turns. Besides, what foreign keys without an index would cost.
# Prints tables for docs/performance.md. Indexes of tables that are empty in the hospital are left out.
#
#   benches/schema/indexes.sh [observations]           1000000
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh
. benches/lib/hospital.sh

size=${1:-1000000}
database=$(hospital "$size")

say "which question uses which index"
for file in benches/questions/*.sql; do
    name=${file##*/}
    for index in $(ask "$database" "$file" | cut -d' ' -f4-); do printf '%s|%s\n' "$index" "${name%.sql}"; done
done >"$work/uses"

# index | table | bytes | foreign keys
sql "$database" >"$work/indexes" <<'SQL'
select ic.relname, i.indrelid::regclass, pg_relation_size(i.indexrelid), (
    select string_agg(k.conname, ', ') from pg_constraint as k
    where k.contype = 'f' and k.conrelid = i.indrelid and k.conkey[1] = i.indkey[0]
)
from pg_index as i
join pg_class as ic on ic.oid = i.indexrelid
join pg_class as c on c.oid = i.indrelid
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname ~ '^hacs_(core|clinical|registry|agents)$' and c.reltuples > 0
    and not exists (select from pg_constraint as k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))
order by c.oid::regclass::text, ic.relname;
SQL

say "what each index costs to write"
while IFS='|' read -r index table bytes keys; do
    columns=$(sql "$database" -c "select string_agg(quote_ident(attname), ', ') from pg_attribute
        where attrelid = '$table'::regclass and attnum > 0 and attgenerated = '' and attname <> 'id'")
    # A whole document names its own id.
    values=$columns
    if [ "$table" = hacs_core.resources ]; then values=${columns/ data,/ data - \'id\',}; fi
    insert="insert into $table ($columns) select $values from $table limit 5000;"
    cost=$(for _ in 1 2 3 4 5 6; do
        printf 'begin; alter table %s disable trigger audit_insert, disable trigger audit_update, disable trigger audit_delete;\n\\timing on\n%s\n\\timing off\nrollback;\n' "$table" "$insert"
        printf 'begin; alter table %s disable trigger audit_insert, disable trigger audit_update, disable trigger audit_delete; drop index %s;\n\\timing on\n%s\n\\timing off\nrollback;\n' \
            "$table" "${table%%.*}.$index" "$insert"
    done | sql "$database" | awk '/^Time/ { if (++n > 2) print n % 2, $2 / 5 }' | sort -k1,1n -k2,2n |
        awk '{ us[$1, ++n[$1]] = $2 } END { printf "%.1f of %.1f", us[1, 3] - us[0, 3], us[1, 3] }')
    uses=$(awk -F'|' -v index_="$index" '$1 == index_ { printf "%s`%s`", sep, $2; sep = ", " }' "$work/uses")
    # shellcheck disable=SC2016 # Markdown's backquotes
    printf '| `%s` | %s | %s | %.1f | %s |\n' "$index" "$uses" "${keys:+\`${keys//, /\`, \`}\`}" "$(awk "BEGIN { print $bytes / 1e6 }")" "$cost"
done <"$work/indexes" >"$work/evidence"
printf '| index | questions | foreign keys | MB | µs a row |\n|---|---|---|--:|--:|\n'
cat "$work/evidence"

# A patient to whom nothing refers, deleted with the indexes of the foreign keys, then without that of observations.
say "what a delete costs without the index of a foreign key"
sql "$database" <<'SQL' | awk '/^Time/ { print "| delete of a patient " (++n == 1 ? "with" : "without") " observations_patient_id_idx | " $2 " ms |" }'
begin;
alter table hacs_core.patients disable trigger audit_insert, disable trigger audit_update, disable trigger audit_delete;
insert into hacs_core.patients (id, family) values ('nobody', 'Nobody'), ('nobody else', 'Nobody');
delete from hacs_core.patients where id = 'nobody else';
\timing on
delete from hacs_core.patients where id = 'nobody';
\timing off
drop index hacs_core.observations_patient_id_idx;
insert into hacs_core.patients (id, family) values ('nobody', 'Nobody');
\timing on
delete from hacs_core.patients where id = 'nobody';
\timing off
rollback;
SQL
