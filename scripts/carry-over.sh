#!/usr/bin/env bash
# Carries data, settings, audit trail and seals from one HACS database into another one that is migrated and still empty,
# of a newer version of PostgreSQL or of this program. A restore of data alone would write the trail twice and give its
# numbers anew; this does not.
#
#   scripts/carry-over.sh OLD NEW       two connection strings; NEW as the role that owns the schemas there
#
# Everything happens in one transaction of NEW: where it fails, nothing has changed there. OLD is read in one snapshot; let
# nobody write there meanwhile, and seal it before. At the end NEW is counted against OLD, and its seals are verified.
# Quarters that were let go in OLD stay where they are.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

[ $# = 2 ] || die "usage: scripts/carry-over.sh OLD NEW"
client=${PG_BINDIR:+$PG_BINDIR/}psql
old() { command "$client" -X -q -A -t -v ON_ERROR_STOP=1 -d "$old_url" "$@"; }
new() { command "$client" -X -q -A -t -v ON_ERROR_STOP=1 -d "$new_url" "$@"; }
old_url=$1 new_url=$2
work=$(mktemp -d "${TMPDIR:-/tmp}/hacs-carry-XXXXXX")
trap 'rm -rf "$work"' EXIT

# Tables and their columns, but for generated ones; of the trail the parent alone. The history is the new database's own.
columns="select c.oid::regclass || ' ' || quote_ident(a.attname)
    from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    where c.relkind in ('r', 'p') and not c.relispartition and c.oid::regclass::text !~ '^hacs_admin[.]([a-z][a-z0-9_]*_)?migrations$'
        and c.relnamespace::regnamespace::text in ('hacs_core', 'hacs_clinical', 'hacs_registry', 'hacs_agents', 'hacs_admin', 'hacs_audit')
        and c.relname !~ '^resource_changes_[0-9]{4}q[0-9]'"
old -c "$columns" | LC_ALL=C sort >"$work/old"
new -c "$columns" | LC_ALL=C sort >"$work/new"
LC_ALL=C comm -12 "$work/old" "$work/new" |
    awk '{ list[$1] = list[$1] (list[$1] ? ", " : "") $2 } END { for (table in list) print table "|" list[table] }' >"$work/tables"
lacking=$(LC_ALL=C comm -23 "$work/old" "$work/new")
[ -z "$lacking" ] || die "the new database has no place for: $lacking"
grep -q '^hacs_audit.seals|' "$work/tables" || die "one of the two is not migrated"

{
    echo 'begin isolation level repeatable read, read only;'
    # What the new database has to do before, told by the old one.
    cat <<'SQL'
\echo set constraints all deferred;
select format('select pg_catalog.setval(''hacs_audit.change_ids'', %s, %L);', last_value, is_called) from hacs_audit.change_ids;
select format('select hacs_audit.ensure_partitions(4, %L);', min(changed_at)) from hacs_audit.resource_changes having count(*) > 0;
SQL
    while IFS='|' read -r table list; do
        printf '\\echo copy %s (%s) from stdin;\n' "$table" "$list"
        printf 'copy (select %s from %s) to stdout;\n' "$list" "$table"
        printf '%s\n' "\\echo '\\\\.'"
    done <"$work/tables"
    echo 'commit;'
} >"$work/read.sql"

# No trigger fires for what is carried over; afterwards each fires as it did before.
cat >"$work/before.sql" <<'SQL'
do $$
declare
    found text;
begin
    if exists (select 1 from hacs_core.patients) or exists (select 1 from hacs_audit.resource_changes) or exists (select 1 from hacs_audit.seals) then
        raise exception 'the new database is not empty';
    end if;
end
$$;
create temporary table firing on commit drop as
select t.tgrelid::regclass as of_table, quote_ident(t.tgname) as name,
    case t.tgenabled when 'O' then 'enable' when 'A' then 'enable always' when 'R' then 'enable replica' else 'disable' end as mode
from pg_trigger as t
join pg_class as c on c.oid = t.tgrelid
where c.relkind in ('r', 'p') and not c.relispartition and not t.tgisinternal
    and c.relnamespace::regnamespace::text in ('hacs_core', 'hacs_clinical', 'hacs_registry', 'hacs_agents', 'hacs_admin');
do $$
declare
    of_table regclass;
begin
    for of_table in select distinct f.of_table from firing as f loop
        execute format('alter table %s disable trigger user', of_table);
    end loop;
end
$$;
SQL
cat >"$work/after.sql" <<'SQL'
set constraints all immediate;
do $$
declare
    f record;
begin
    for f in select * from firing loop
        execute format('alter table %s %s trigger %s', f.of_table, f.mode, f.name);
    end loop;
end
$$;
SQL
old -f "$work/read.sql" >"$work/data"
new -1 -f "$work/before.sql" -f "$work/data" -f "$work/after.sql" >/dev/null

while IFS='|' read -r table _; do
    [ "$(old -c "select count(*) from $table")" = "$(new -c "select count(*) from $table")" ] ||
        die "$table has not as many rows in the new database: was the old one written meanwhile?"
done <"$work/tables"
problems=$(new -c 'select * from hacs_audit.verify_seals()')
[ -z "$problems" ] || die "the seals do not verify in the new database: $problems"
say "carried over: $(wc -l <"$work/tables") tables, $(new -c 'select count(*) from hacs_audit.resource_changes') changes; the seals verify"
