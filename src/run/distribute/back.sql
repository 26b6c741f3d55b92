-- A distributed database becomes one of one machine again. What is not said here, the migrations say: they are run
-- again.

do $$
declare
    statement text;
begin
    for statement in
        select format('alter table %s drop constraint %I', c.conrelid::regclass, c.conname)
        from pg_constraint as c
        join hacs_plan as p on p.target = c.conrelid and p.kind <> 'local'
        where c.contype = 'f' and c.conparentid = 0
        union all
        select format('drop trigger %I on %s', t.tgname, t.tgrelid::regclass)
        from pg_trigger as t
        where not t.tgisinternal and t.tgparentid = 0 and (
            t.tgrelid in (select p.target from hacs_plan as p where p.kind <> 'local' or t.tgname ~ '^audit_')
            or t.tgrelid = 'hacs_audit.resource_changes'::regclass
            or t.tgrelid in (
                select i.inhrelid from pg_inherits as i where i.inhparent = 'hacs_audit.resource_changes'::regclass
            )
        )
    loop
        execute statement;
    end loop;
end
$$;

select undistribute_table(d.logicalrelid)
from pg_dist_partition as d
join pg_class as c on c.oid = d.logicalrelid
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname ~ '^hacs_' and not c.relispartition;

-- They are other tables now, of the same names.
update hacs_plan set target = name::regclass;

-- A column is generated again: it is made anew, of the others.
do $$
declare
    t record;
begin
    for t in
        select p.target, p.home, p.expression, p.ids, c.relname
        from hacs_plan as p
        join pg_class as c on c.oid = p.target
        where p.kind = 'patient' and p.home <> 'id'
    loop
        execute format(
            'alter table %1$s drop constraint %2$I, drop constraint %3$I, drop column has_patient, drop column %4$I',
            t.target, t.relname || '_pkey', format('%s_%s_sent', t.relname, t.home), t.home
        );
        execute format(
            'alter table %1$s add column %2$I text generated always as (%3$s) stored, '
            'add constraint %4$I primary key (%5$s)',
            t.target, t.home, t.expression, t.relname || '_pkey', t.ids
        );
    end loop;
end
$$;
alter table hacs_core.patients drop constraint patients_is_patient_key;
alter table hacs_core.patients drop column is_patient;

alter table hacs_audit.resource_changes drop constraint resource_changes_pkey;
alter table hacs_audit.resource_changes drop column compartment;
alter table hacs_audit.resource_changes add constraint resource_changes_pkey primary key (change_id, changed_at);

drop function hacs_core.putter_of_one_machine(regclass, hacs_core.reading);
drop function hacs_core.distribution_expression(regclass);
drop function hacs_core.refuse_move(text, text, text);
drop function hacs_core.lock_statement(regclass);
drop function hacs_core.touch_settings();
drop function hacs_audit.digest_of(jsonb);
