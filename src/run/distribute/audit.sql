-- The audit of a distributed database: each node writes the changes of its rows down, beside them.

-------------------------------------------------------------------------------------------------------------------
-- Who acts. SET LOCAL goes to the nodes, set_config does not; and of the session a node knows only what it is told.
-------------------------------------------------------------------------------------------------------------------

create or replace function hacs_audit.set_actor(actor_id text, purpose text default null, request_id text default null)
returns void
language plpgsql
set citus.propagate_set_commands = 'local'
as $$
begin
    execute pg_catalog.format('set local hacs_audit.actor_id = %L', coalesce(actor_id, ''));
    execute pg_catalog.format('set local hacs_audit.purpose = %L', coalesce(purpose, ''));
    execute pg_catalog.format('set local hacs_audit.request_id = %L', coalesce(request_id, ''));
    execute pg_catalog.format('set local hacs_audit.acting_role = %L',
        coalesce(nullif(pg_catalog.current_setting('role'), 'none'), session_user));
    execute pg_catalog.format('set local hacs_audit.client_address = %L',
        coalesce(pg_catalog.host(pg_catalog.inet_client_addr()), ''));
    execute pg_catalog.format('set local hacs_audit.application = %L',
        pg_catalog.current_setting('application_name'));
end
$$;

create or replace function hacs_core.touch_settings()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    new.updated_at := coalesce((select t.transaction_stamp from get_current_transaction_id() as t), now());
    return new;
end
$$;
comment on function hacs_core.touch_settings() is
    'Trigger: as touch_updated_at, with the one time that all nodes have of a transaction';
create or replace trigger system_config_touch_updated_at
    before update on hacs_admin.system_config
    for each row when (new.updated_at is not distinct from old.updated_at)
    execute function hacs_core.touch_settings();

-------------------------------------------------------------------------------------------------------------------
-- How a change is written down: by row, since a part of a table has no triggers for statements.
-------------------------------------------------------------------------------------------------------------------

create or replace function hacs_audit.recorder_source(audited regclass, type text, key_column text, patient_column text)
returns text
language sql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $outer$
    with texts as (
        select
            coalesce(
                'record_image_ne(row(' || string_agg('new.' || quoted, ', ' order by number) filter (where not is_exact)
                || '), row(' || string_agg('old.' || quoted, ', ' order by number) filter (where not is_exact) || '))',
                'false'
            ) as images,
            string_agg(format(
                $$
        if %s then
            fields := fields || %L::text;
            old_part := old_part || jsonb_build_object(%2$L, old.%3$s);
            new_part := new_part || jsonb_build_object(%2$L, new.%3$s);
        end if;$$,
                case when is_exact then format('new.%1$s is distinct from old.%1$s', quoted)
                    else format('differ and record_image_ne(row(new.%1$s), row(old.%1$s))', quoted) end,
                name, quoted
            ), '' order by number) as one_by_one,
            case when bool_or(name = 'updated_at') then 'new.updated_at is not distinct from now()'
                else 'false' end as is_touch
        from hacs_audit.compared_fields(audited)
    ), parts as (
        select t.*,
            case when type = '' then '#.resource_type' else quote_literal(type) end as kind,
            case when patient_column = '' then 'null' else format('nullif(#.%I, '''')', patient_column) end as patient,
            format('#.%I', key_column) as key,
            coalesce('#.' || quote_ident(hacs_core.distribution_column(audited)), '''''') as home,
            exists (
                select 1 from pg_dist_partition as d where d.logicalrelid = audited and d.partmethod = 'n'
            ) as is_everywhere
        from texts as t
    )
    select format(
        $source$
declare
    actor constant text := nullif(btrim(current_setting('hacs_audit.actor_id', true)), '');
    differ boolean;
    fields text[];
    old_values jsonb;
    old_part jsonb := '{}';
    new_part jsonb := '{}';
    kind text;
    key text;
    kind_before text;
    key_before text;
    patient text;
    also text[];
    home text;
begin
%1$s    if tg_op = 'INSERT' then
        if pg_column_size(new) > 1000000 then
            perform hacs_audit.refuse_too_large(to_json(new));
        end if;
        kind := %2$s;
        key := %3$s;
        patient := %4$s;
        home := %5$s;
        old_part := null;
        new_part := null;
    elsif tg_op = 'DELETE' then
        kind := %6$s;
        key := %7$s;
        patient := %8$s;
        home := %9$s;
        old_part := to_jsonb(old);
        new_part := null;
    else
        differ := %10$s;%11$s
        if fields is null or fields = '{updated_at}' and %12$s then
            return null;
        end if;
        if pg_column_size(new) > 1000000 then
            perform hacs_audit.refuse_too_large(to_json(new));
        end if;
        kind := %2$s;
        key := %3$s;
        patient := coalesce(%4$s, %8$s);
        home := %5$s;
        if %7$s <> key or %6$s <> kind then
            key_before := %7$s;
            kind_before := case when %6$s <> kind then %6$s end;
        end if;
        if key_before is not null or %8$s <> %4$s then
            also := array_remove(array[
                case when key_before is not null then %6$s || '/' || %7$s end, 'Patient/' || nullif(%8$s, %4$s)
            ], null);
        end if;
    end if;
    if actor is null then
        perform hacs_audit.require_actor();
    end if;
    insert into hacs_audit.resource_changes (
        compartment, operation, schema_name, table_name, resource_type, resource_id, previous_type, previous_id,
        patient_id, also, changed_fields, old_values, new_values, actor_id, purpose, request_id, acting_role,
        client_address, application_name
    )
    values (
        home, tg_op, tg_argv[0], tg_argv[1], kind, key, kind_before, key_before,
        patient, also, fields, old_part, new_part, actor,
        nullif(current_setting('hacs_audit.purpose', true), ''),
        nullif(current_setting('hacs_audit.request_id', true), ''),
        coalesce(nullif(current_setting('hacs_audit.acting_role', true), ''),
            nullif(current_setting('role'), 'none'), session_user),
        -- of a session of the coordinator, a node knows nothing else
        coalesce(nullif(current_setting('hacs_audit.client_address', true), '')::inet,
            case when current_setting('application_name') !~ '^citus_' then inet_client_addr() end),
        coalesce(nullif(current_setting('hacs_audit.application', true), ''),
            case when current_setting('application_name') !~ '^citus_' then
                nullif(current_setting('application_name'), '') end)
    );
    return null;
end
$source$,
        -- every node has a copy of the settings, and fires: one of them tells
        case when is_everywhere then
            e'    if (select g.groupid from pg_dist_local_group as g) <> 0 then\n        return null;\n    end if;\n'
            else '' end,
        replace(kind, '#', 'new'), replace(key, '#', 'new'), replace(patient, '#', 'new'), replace(home, '#', 'new'),
        replace(kind, '#', 'old'), replace(key, '#', 'old'), replace(patient, '#', 'old'), replace(home, '#', 'old'),
        images, one_by_one, is_touch
    )
    from parts
$outer$;

select pg_temp.hacs_patch(
    'hacs_audit.recorder_settings(regclass)',
    $a$'enable_nestloop=off', 'jit=off'
    ]$a$,
    $a$'enable_nestloop=off', 'jit=off'
    ] || case when exists (
        select 1 from pg_dist_partition as d where d.logicalrelid = audited and d.partmethod = 'n'
    ) then array['citus.allow_nested_distributed_execution=on'] else '{}' end$a$
);

select pg_temp.hacs_patch(
    'hacs_audit.record_truncate()',
    $a$begin
    if current_setting('hacs_audit.allow_truncate'$a$,
    $a$begin
    -- what was moved to another node has this trigger there, too
    if tg_table_name <> tg_argv[1]
        or exists (select 1 from pg_dist_partition as d where d.logicalrelid = tg_relid)
    then
        raise exception 'TRUNCATE of %.% is refused: the table is distributed', tg_argv[0], tg_argv[1]
            using errcode = 'feature_not_supported', hint = 'Delete the rows instead.';
    end if;
    if current_setting('hacs_audit.allow_truncate'$a$
);

select pg_temp.hacs_patch(
    'hacs_audit.record_access(text, text, text)',
    $a$        operation, schema_name, table_name, resource_type, resource_id, patient_id, actor_id, purpose, request_id
    )$a$,
    $a$        compartment, operation, schema_name, table_name, resource_type, resource_id, patient_id, actor_id,
        purpose, request_id
    )$a$,
    $a$        'READ', place.nspname,$a$,
    $a$        coalesce(nullif(patient, ''), ''), 'READ', place.nspname,$a$,
    $a$resource_type, id, patient,$a$,
    $a$resource_type, id, nullif(patient, ''),$a$
);

select hacs_audit.attach(a.target, a.list[3], a.list[4], a.list[5], true) from hacs_audited as a;

-------------------------------------------------------------------------------------------------------------------
-- Append-only, on every node. The part of a table that a node has is of a type of its own.
-------------------------------------------------------------------------------------------------------------------

create or replace function hacs_audit.refuse_change()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    before hacs_audit.resource_changes;
    after hacs_audit.resource_changes;
begin
    if tg_op = 'UPDATE' and tg_argv[0] = 'resource_changes' then
        before := old;
        after := new;
        if before.erased is null and after.old_values is null and after.new_values is null
            and after.compartment = before.compartment
            and after.erased = hacs_audit.value_digests(before)
            and hacs_audit.row_digest(after) = hacs_audit.row_digest(before)
        then
            return new;
        end if;
    end if;
    raise exception '% of hacs_audit.% is refused: it is append-only', tg_op, tg_argv[0]
        using errcode = 'insufficient_privilege',
            hint = 'To let old quarters go: hacs_audit.detach_quarter; to erase the values of a patient: '
                'hacs_audit.forget.';
end
$$;

-- Nodes ask them.
select create_distributed_function('hacs_audit.value_digests(hacs_audit.resource_changes)');
select create_distributed_function('hacs_audit.row_digest(hacs_audit.resource_changes)');

-- What a partition has from its parent bears, on a node, the name of the parent's part: there it cannot be made to fire
-- always.
create or replace function hacs_audit.guard(guarded regclass, logical text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set citus.enable_unsafe_triggers = on
as $$
declare
    is_partition constant boolean := (select c.relispartition from pg_class as c where c.oid = guarded);
begin
    if not is_partition then
        execute format(
            'create or replace trigger append_only before update or delete on %s '
            'for each row execute function hacs_audit.refuse_change(%L)', guarded, logical
        );
    end if;
    execute format(
        'create or replace trigger append_only_truncate before truncate on %s '
        'for each statement execute function hacs_audit.refuse_change(%L)', guarded, logical
    );
    execute format('alter table %s enable always trigger append_only_truncate', guarded);
    if is_partition then
        set local citus.enable_ddl_propagation = off;
    end if;
    execute format('alter table %s enable always trigger append_only', guarded);
    set local citus.enable_ddl_propagation = on;
end
$$;

select hacs_audit.guard('hacs_audit.resource_changes', 'resource_changes');
select hacs_audit.guard(i.inhrelid::regclass, 'resource_changes')
from pg_inherits as i
where i.inhparent = 'hacs_audit.resource_changes'::regclass;

-- The size of what lies on the nodes cannot be asked in a transaction that writes: reckoned from the rows.
select pg_temp.hacs_patch(
    'hacs_audit.ensure_partitions(integer, timestamptz, boolean)',
    $a$pg_relation_size(spare)$a$,
    $a$(select count(*) * 600 from hacs_audit.resource_changes_default)$a$
);
alter function hacs_audit.ensure_partitions(integer, timestamptz, boolean) set citus.enable_unsafe_triggers = on;
alter function hacs_audit.ensure_partitions(integer, timestamptz, boolean)
    set citus.multi_shard_modify_mode = 'sequential';
alter function hacs_audit.detach_quarter(date) set citus.multi_shard_modify_mode = 'sequential';

create or replace function hacs_audit.notify_changes(wanted boolean)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'listeners are not told of the changes of a distributed database'
        using errcode = 'feature_not_supported', hint = 'Ask hacs_audit.changes_since from time to time.';
end
$$;
