-- The tables of a database of one machine become those of a distributed one.

-------------------------------------------------------------------------------------------------------------------
-- What is in the way of the distribution is dropped: foreign keys and triggers. Both come back below.
-------------------------------------------------------------------------------------------------------------------

create temporary table hacs_keys on commit drop as
select c.conname, c.conrelid::regclass as source, c.confrelid::regclass as target, c.confdeltype,
    (select a.attname::text from pg_attribute as a where a.attrelid = c.conrelid and a.attnum = c.conkey[1]) as field
from pg_constraint as c
join hacs_plan as p on p.target = c.conrelid and p.kind <> 'local'
where c.contype = 'f';

create temporary table hacs_triggers on commit drop as
select t.tgrelid::regclass as target, t.tgname, pg_get_triggerdef(t.oid) as definition, p.kind
from pg_trigger as t
join hacs_plan as p on p.target = t.tgrelid and p.kind <> 'local'
where not t.tgisinternal and t.tgname !~ '^audit_';

create temporary table hacs_audited on commit drop as
select p.target, p.kind, string_to_array(encode(t.tgargs, 'escape'), '\000') as list
from hacs_plan as p
join pg_trigger as t on t.tgrelid = p.target and t.tgname = 'audit_row';

do $$
declare
    statement text;
begin
    for statement in
        select format('alter table %s drop constraint %I', k.source, k.conname) from hacs_keys as k
        union all
        select format('drop trigger %I on %s', t.tgname, t.target) from hacs_triggers as t
        union all
        select format('drop trigger %I on %s', t.tgname, a.target)
        from hacs_audited as a
        join pg_trigger as t on t.tgrelid = a.target and t.tgname ~ '^audit_' and not t.tgisinternal
        union all
        select format('drop trigger %I on %s', t.tgname, t.tgrelid::regclass)
        from pg_trigger as t
        where not t.tgisinternal and t.tgparentid = 0 and (
            t.tgrelid = 'hacs_audit.resource_changes'::regclass
            or t.tgrelid in (
                select i.inhrelid from pg_inherits as i where i.inhparent = 'hacs_audit.resource_changes'::regclass
            )
        )
    loop
        execute statement;
    end loop;
end
$$;

-------------------------------------------------------------------------------------------------------------------
-- Keys have the patient in them; the column that says him is an ordinary one, since a row is sent by it.
-------------------------------------------------------------------------------------------------------------------

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
        execute format('alter table %s alter column %I drop expression', t.target, t.home);
        execute format('update %s set %I = '''' where %2$I is null', t.target, t.home);
        execute format(
            'alter table %1$s alter column %2$I set not null, alter column %2$I set default '''', '
            'add constraint %3$I check (%2$I = coalesce(%4$s, '''')), '
            'add column has_patient boolean generated always as (case when %2$I <> '''' then true end) stored, '
            'drop constraint %5$I, add constraint %5$I primary key (%6$s, %2$I)',
            t.target, t.home, format('%s_%s_sent', t.relname, t.home), t.expression, t.relname || '_pkey', t.ids
        );
        execute format('comment on constraint %I on %s is %L', format('%s_%s_sent', t.relname, t.home), t.target,
            'The patient by whom the row is distributed is sent with it, empty where there is none; it never changes');
        execute format('comment on column %s.has_patient is %L', t.target,
            'True where there is a patient; the second half of the reference to him');
    end loop;
end
$$;
alter table hacs_core.patients
    add column is_patient boolean generated always as (true) stored,
    add constraint patients_is_patient_key unique (id, is_patient);
comment on column hacs_core.patients.is_patient is 'True; what a reference to a patient asks for beside his id';
comment on constraint patients_is_patient_key on hacs_core.patients is
    'What the records of a patient refer to; those without a patient refer to nobody';

select create_reference_table(p.target) from hacs_plan as p where p.kind = 'reference';
select create_distributed_table('hacs_core.patients', 'id');
select create_distributed_table(p.target, p.home, colocate_with => 'hacs_core.patients')
from hacs_plan as p
where p.kind in ('patient', 'own') and p.target <> 'hacs_core.patients'::regclass;

-------------------------------------------------------------------------------------------------------------------
-- The trail lies with the rows that it is about. Changes of tables of the coordinator lie together.
-------------------------------------------------------------------------------------------------------------------

alter table hacs_audit.resource_changes drop constraint resource_changes_pkey;
do $$
begin
    execute format(
        'alter table hacs_audit.resource_changes add column compartment text generated always as (case '
        'when schema_name || ''.'' || table_name = any (%L::text[]) then coalesce(resource_id, '''') '
        'when schema_name || ''.'' || table_name = any (%L::text[]) then coalesce(patient_id, '''') '
        'else '''' end) stored',
        (select array_agg(p.target::text order by 1) from hacs_plan as p where p.kind = 'own'),
        (select array_agg(p.target::text order by 1) from hacs_plan as p where p.kind = 'patient')
    );
end
$$;
alter table hacs_audit.resource_changes alter column compartment drop expression;
alter table hacs_audit.resource_changes alter column compartment set not null;
alter table hacs_audit.resource_changes alter column compartment set default '';
alter table hacs_audit.resource_changes
    add constraint resource_changes_pkey primary key (change_id, changed_at, compartment);
comment on column hacs_audit.resource_changes.compartment is
    'By what the row is distributed: the patient, or what the table has in his place; empty for tables of the '
    'coordinator';
select create_distributed_table('hacs_audit.resource_changes', 'compartment', colocate_with => 'hacs_core.patients');

-------------------------------------------------------------------------------------------------------------------
-- Foreign keys: to the patient, and among the records of one patient. Those to another patient, and to tables that are
-- the coordinator's, end here.
-------------------------------------------------------------------------------------------------------------------

do $$
declare
    statement text;
begin
    for statement in
        select format(
            'alter table %s add constraint %I foreign key (%I, %I) references %s (%s)%s deferrable initially immediate',
            k.source, k.conname, k.field,
            case when k.field = s.home then 'has_patient' else s.home end,
            k.target,
            case when k.field = s.home then 'id, is_patient' else 'id, ' || quote_ident(t.home) end,
            case k.confdeltype when 'c' then ' on delete cascade' else '' end
        )
        from hacs_keys as k
        join hacs_plan as s on s.target = k.source and s.kind = 'patient'
        join hacs_plan as t on t.target = k.target and t.kind = 'patient'
        where k.field = s.home or t.home <> 'id'
        order by k.target <> 'hacs_core.patients'::regclass, k.source::text, k.conname
    loop
        execute statement;
    end loop;
end
$$;

do $$
declare
    t record;
begin
    for t in select * from hacs_triggers as g where g.kind <> 'reference' loop
        execute t.definition;
    end loop;
end
$$;
