-- The triggers of the audit: how they write, and on which tables they are.

-------------------------------------------------------------------------------------------------------------------
-- Who acts. The application says it at the beginning of each transaction; it is gone at its end, so that a connection
-- from a pool never carries the actor of somebody else.
-------------------------------------------------------------------------------------------------------------------

create or replace function hacs_audit.set_actor(actor_id text, purpose text default null, request_id text default null)
returns void
language sql
begin atomic
    select
        set_config('hacs_audit.actor_id', coalesce(actor_id, ''), true),
        set_config('hacs_audit.purpose', coalesce(purpose, ''), true),
        set_config('hacs_audit.request_id', coalesce(request_id, ''), true);
end;
comment on function hacs_audit.set_actor(text, text, text) is
    'Names the person or agent who acts in this transaction, what for, and in which request';

create or replace function hacs_audit.require_actor()
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select 1 from hacs_admin.system_config where key = 'audit.require_actor' and value = 'true') then
        raise exception 'this transaction has no actor, and audit.require_actor is set'
            using errcode = 'insufficient_privilege',
                hint = 'Begin the transaction with: select hacs_audit.set_actor(''practitioner/42'', purpose => '
                    '''treatment'').';
    end if;
end
$$;
comment on function hacs_audit.require_actor() is 'Refuses to go on without an actor, where system_config asks for one';

-------------------------------------------------------------------------------------------------------------------
-- The triggers. Their arguments carry the logical table, so that partitions and copies are recorded under its name.
-- Each table has a function of its own, which attach writes.
--
-- Whole statements are written down at once: a trigger for each row would write by an INSERT of its own, which takes
-- five times as long. Where statements have no triggers (what a subscriber of logical replication applies), or no
-- tables of their rows (a partitioned table whose rows may move, a shard), the same function writes row by row.
--
-- An INSERT keeps no image: the row itself is one, and when it goes, the DELETE keeps it. So every past state can be
-- rebuilt backwards, and the most frequent change costs the least.
-------------------------------------------------------------------------------------------------------------------

create or replace function hacs_audit.refuse_too_large(image json)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if octet_length(image::text) > 200000000 then
        raise exception 'a row of % MB is refused: its deletion could not be written down',
            octet_length(image::text) / 1000000
            using errcode = 'program_limit_exceeded',
                hint = 'An audited row has at most 200 MB as JSON. Keep large contents in a file, and its address '
                    'here.';
    end if;
end
$$;
comment on function hacs_audit.refuse_too_large(json) is
    'Refuses a row whose image would not fit into the trail one day';

create or replace function hacs_audit.compared_fields(audited regclass)
returns table (name text, quoted text, number smallint, is_exact boolean)
language sql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $$
    select a.attname::text, format('%I', a.attname), a.attnum,
        coalesce(k.collisdeterministic, true) and coalesce(nullif(t.typbasetype, 0), t.oid) = any (
            '{text, varchar, boolean, int2, int4, int8, date, timestamp, timestamptz, uuid}'::regtype[]
        )
    from pg_attribute as a
    join pg_type as t on t.oid = a.atttypid
    left join pg_collation as k on k.oid = a.attcollation
    where a.attrelid = audited and a.attname = any ((select hacs_audit.fields(audited))::text[])
$$;
comment on function hacs_audit.compared_fields(regclass) is
    'The fields of an audited table; is_exact: whether two values that are equal are the same';

-- Columns are compared once: those whose equality is not identity (jsonb, numbers, intervals, …) by their image, and
-- all of these in one call, which mostly ends it. Objects are put together as text, since thirty times || on jsonb
-- takes longer than to parse one.
create or replace function hacs_audit.recorder_source(audited regclass, type text, key_column text, patient_column text)
returns text
language sql stable
set search_path = pg_catalog, pg_temp
-- so that the text, with which coverage compares, is the same for everybody
set quote_all_identifiers = off
as $outer$
    with texts as (
        select
            coalesce(
                'record_image_ne(row(' || string_agg('@n.' || quoted, ', ' order by number) filter (where not is_exact)
                || '), row(' || string_agg('@o.' || quoted, ', ' order by number) filter (where not is_exact) || '))',
                'false'
            ) as images,
            string_agg(format(
                case when is_exact then 'n.%1$s is distinct from o.%1$s as c%2$s'
                    else 'i.differ and record_image_ne(row(n.%1$s), row(o.%1$s)) as c%2$s' end,
                quoted, number
            ), ', ' order by number) as compared,
            -- the touch of an update that changes nothing is no change; a time that was set by hand is one
            string_agg(
                case when name = 'updated_at' then format('c%s and n.%s is distinct from now()', number, quoted)
                    else 'c' || number end,
                ' or ' order by number
            ) as is_change,
            string_agg(format('case when c%s then %L end', number, name), ', ' order by number) as names,
            string_agg(format('case when c%s then %L || coalesce(to_json(o.%s)::text, ''null'') end', number,
                to_json(name)::text || ':', quoted), ', ' order by number) as before,
            string_agg(format('case when c%s then %L || coalesce(to_json(n.%s)::text, ''null'') end', number,
                to_json(name)::text || ':', quoted), ', ' order by number) as after,
            string_agg(format(
                $$
            if %s then
                fields := fields || %L::text;
                old_part := old_part || jsonb_build_object(%2$L, b.%3$s);
                new_part := new_part || jsonb_build_object(%2$L, a.%3$s);
            end if;$$,
                case when is_exact then format('a.%1$s is distinct from b.%1$s', quoted)
                    else format('differ and record_image_ne(row(a.%1$s), row(b.%1$s))', quoted) end,
                name, quoted
            ), '' order by number) as one_by_one
        from hacs_audit.compared_fields(audited)
    ), parts as (
        select t.*,
            case when type = '' then '#.resource_type' else quote_literal(type) end as kind,
            case when patient_column = '' then 'null::text' else format('#.%I', patient_column) end as patient,
            format('#.%I', key_column) as key
        from texts as t
    ), columns as (
        select p.*,
            format('%s, %s, null, null, %s, null', kind, key, patient) as whole,
            -- where key or type were changed, what was before; and where the patient was
            format(
                '%1$s, %2$s, case when %4$s <> %1$s then %4$s end, case when %5$s <> %2$s or %4$s <> %1$s then %5$s '
                    'end, '
                'coalesce(%3$s, %6$s), case when %5$s <> %2$s or %4$s <> %1$s or %6$s <> %3$s then array_remove(array['
                'case when %5$s <> %2$s or %4$s <> %1$s then %4$s || ''/'' || %5$s end, ''Patient/'' || nullif(%6$s, '
                    '%3$s)], null) end',
                replace(kind, '#', '@n'), replace(key, '#', '@n'), replace(patient, '#', '@n'),
                replace(kind, '#', '@o'), replace(key, '#', '@o'), replace(patient, '#', '@o')
            ) as moved
        from parts as p
    )
    select format(
        $source$
#variable_conflict use_variable
declare
    actor constant text := nullif(btrim(current_setting('hacs_audit.actor_id', true)), '');
    purpose constant text := nullif(current_setting('hacs_audit.purpose', true), '');
    request constant text := nullif(current_setting('hacs_audit.request_id', true), '');
    befores %1$s[];
    afters %1$s[];
    b %1$s;
    a %1$s;
    differ boolean;
    fields text[];
    old_part jsonb := '{}';
    new_part jsonb := '{}';
begin
    -- Rows that no statement brings are written down row by row, all others by statement: never both.
    if tg_argv[5] <> 'rows'
        and (tg_level = 'ROW') <> (current_setting('session_replication_role') = 'replica' and current_query() is null)
    then
        return null;
    end if;
    if tg_op = 'INSERT' then
        if tg_level = 'ROW' then
            perform hacs_audit.refuse_too_large(to_json(new)) where pg_column_size(new) > 1000000;
            %2$s (select new.*) as n;
        else
            perform hacs_audit.refuse_too_large(to_json(n)) from new_rows as n where pg_column_size(n) > 1000000;
            %2$s new_rows as n;
        end if;
    elsif tg_op = 'DELETE' then
        if tg_level = 'ROW' then
            %3$s (select old.*) as o;
        else
            %3$s old_rows as o;
        end if;
    else
        if tg_level = 'ROW' then
            b := old;
            a := new;
        else
            select array(select t from old_rows as t limit 2), array(select t from new_rows as t limit 1) into befores,
                afters;
            b := befores[1];
            a := afters[1];
        end if;
        if tg_level = 'ROW' or cardinality(befores) = 1 then
            -- One row: to start the statement below for it would take longer than all of this.
            differ := %5$s;%6$s
            if fields is null or fields = '{updated_at}' and %7$s then
                return null;
            end if;
            if pg_column_size(a) > 1000000 then
                perform hacs_audit.refuse_too_large(to_json(a));
            end if;
            %11$s fields, old_part, new_part, actor, purpose, request;
        elsif cardinality(befores) = 2 then
            perform hacs_audit.refuse_too_large(to_json(n)) from new_rows as n where pg_column_size(n) > 1000000;
            -- PostgreSQL puts both versions of a row into both tables in one step, so that their order is the same. The
            -- key cannot pair them, since it may be changed.
            %8$s (select row_number() over () as "#", t.* from old_rows as t) as o
            join (select row_number() over () as "#", t.* from new_rows as t) as n using ("#")
            cross join lateral (select %4$s as differ offset 0) as i
            cross join lateral (select %9$s offset 0) as c
            where %10$s;
        else
            return null;
        end if;
    end if;
    if found and actor is null then
        perform hacs_audit.require_actor();
    end if;
    return null;
end
$source$,
        audited,
        head || replace(whole, '#', 'n') || ', null::text[], null::jsonb, null::jsonb, actor, purpose, request from',
        head || replace(whole, '#', 'o') || ', null::text[], to_jsonb(o), null::jsonb, actor, purpose, request from',
        replace(images, '@', ''),
        replace(replace(images, '@n.', 'a.'), '@o.', 'b.'),
        one_by_one,
        case when 'updated_at' = any (hacs_audit.fields(audited)) then 'a.updated_at is not distinct from now()'
            else 'false' end,
        head || replace(moved, '@', '') || format(
            ', array_remove(array[%s]::text[], null), (''{'' || concat_ws('','', %s) || ''}'')::jsonb, (''{'' || '
                'concat_ws('','', %s) || ''}'')::jsonb, actor, purpose, request from',
            names, before, after
        ),
        compared,
        is_change,
        head || replace(replace(moved, '@n.', 'a.'), '@o.', 'b.') || ','
    )
    from columns
    cross join (
        select 'insert into hacs_audit.resource_changes (operation, schema_name, table_name, resource_type, '
            'resource_id, previous_type, '
            'previous_id, patient_id, also, changed_fields, old_values, new_values, actor_id, purpose, request_id) '
            'select tg_op, tg_argv[0], tg_argv[1], '
    ) as h (head)
$outer$;
comment on function hacs_audit.recorder_source(regclass, text, text, text) is
    'The body of the audit trigger of a table, for its columns as they are now';

create or replace function hacs_audit.record_truncate()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
declare
    actor constant text := nullif(btrim(current_setting('hacs_audit.actor_id', true)), '');
begin
    if current_setting('hacs_audit.allow_truncate', true) is distinct from 'on' then
        raise exception 'TRUNCATE of %.% is refused: it would not tell what it removes', tg_argv[0], tg_argv[1]
            using errcode = 'insufficient_privilege',
                hint = 'Delete the rows instead; or allow it for this transaction: set local '
                    'hacs_audit.allow_truncate = ''on''.';
    end if;
    if actor is null then
        perform hacs_audit.require_actor();
    end if;
    -- No row goes without its image, and then the event itself is told.
    execute format(
        'insert into hacs_audit.resource_changes ('
        '    operation, schema_name, table_name, resource_type, resource_id, patient_id, old_values, actor_id, '
            'purpose, request_id'
        ') '
        'select ''DELETE'', $1, $2, coalesce(nullif($3, ''''), j ->> ''resource_type''), j ->> $4, j ->> $5, j, $6, '
            '$7, $8 '
        'from %I.%I as t, to_jsonb(t) as j '
        'union all '
        'select ''TRUNCATE'', $1, $2, coalesce(nullif($3, ''''), $2), null, null, null, $6, $7, $8',
        tg_table_schema, tg_table_name
    )
    using tg_argv[0], tg_argv[1], tg_argv[2], tg_argv[3], tg_argv[4], actor,
        nullif(current_setting('hacs_audit.purpose', true), ''),
        nullif(current_setting('hacs_audit.request_id', true), '');
    return null;
end
$$;
comment on function hacs_audit.record_truncate() is
    'Trigger: refuses TRUNCATE, or writes it down with all rows where the transaction allows it; arguments: '
    'schema, table, resource type, key column, patient column';

-- Pinned: the path, and every setting that the output of values depends on. Nested loops and the compiler off: a plan
-- that was made for few rows is kept for a million, and to compile thirty comparisons takes longer than to do them.
create or replace function hacs_audit.recorder_settings(audited regclass)
returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select array[
        'search_path=pg_catalog, pg_temp', 'TimeZone=UTC', 'DateStyle=ISO, YMD', 'IntervalStyle=postgres',
            'extra_float_digits=1',
        'bytea_output=hex', 'enable_nestloop=off', 'jit=off'
    ] || case when exists (
        select 1 from pg_attribute as a where a.attrelid = audited and a.atttypid = any ('{money, money[]}'::regtype[])
    ) then '{lc_monetary=C}'::text[] end
$$;
comment on function hacs_audit.recorder_settings(regclass) is
    'The settings of the audit trigger of a table, as the catalogue has them';

create or replace function hacs_audit.attach(
    audited regclass,
    resource_type text default '',
    key_column text default 'id',
    patient_column text default '',
    by_row boolean default false
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    logical record;
    recorder text;
    arguments text;
    event record;
begin
    select n.nspname as schema_name, c.relname as table_name, by_row or c.relkind = 'p' as by_row into logical
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.oid = audited;
    if resource_type = '' and not exists (
        select 1 from pg_attribute where attrelid = audited and attname = 'resource_type' and not attisdropped
    ) then
        raise exception '% has no column resource_type', audited
            using hint = 'Name the type: hacs_audit.attach(''…'', resource_type => ''Ward'').';
    end if;
    recorder := format('hacs_audit.%I', 'record_' || logical.schema_name || '_' || logical.table_name);
    arguments := format(
        '%L, %L, %L, %L, %L, %L', logical.schema_name, logical.table_name, resource_type, key_column, patient_column,
        case when logical.by_row then 'rows' else 'statements' end
    );
    execute format(
        'create or replace function %s() returns trigger language plpgsql security definer %s as %L',
        recorder,
        (
            select string_agg(format(
                'set %s = %s', split_part(s, '=', 1),
                case when s ~ '^search_path=' then split_part(s, '=', 2) else quote_literal(split_part(s, '=', 2)) end
            ), ' ' order by n)
            from unnest(hacs_audit.recorder_settings(audited)) with ordinality as u (s, n)
        ),
        hacs_audit.recorder_source(audited, resource_type, key_column, patient_column)
    );
    execute format(
        'comment on function %s() is %L', recorder,
        format('Trigger: writes down the changes of the rows of %s.%s', logical.schema_name, logical.table_name)
    );
    execute format('revoke all on function %s() from public', recorder);
    execute format(
        'create or replace trigger audit_row after insert or update or delete on %s for each row execute function '
            '%s(%s)',
        audited, recorder, arguments
    );
    -- "always" and "replica": a session that replays changes, as a subscriber does, is audited as well.
    execute format('alter table %s enable %s trigger audit_row', audited, case when logical.by_row then 'always'
        else 'replica' end);
    for event in
        select *
        from (
            values
                ('insert', 'new table as new_rows'),
                ('update', 'old table as old_rows new table as new_rows'),
                ('delete', 'old table as old_rows')
        ) as e (name, tables)
    loop
        if not logical.by_row then
            execute format(
                'create or replace trigger audit_%1$s after %1$s on %2$s referencing %3$s for each statement execute '
                    'function %4$s(%5$s)',
                event.name, audited, event.tables, recorder, arguments
            );
            execute format('alter table %s enable always trigger audit_%s', audited, event.name);
        elsif exists (select 1 from pg_trigger where tgrelid = audited and tgname = 'audit_' || event.name) then
            execute format('drop trigger audit_%s on %s', event.name, audited);
        end if;
    end loop;
    execute format(
        'create or replace trigger audit_truncate before truncate on %s '
        'for each statement execute function hacs_audit.record_truncate(%s)',
        audited, arguments
    );
    execute format('alter table %s enable always trigger audit_truncate', audited);
end
$$;
comment on function hacs_audit.attach(regclass, text, text, text, boolean) is
    'Attaches the audit to a table, anew after its columns changed; without a resource type, each row has its own '
    'in the column resource_type; by row where statements have no tables of their rows, as on shards';

-- One row for each table that holds resources or settings. A column that was added since makes its audit "altered".
create or replace view hacs_audit.coverage as
with expected (name, type, old_rows, new_rows, by_row) as (
    -- 29: after insert, update or delete, for each row; 4, 16, 8: after one of them, for each statement; 34: before
    -- truncate
    values
        ('audit_row', 29, null, null, null),
        ('audit_insert', 4, null, 'new_rows', false),
        ('audit_update', 16, 'old_rows', 'new_rows', false),
        ('audit_delete', 8, 'old_rows', null, false),
        ('audit_truncate', 34, null, null, null)
)
select
    n.nspname::text as schema_name,
    c.relname::text as table_name,
    case
        when recorder.oid is null or found.missing then 'missing'
        when found.disabled then 'disabled'
        when found.altered
            or arguments.list[1] <> n.nspname or arguments.list[2] <> c.relname
            or not recorder.prosecdef
            or recorder.proowner <> trail.relowner
            or recorder.proconfig is distinct from hacs_audit.recorder_settings(c.oid::regclass)
            or recorder.prosrc <> hacs_audit.recorder_source(c.oid::regclass, arguments.list[3], arguments.list[4],
                arguments.list[5])
            then 'altered'
        else 'complete'
    end as audit
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
join pg_catalog.pg_class as trail on trail.oid = 'hacs_audit.resource_changes'::regclass
left join pg_catalog.pg_trigger as main on main.tgrelid = c.oid and main.tgname = 'audit_row'
left join pg_catalog.pg_proc as recorder on recorder.oid = main.tgfoid
left join lateral (
    select string_to_array(encode(main.tgargs, 'escape'), '\000') as list
) as arguments on true
left join lateral (
    select
        bool_or(t.oid is null) as missing,
        bool_or(t.tgenabled <> case when e.by_row is null and e.name = 'audit_row' and arguments.list[6] <> 'rows'
            then 'R' else 'A' end) as disabled,
        bool_or(
            t.tgtype <> e.type or t.tgqual is not null or t.tgattr <> '' or t.tgargs <> main.tgargs
            or t.tgoldtable::text is distinct from e.old_rows or t.tgnewtable::text is distinct from e.new_rows
            or t.tgfoid <> case when e.name = 'audit_truncate' then 'hacs_audit.record_truncate'::regproc
                else main.tgfoid end
        ) as altered
    from expected as e
    left join pg_catalog.pg_trigger as t on t.tgrelid = c.oid and t.tgname = e.name
    where e.by_row is null or arguments.list[6] is distinct from 'rows'
) as found on true
where c.relkind in ('r', 'p')
    and not c.relispartition
    and n.nspname in ('hacs_core', 'hacs_clinical', 'hacs_registry', 'hacs_agents', 'hacs_admin')
    -- written by the migration tool: the histories of HACS and of the others who have migrations here
    and (n.nspname <> 'hacs_admin' or c.relname !~ '^([a-z][a-z0-9_]*_)?migrations$');

comment on view hacs_audit.coverage is 'One row is one table that should be audited, and whether it is';
comment on column hacs_audit.coverage.schema_name is 'Schema of the table';
comment on column hacs_audit.coverage.table_name is 'Name of the table';
comment on column hacs_audit.coverage.audit is 'complete, missing, disabled, or altered';

-------------------------------------------------------------------------------------------------------------------
-- Reading leaves no trace by itself: PostgreSQL has no trigger for it. An application that is told to account for it
-- says so, and it stands in the same trail, sealed with all the rest.
-------------------------------------------------------------------------------------------------------------------

create or replace function hacs_audit.record_access(resource_type text, id text, purpose text default null)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    source record;
    place record;
    patient text;
    is_there boolean := false;
begin
    if id is null or btrim(id) = '' then
        raise exception 'which % was read?', resource_type using errcode = 'null_value_not_allowed';
    end if;
    for source in select * from hacs_audit.audited(resource_type) loop
        execute format(
            'select true, %s from %s as t where t.%I = %L and coalesce(to_jsonb(t) ->> ''resource_type'', $1) = $1',
            coalesce(format('t.%I::text', nullif(source.patient_column, '')), 'null::text'), source.audited,
                source.key_column, id
        )
        into is_there, patient using resource_type;
        if place is null or is_there then
            select n.nspname, c.relname into place
            from pg_class as c
            join pg_namespace as n on n.oid = c.relnamespace
            where c.oid = source.audited;
        end if;
        exit when is_there;
    end loop;
    if place is null then
        raise exception 'no audited table holds resources of type %', resource_type
            using errcode = 'invalid_parameter_value';
    end if;
    if nullif(btrim(current_setting('hacs_audit.actor_id', true)), '') is null then
        perform hacs_audit.require_actor();
    end if;
    insert into hacs_audit.resource_changes (
        operation, schema_name, table_name, resource_type, resource_id, patient_id, actor_id, purpose, request_id
    )
    values (
        'READ', place.nspname, place.relname, resource_type, id, patient,
        nullif(btrim(current_setting('hacs_audit.actor_id', true)), ''),
        coalesce(purpose, nullif(current_setting('hacs_audit.purpose', true), '')),
        nullif(current_setting('hacs_audit.request_id', true), '')
    );
end
$$;
comment on function hacs_audit.record_access(text, text, text) is
    'Writes down that a resource was read, by the actor of this transaction, as the application tells; also where '
    'there is no such resource';

-------------------------------------------------------------------------------------------------------------------
-- The audit attached to every table that holds resources or settings. A table made later is one line more.
-------------------------------------------------------------------------------------------------------------------

select hacs_audit.attach('hacs_core.resources', patient_column => 'patient_id');
select hacs_audit.attach('hacs_core.patients', patient_column => 'id');
select hacs_audit.attach('hacs_core.organizations');
select hacs_audit.attach('hacs_core.organization_contacts');
select hacs_audit.attach('hacs_core.organization_qualifications');
select hacs_audit.attach('hacs_core.encounters', patient_column => 'patient_id');
select hacs_audit.attach('hacs_core.observations', patient_column => 'patient_id');

select hacs_audit.attach('hacs_clinical.conditions', patient_column => 'patient_id');
select hacs_audit.attach('hacs_clinical.medications');
select hacs_audit.attach('hacs_clinical.medication_requests', patient_column => 'patient_id');
select hacs_audit.attach('hacs_clinical.procedures', patient_column => 'patient_id');
select hacs_audit.attach('hacs_clinical.allergy_intolerances', patient_column => 'patient_id');
select hacs_audit.attach('hacs_clinical.goals', patient_column => 'patient_id');
select hacs_audit.attach('hacs_clinical.service_requests', patient_column => 'patient_id');
select hacs_audit.attach('hacs_clinical.family_member_history', patient_column => 'patient_id');
select hacs_audit.attach('hacs_clinical.risk_assessments', patient_column => 'patient_id');

select hacs_audit.attach('hacs_clinical.plan_definitions');
select hacs_audit.attach('hacs_clinical.activity_definitions');
select hacs_audit.attach('hacs_clinical.libraries');
select hacs_audit.attach('hacs_clinical.guidance_responses', patient_column => 'patient_id');
select hacs_audit.attach('hacs_clinical.evidence_variables');
select hacs_audit.attach('hacs_clinical.tasks', patient_column => 'patient_id');
select hacs_audit.attach('hacs_clinical.appointments', patient_column => 'patient_id');

select hacs_audit.attach('hacs_registry.knowledge_items');
select hacs_audit.attach('hacs_registry.templates', 'Template');

select hacs_audit.attach('hacs_agents.memories');
select hacs_audit.attach('hacs_agents.messages', patient_column => 'local_patient_id');

select hacs_audit.attach('hacs_admin.system_config', 'SystemConfig', key_column => 'key');

-------------------------------------------------------------------------------------------------------------------
-- PostgreSQL lets everybody call every function. Here everybody who reaches a schema may call the pure functions of its
-- rules, so that a right to a table is enough to write to it; nobody may call anything else, until it is granted.
-------------------------------------------------------------------------------------------------------------------

revoke all on all functions in schema hacs_core, hacs_clinical, hacs_registry, hacs_agents, hacs_admin, hacs_audit
    from public;
do $$
declare
    rule regprocedure;
begin
    for rule in
        select p.oid
        from pg_catalog.pg_proc as p
        where p.pronamespace = any ('{hacs_core, hacs_clinical, hacs_registry, hacs_agents}'::regnamespace[])
            and p.provolatile = 'i' and not p.prosecdef
            and not exists (
                select 1 from pg_catalog.pg_depend as d
                where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
            )
    loop
        execute format('grant execute on function %s to public', rule);
    end loop;
end
$$;

-- What default privileges gave away: the audit, and every function that runs with the rights of its owner.
select hacs_admin.revoke_default_privileges('hacs_audit');
-- And of the resources what no role needs. With a trigger of its own, or a function that a call could mean, a role
-- would have its code run as whoever writes.
do $$
declare
    taken text;
begin
    for taken in
        select distinct format(
            'revoke create on schema %s from %s', n.oid::regnamespace,
            case given.grantee when 0 then 'public' else quote_ident(pg_catalog.pg_get_userbyid(given.grantee)) end
        )
        from pg_catalog.pg_namespace as n
        cross join lateral pg_catalog.aclexplode(n.nspacl) as given
        where n.nspname = any ('{hacs_core, hacs_clinical, hacs_registry, hacs_agents}')
            and given.grantee <> n.nspowner and given.privilege_type = 'CREATE'
        union all
        select distinct format(
            'revoke trigger, references, truncate on table %s from %s', c.oid::regclass,
            case given.grantee when 0 then 'public' else quote_ident(pg_catalog.pg_get_userbyid(given.grantee)) end
        )
        from pg_catalog.pg_class as c
        join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
        cross join lateral pg_catalog.aclexplode(c.relacl) as given
        where n.nspname = any ('{hacs_core, hacs_clinical, hacs_registry, hacs_agents}')
            and c.relkind in ('r', 'p') and given.grantee <> c.relowner
            and given.privilege_type = any ('{TRIGGER, REFERENCES, TRUNCATE}')
    loop
        execute taken;
    end loop;
end
$$;
