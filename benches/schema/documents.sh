#!/usr/bin/env bash
# What put and get cost beside hand-written statements, for each type: a prepared INSERT from jsonb_populate_record that
# gives the id back, and `select to_jsonb(t)` by id, with its parts where it has some. With rules and audit.
#
#   benches/schema/documents.sh [rounds] [calls]     5 rounds of 300 calls; HACS_BENCH_TYPES: of types like this alone
#
# In each round every statement runs once, in turn, so that whatever else the machine does falls on all of them. Each
# number is the least of the rounds: microseconds a call, and the ratio of the two.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh
. benches/lib/hospital.sh

rounds=${1:-5}
calls=${2:-300}
[ -x "$bin/pgbench" ] || die "pgbench is missing in $bin"
copy_of hacs documents
sql documents >/dev/null <<'SQL'
create table public.samples (line jsonb);
\copy public.samples from 'tests/data/valid.ndjson' with (format csv, quote e'\x01', delimiter e'\x02')
-- Whatever a sample refers to has to be there.
select count(*) from hacs_core.put_all((select jsonb_agg(line -> 'doc' || coalesce(line -> 'context', '{}')) from public.samples));
create table public.scripts as
select d.resource_type as type, format(
        'insert into %1$s (%2$s, extra) select %2$s, d.document - %3$L::text[] from (select %4$s as document offset 0) as d, '
        'jsonb_populate_record(null::%1$s, d.document) returning id;', d.target, c.list, c.names, n.document) as insert,
    format('select * from hacs_core.put(%s);', n.document) as put,
    format('select to_jsonb(t)%s from %s as t where id = %L;', (
            select string_agg(format(' || jsonb_build_object(%L, (select jsonb_agg(to_jsonb(p) order by p.position) '
                'from %s as p where p.%I = t.id))', p.field, p.part, p.owner_column), '')
            from hacs_core.document_parts(d.target) as p
        ), d.target, s.id) as select,
    format('select hacs_core.get(%L, %L);', d.resource_type, s.id) as get
from hacs_core.document_tables() as d
cross join lateral (
    -- one of middling length; contacts and qualifications are other rows, put by themselves
    select line -> 'doc' ->> 'id' as id,
        ((line -> 'doc') || coalesce(line -> 'context', '{}')) - array['contacts', 'qualifications'] as document
    from public.samples where line -> 'doc' ->> 'resource_type' = d.resource_type
        and (not line ? 'context' or exists (select from hacs_core.document_owner(d.target)))
    order by length(line::text) offset 1 limit 1
) as s
cross join lateral (
    select string_agg(format('%I', c.name), ', ') filter (where s.document ? c.name) as list, array_agg(c.name) as names
    from (
        select name from hacs_core.document_columns(d.target)
        union all
        select owner_column from hacs_core.document_owner(d.target)
    ) as c
) as c
cross join lateral (
    -- no colon that pgbench would take for a variable
    select format('(%L::jsonb || jsonb_build_object(''id'', gen_random_uuid()::text))',
        regexp_replace(s.document::text, ':([A-Za-z_])', '\\u003a\1', 'g'))
) as n (document);
SQL

for type in $(sql documents -c "select type from public.scripts where type ~ '${HACS_BENCH_TYPES:-.}' order by 1"); do
    : >"$work/times"
    for what in insert put select get; do
        sql documents -c "select \"$what\" from public.scripts where type = '$type'" >"$work/$what.sql"
    done
    for _ in $(seq "$rounds"); do
        for what in insert put select get; do
            "$bin/pgbench" -n -M prepared -t "$calls" -h "$HACS_QUICKSTART_DIR" -U hacs -f "$work/$what.sql" documents 2>&1 |
                sed -n "s/^latency average = \([0-9.]*\) ms\$/$what \1/p" >>"$work/times"
        done
    done
    least() { sed -n "s/^$1 //p" "$work/times" | sort -n | head -n 1; }
    printf '%s %s %s %s %s\n' "$type" "$(least insert)" "$(least put)" "$(least select)" "$(least get)" | awk '{
        printf "%-22s insert %6.0f us  put %6.0f us  ratio %.2f    select %6.0f us  get %6.0f us  ratio %.2f\n",
            $1, $2 * 1000, $3 * 1000, $2 / $3, $4 * 1000, $5 * 1000, $4 / $5 }'
done
