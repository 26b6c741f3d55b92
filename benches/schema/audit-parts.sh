#!/usr/bin/env bash
# Where the cost of an audited INSERT comes from: observations with triggers that do more and more of what the
# audit does, up to all of it. In microseconds a row, the fastest of some rounds, on a throwaway cluster.
#
#   benches/schema/audit-parts.sh [rounds [observations]]      3 50000
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh
. benches/lib/hospital.sh

rounds=${1:-3}
rows=${2:-50000}
copy_of hacs bench_parts
sql bench_parts -v rounds="$rounds" -v rows="$rows" <<'SQL'
create schema bench;
insert into hacs_core.patients (id, family) select 'p' || n, 'F' || n from generate_series(1, 1000) as s (n);
alter table hacs_core.observations disable trigger audit_insert, disable trigger audit_update, disable trigger audit_delete, disable trigger audit_truncate;

create function bench.observe(wanted integer) returns double precision language plpgsql as $$
declare
    started timestamptz;
begin
    truncate hacs_core.observations;
    started := clock_timestamp();
    insert into hacs_core.observations (id, status, code, subject, effective_datetime, value_quantity)
    select 'o' || n, 'final',
        jsonb_build_object('text', 'Heart rate', 'coding', jsonb_build_array(
            jsonb_build_object('system', 'http://loinc.org', 'code', '8867-4'))),
        'Patient/p' || (1 + n % 1000), now() - n * interval '1 minute', jsonb_build_object('value', n % 200, 'unit', '/min')
    from generate_series(1, wanted) as s (n);
    return extract(epoch from clock_timestamp() - started) * 1e6 / wanted;
end
$$;

-- Each part adds something to the one before it.
create table bench.parts (part int, what text, ddl text);
insert into bench.parts values
    (1, 'no trigger', ''),
    (2, 'a trigger that does nothing',
        $ddl$create trigger part after insert on hacs_core.observations referencing new table as new_rows for each statement execute function bench.nothing()$ddl$),
    (3, 'with the rights of its owner and a search path of its own',
        $ddl$create trigger part after insert on hacs_core.observations referencing new table as new_rows for each statement execute function bench.guarded()$ddl$),
    (4, 'that writes the columns of the trail to a bare table', 'create table bench.trail (like hacs_audit.resource_changes including defaults)'),
    (5, 'which is partitioned',
        'create table bench.trail (like hacs_audit.resource_changes including defaults) partition by range (changed_at);
         create table bench.trail_default partition of bench.trail default'),
    (6, 'with a primary key',
        'alter table bench.trail add primary key (change_id, changed_at)'),
    (7, 'and the indexes of the questions',
        'create index on bench.trail (resource_id);
         create index on bench.trail (patient_id) where patient_id is not null;
         create index on bench.trail (actor_id, changed_at) where actor_id is not null;
         create index on bench.trail using gin (also) where also is not null');

create function bench.nothing() returns trigger language plpgsql as 'begin return null; end';
create function bench.guarded() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp
    as 'begin return null; end';
-- The real recorder, writing elsewhere.
do $$
begin
    execute format(
        'create function bench.record() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as %L',
        replace(hacs_audit.recorder_source('hacs_core.observations', '', 'id', 'patient_id'), 'hacs_audit.resource_changes', 'bench.trail')
    );
end
$$;

create table bench.times (part int, microseconds double precision);
create procedure bench.run(rounds int, wanted int) language plpgsql as $$
declare
    step bench.parts;
begin
    for _ in 1 .. rounds loop
        for step in select * from bench.parts order by part loop
            drop trigger if exists part on hacs_core.observations;
            if step.part in (4, 5) then
                drop table if exists bench.trail;
            end if;
            execute step.ddl;
            if step.part >= 4 then
                create trigger part after insert on hacs_core.observations referencing new table as new_rows for each statement
                    execute function bench.record('hacs_core', 'observations', '', 'id', 'patient_id', 'statements');
            end if;
            insert into bench.times values (step.part, bench.observe(wanted));
            commit;
            if step.part >= 4 then
                truncate bench.trail;
            end if;
        end loop;
    end loop;
end
$$;
select set_config('client_min_messages', 'warning', false) \g /dev/null
call bench.run(:rounds, :rows);
select format('%5s us  %4s times  %s', round(best::numeric, 1), round((best / first_value(best) over (order by part))::numeric, 2), what)
from (select part, min(microseconds) as best from bench.times group by part) as t
join bench.parts using (part)
order by part;
SQL
