-- Following: the services of the original system go on writing whole documents into one generic table of their own, and
-- each document that they write is stored, checked and audited here in the same transaction.

-------------------------------------------------------------------------------------------------------------------
-- A document of a generic table, and what is done with it
-------------------------------------------------------------------------------------------------------------------

-- The adapter's upsert leaves the type of a row as it was: so the document says what it is, and the row only where the
-- document does not.
create or replace function hacs_core.followed_document(id text, resource_type text, data jsonb)
returns jsonb
language sql immutable parallel safe
return case when jsonb_typeof(data) = 'object' then
    case when data ? 'resource_type' or data ? 'resourceType' then data
        else data || jsonb_build_object('resource_type', resource_type) end
    || case when data ->> 'id' is null then jsonb_build_object('id', id) else '{}' end
else data end;
comment on function hacs_core.followed_document(text, text, jsonb) is
    'The document of a row of a generic table, with the type and the id of the row where it does not say them itself';

create or replace function hacs_core.followed_type(document jsonb)
returns text
language sql immutable parallel safe
return coalesce(document ->> 'resource_type', document ->> 'resourceType');
comment on function hacs_core.followed_type(jsonb) is 'The type of a document, by either name of the field';

-- written_by acts, unless the connection or the transaction has named somebody; the next row may have another writer.
-- refusals: the table of refusals; null where a refusal is an error of the writer.
create or replace function hacs_core.follow_change(row_id text, document jsonb, was jsonb, written_by text,
    refusals text)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    type constant text := hacs_core.followed_type(document);
    type_before constant text := hacs_core.followed_type(was);
    nobody constant boolean := coalesce(current_setting('hacs_audit.actor_id', true), '') = ''
        and written_by is not null;
    said text;
    hint text;
    field text;
    rule text;
    code text;
    done boolean;
begin
    if nobody then
        perform set_config('hacs_audit.actor_id', written_by, true);
    end if;
    if refusals is null then
        done := hacs_core.follow_stored(row_id, document, was);
    else
        execute format('delete from %s as t where t.row_id = $1', refusals) using row_id;
        begin
            done := hacs_core.follow_stored(row_id, document, was);
        exception
            -- What the next try would refuse as well. Deadlocks, missing rights and the like are errors of the writer.
            when data_exception or integrity_constraint_violation or program_limit_exceeded or raise_exception then
                get stacked diagnostics code = returned_sqlstate, said = message_text, hint = pg_exception_hint,
                    field = column_name, rule = constraint_name;
                execute format(
                    'insert into %s as t (row_id, resource_type, id, sqlstate, field, rule, message, hint) '
                    'values ($1, $2, $3, $4, nullif($5, ''''), nullif($6, ''''), $7, nullif($8, '''')) '
                    'on conflict (row_id) do update set resource_type = excluded.resource_type, id = excluded.id, '
                    'sqlstate = excluded.sqlstate, field = excluded.field, rule = excluded.rule, '
                    'message = excluded.message, hint = excluded.hint, refused_at = excluded.refused_at', refusals
                ) using row_id, coalesce(type, type_before), coalesce(document ->> 'id', was ->> 'id'), code, field,
                    rule, said, hint;
                done := false;
        end;
    end if;
    if nobody then
        perform set_config('hacs_audit.actor_id', '', true);
    end if;
    return done;
end
$$;
comment on function hacs_core.follow_change(text, jsonb, jsonb, text, text) is
    'Stores the document of a row that is followed, and removes the one that it was before where that is another; '
    'where there is a table of refusals, a refusal is written down there: whether nothing was refused';

create or replace function hacs_core.follow_stored(row_id text, document jsonb, was jsonb)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    stored record;
    gone boolean;
begin
    if document is not null then
        if jsonb_typeof(document) <> 'object' then
            raise exception 'the data of this row is no JSON object'
                using errcode = 'invalid_parameter_value', column = 'data';
        end if;
        if document ->> 'id' <> row_id then
            raise exception 'the document of this row has another id than the row'
                using errcode = 'invalid_parameter_value', column = 'id';
        end if;
        stored := hacs_core.put(document);
    end if;
    if jsonb_typeof(was) = 'object' and (document is null or was ->> 'id' <> row_id
        or hacs_core.followed_type(was) is distinct from hacs_core.followed_type(document))
    then
        gone := hacs_core.remove(hacs_core.followed_type(was), was ->> 'id');
    end if;
    return true;
end
$$;
comment on function hacs_core.follow_stored(text, jsonb, jsonb) is
    'Stores the document of a row that is followed, if there is one, in place of the one that it was before';

create or replace function hacs_core.follow_document()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    document jsonb;
    was jsonb;
    row_id text;
    written_by text;
    mode text;
    fine boolean;
begin
    if tg_op <> 'INSERT' then
        was := hacs_core.followed_document(old.id, old.resource_type, old.data);
        row_id := old.id;
    end if;
    if tg_op <> 'DELETE' then
        document := hacs_core.followed_document(new.id, new.resource_type, new.data);
        row_id := new.id;
        written_by := case when tg_op = 'UPDATE' then new.updated_by else coalesce(new.updated_by, new.created_by) end;
        if old.id <> new.id then
            fine := hacs_core.follow_change(old.id, null, was, written_by, tg_argv[2]);
            was := null;
        end if;
    end if;
    mode := coalesce(tg_argv[1]::jsonb ->> coalesce(hacs_core.followed_type(document), hacs_core.followed_type(was)),
        tg_argv[0]);
    fine := hacs_core.follow_change(row_id, document, was, written_by, case when mode = 'note' then tg_argv[2] end);
    return null;
end
$$;
comment on function hacs_core.follow_document() is
    'Trigger of a generic table: stores what is written there, and removes what is removed there, in the same '
    'transaction';

create or replace function hacs_core.refuse_truncate_of_followed()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'TRUNCATE of %.% is refused: its documents are followed', tg_table_schema, tg_table_name
        using errcode = 'insufficient_privilege', hint = 'Use delete, so that each document is removed here as well.';
end
$$;
comment on function hacs_core.refuse_truncate_of_followed() is
    'Trigger of a generic table: refuses what no trigger could follow';

-------------------------------------------------------------------------------------------------------------------
-- Beginning and ending it
-------------------------------------------------------------------------------------------------------------------

-- Its names end as PostgreSQL cuts them, and may not be those of the table itself.
create or replace function hacs_core.refusals_of(target regclass, suffix text default '_refusals')
returns text
language sql stable
begin atomic
    select format('%I.%I', n.nspname, left(c.relname, 63 - length(suffix)) || suffix)
    from pg_catalog.pg_class as c
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    where c.oid = target;
end;
comment on function hacs_core.refusals_of(regclass, text) is
    'The name of the table of refusals beside a generic table, or of the view of them';

-- A key of the settings is of plain words, which the name of a table need not be.
create or replace function hacs_core.follow_key(target regclass)
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return concat('follow.', md5(target::text));
end
$$;
comment on function hacs_core.follow_key(regclass) is
    'The key in system_config under which it stands that a table is followed, and how';

-- As the original adapter makes it, so that its own "create … if not exists" find all of it there.
create or replace function hacs_core.make_generic_table(
    schema_name text default 'public', table_name text default 'hacs_resources', owner text default null
)
returns regclass
language plpgsql
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
declare
    target constant text := format('%I.%I', schema_name, table_name);
begin
    if to_regclass(target) is not null then
        return target;
    end if;
    execute format(
        'create table %s (
            id text primary key,
            resource_type text not null,
            data jsonb not null,
            created_at timestamptz default now(),
            updated_at timestamptz default now(),
            created_by text,
            updated_by text
        )', target
    );
    execute format('create index idx_hacs_resources_type on %s (resource_type)', target);
    execute format('create index idx_hacs_resources_created_at on %s (created_at)', target);
    execute format('create index idx_hacs_resources_data_gin on %s using gin (data)', target);
    if owner is not null then
        execute format('alter table %s owner to %I', target, owner);
    end if;
    return target;
end
$$;
comment on function hacs_core.make_generic_table(text, text, text) is
    'Makes the table into which the original system''s adapter writes its documents, with its indexes, where it is '
    'not there. The role that the adapter uses has to own it, since it says "create index if not exists" at each '
    'connection';

-- The table may belong to a service, and whoever owns the schema could put another one in the place of ours: what reads
-- or writes them with more rights than that must find plain ones, whose owner runs nothing.
create or replace function hacs_core.is_plain(relation text)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
begin
    -- From here on it stays what it is, until the end of the transaction.
    execute format('lock table %s in access share mode', relation);
    return exists (
        select 1 from pg_class as c
        where c.oid = relation::regclass and c.relkind = 'r'
            and not c.relrowsecurity and not c.relhasrules and not c.relhassubclass
    );
end
$$;
comment on function hacs_core.is_plain(text) is
    'Whether a relation is a table without heirs, rules and row-level security; it stays so until the end of the '
    'transaction';

create or replace function hacs_core.refuse_other_than_plain(target regclass)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    missing text;
begin
    if not hacs_core.is_plain(target::text) then
        raise exception '% is no plain table', target
            using errcode = 'wrong_object_type',
                hint = 'A view, partitions, heirs, rules or row-level security cannot be followed.';
    end if;
    select string_agg(wanted, ', ') into missing
    from unnest('{id text, resource_type text, data jsonb, created_by text, updated_by text}'::text[]) as w (wanted)
    where not exists (
        select 1 from pg_attribute as a
        where a.attrelid = target and a.attnum > 0 and not a.attisdropped
            and a.attname || ' ' || format_type(a.atttypid, null) = wanted
    );
    if missing is not null then
        raise exception '% is no table of the original adapter', target
            using errcode = 'wrong_object_type', hint = 'It lacks: ' || missing || '.';
    end if;
end
$$;
comment on function hacs_core.refuse_other_than_plain(regclass) is
    'Refuses a relation that is not as the original adapter makes its table, or that could run code of its owner';

create or replace function hacs_core.refuse_other_refusals(target regclass)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    refusals constant regclass := hacs_core.refusals_of(target);
    strange regclass;
begin
    select c.oid into strange
    from pg_class as c
    join pg_roles as o on o.oid = c.relowner
    where c.oid = refusals and not hacs_core.is_plain(refusals::text)
        or c.oid in (refusals, to_regclass(hacs_core.refusals_of(target, '_refused'))) and (
            exists (select 1 from pg_trigger as t where t.tgrelid = c.oid)
            or not o.rolsuper and o.rolname <> current_user
                and o.oid <> (select n.nspowner from pg_namespace as n where n.nspname = 'hacs_core')
        )
    limit 1;
    if strange is not null then
        raise exception '% is not the % that hacs_core.follow makes', strange,
            case when strange = refusals then 'table' else 'view' end
            using errcode = 'wrong_object_type',
                hint = 'Somebody else has made it: look at it, drop it, and follow the table again.';
    end if;
end
$$;
comment on function hacs_core.refuse_other_refusals(regclass) is
    'Refuses a table of refusals, or a view of them, that somebody else has made, or given a trigger';

create or replace function hacs_core.refuse_in_use(target regclass)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'nothing was changed: somebody is using %', target
        using errcode = 'lock_not_available',
            hint = 'Call it again in a moment; nobody has waited longer than two seconds for it.';
end
$$;
comment on function hacs_core.refuse_in_use(regclass) is
    'Says that a table could not be locked in the time that others can bear';

create or replace function hacs_core.follow(target regclass, mode text default 'refuse', others jsonb default '{}')
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
set lock_timeout = '2s'
as $$
declare
    refusals constant text := hacs_core.refusals_of(target);
    grantee text;
begin
    if mode is null or mode not in ('refuse', 'note') or jsonb_typeof(others) is distinct from 'object'
        or exists (
            select 1 from jsonb_each_text(others) as o where o.value is null or o.value not in ('refuse', 'note')
        )
    then
        raise exception 'a table is followed in the mode refuse or note, and so is each type of others'
            using errcode = 'invalid_parameter_value',
                hint = 'refuse: the service gets the error; note: the document stays, and the refusal is listed.';
    end if;
    perform hacs_core.refuse_other_than_plain(target);
    execute format(
        'create table if not exists %s (
            row_id text primary key,
            resource_type text,
            id text,
            sqlstate text not null,
            field text,
            rule text,
            message text not null,
            hint text,
            refused_at timestamptz not null default clock_timestamp()
        )', refusals
    );
    perform hacs_core.refuse_other_refusals(target);
    execute format('comment on table %s is %L', refusals,
        'Documents that the rules of HACS refuse, of the generic table beside it, which is followed');
    execute format(
        'create or replace view %s as
            select r.row_id, r.resource_type, r.id, r.sqlstate, r.field, r.rule, r.message, r.hint, r.refused_at,
                t.id is null as is_removal, t.data
            from %s as r
            left join %s as t on t.id = r.row_id', hacs_core.refusals_of(target, '_refused'), refusals, target
    );
    execute format('comment on view %s is %L', hacs_core.refusals_of(target, '_refused'),
        'Documents of a followed table that are not stored here as they stand there, each with the reason');
    -- Whoever writes the documents writes their refusals.
    for grantee in
        select distinct case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end
        from pg_class as c
        cross join lateral aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) as a
        where c.oid = target and a.privilege_type in ('INSERT', 'UPDATE', 'DELETE')
    loop
        execute format('grant select, insert, update, delete on %s to %s', refusals, grantee);
    end loop;
    execute format(
        'create or replace trigger hacs_follow after insert or update or delete on %s '
        'for each row execute function hacs_core.follow_document(%L, %L, %L)', target, mode, others, refusals
    );
    execute format(
        'create or replace trigger hacs_follow_truncate before truncate on %s '
        'for each statement execute function hacs_core.refuse_truncate_of_followed()', target
    );
    insert into hacs_admin.system_config as s (key, value, description)
    values (
        hacs_core.follow_key(target), jsonb_build_object('table', target, 'mode', mode, 'others', others),
        'This table is followed (hacs_core.follow)'
    )
    on conflict (key) do update set value = excluded.value where s.value <> excluded.value;
exception
    when lock_not_available then
        perform hacs_core.refuse_in_use(target);
end
$$;
comment on function hacs_core.follow(regclass, text, jsonb) is
    'From now on, each document that is written into this table is stored here in the same transaction. Mode refuse: '
    'what breaks a rule is an error of the writer; note: it stays in the table and is listed in the view beside it. '
    'others: a mode of its own for types. What stood there before: hacs_core.follow_again';

create or replace function hacs_core.unfollow(target regclass)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
set lock_timeout = '2s'
as $$
begin
    execute format('drop trigger if exists hacs_follow on %s', target);
    execute format('drop trigger if exists hacs_follow_truncate on %s', target);
    execute format('drop view if exists %s', hacs_core.refusals_of(target, '_refused'));
    execute format('drop table if exists %s', hacs_core.refusals_of(target));
    delete from hacs_admin.system_config where key = hacs_core.follow_key(target);
exception
    when lock_not_available then
        perform hacs_core.refuse_in_use(target);
end
$$;
comment on function hacs_core.unfollow(regclass) is
    'Lets go of a table that was followed: its documents stay there and here, and the list of refusals goes';

-- In the order of the ids, so that a caller can go on after the last one in a transaction of its own. It never waits
-- for a writer of a row, who could be waiting for it: it fails, to be called again.
create or replace function hacs_core.follow_again(
    target regclass, after text default '', most integer default null, only_refused boolean default false,
    out read bigint, out refused bigint, out last text
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    refusals constant text := hacs_core.refusals_of(target);
    r record;
begin
    perform hacs_core.refuse_other_than_plain(target);
    perform hacs_core.refuse_other_refusals(target);
    read := 0;
    refused := 0;
    for r in execute format(
        'select t.id, t.created_by, t.updated_by, hacs_core.followed_document(t.id, t.resource_type, t.data) as '
            'document '
        'from %s as t where t.id > $1 %s order by t.id limit $2 for share nowait', target,
        case when only_refused then format('and exists (select 1 from %s as f where f.row_id = t.id)', refusals) end
    ) using after, most
    loop
        read := read + 1;
        last := r.id;
        if not hacs_core.follow_change(r.id, r.document, null, coalesce(r.updated_by, r.created_by), refusals) then
            refused := refused + 1;
        end if;
    end loop;
    if last is null then
        for r in execute format(
            'select f.row_id, f.resource_type, f.id from %s as f where not exists (select 1 from %s as t where t.id = '
                'f.row_id)',
            refusals, target
        )
        loop
            if not hacs_core.follow_change(
                r.row_id, null, jsonb_build_object('resource_type', r.resource_type, 'id', r.id), null, refusals
            ) then
                refused := refused + 1;
            end if;
        end loop;
    end if;
exception
    when lock_not_available then
        raise exception 'somebody is writing to a row of %', target
            using errcode = 'lock_not_available', hint = 'Nothing was stored by this call: call it again in a moment.';
end
$$;
comment on function hacs_core.follow_again(regclass, text, integer, boolean) is
    'Stores the documents of a followed table that stand there, or those alone that were refused, in the order of '
    'their ids, after one of them and at most so many; what is refused is listed. Gives the last id that was read, '
    'null where none was left; then removals are tried again';

-------------------------------------------------------------------------------------------------------------------
-- Comparing both
-------------------------------------------------------------------------------------------------------------------

-- For each field: its type, and what it is where a document does not say it.
create or replace function hacs_core.document_fields(resource_type text)
returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    target constant regclass := hacs_core.document_table(resource_type);
    readable text;
    defaults jsonb;
begin
    if target is null then
        return null;
    end if;
    select string_agg(format('%s as %I', c.fallback, c.name), ', ') into readable
    from hacs_core.document_columns(target) as c where c.fallback is not null and not c.made;
    execute format('select to_jsonb(f) from (select %s) as f', readable) into defaults;
    return (
        select jsonb_object_agg(c.name, jsonb_build_object(
            'base', c.base, 'made', c.made, 'part', c.is_part, 'alias',
                hacs_core.document_alias(document_fields.resource_type, c.name)
        ) || case when defaults ? c.name then jsonb_build_object('default', defaults -> c.name) else '{}' end)
        from hacs_core.document_columns(target) as c
    ) || coalesce(
        -- whose part it is, which the document of the whole may say in its place
        (select jsonb_build_object(o.owner_column, '{"base": "text", "made": true}'::jsonb)
            from hacs_core.document_owner(target) as o), '{}'
    );
end
$$;
comment on function hacs_core.document_fields(text) is
    'The fields of a type of documents, each with its type and its default; null where it has no table of its own';

create or replace function hacs_core.same_value(given jsonb, stored jsonb, base text, is_part boolean)
returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
    value record;
begin
    if given = stored then
        return true;
    elsif is_part then
        -- ids and times of parts are made up where they are missing
        return jsonb_array_length(given) = jsonb_array_length(stored) and not exists (
            select 1
            from jsonb_array_elements(given) with ordinality as g (part, place)
            join jsonb_array_elements(stored) with ordinality as s (part, place) using (place)
            where not s.part @> jsonb_strip_nulls(g.part - '{created_at, updated_at}'::text[])
        );
    elsif base in ('timestamp with time zone', 'date') then
        return (given #>> '{}')::timestamptz = (stored #>> '{}')::timestamptz;
    elsif base is null or base = 'jsonb' then
        return false;
    end if;
    value := hacs_core.mended_value(base, given);
    return coalesce(value.mended, given) = stored;
exception
    when data_exception then
        return false;
end
$$;
comment on function hacs_core.same_value(jsonb, jsonb, text, boolean) is
    'Whether two values of a field say the same: instants by whatever offset, and what HACS takes leniently';

-- What differs, as names of fields; null where nothing does.
create or replace function hacs_core.document_differs(given jsonb, stored jsonb, fields jsonb)
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    f record;
    differing text[] := '{}';
begin
    if given = stored then
        return null;
    end if;
    given := given - 'resourceType' || jsonb_build_object('resource_type', hacs_core.followed_type(given));
    for f in select k.key, k.value from jsonb_each(fields) as k where given ? (k.value ->> 'alias') loop
        given := given - (f.value ->> 'alias') || jsonb_build_object(f.key, given -> (f.value ->> 'alias'));
    end loop;
    for f in
        select k.key, coalesce(given -> k.key, 'null') as g, coalesce(stored -> k.key, 'null') as s,
            fields -> k.key as field
        from (select jsonb_object_keys(given) union select jsonb_object_keys(stored)) as k (key)
        where given -> k.key is distinct from stored -> k.key
    loop
        continue when case
            when f.g = 'null' and not given ? f.key then
                f.s in ('null', coalesce(f.field -> 'default', 'null')) or (f.field ->> 'made')::boolean
                or f.key in ('created_at', 'updated_at') or (f.field ->> 'part')::boolean and f.s = '[]'
            when f.g = 'null' and f.key in ('created_at', 'updated_at') then true
            else hacs_core.same_value(f.g, f.s, f.field ->> 'base', coalesce((f.field ->> 'part')::boolean, false))
        end;
        differing := differing || f.key;
    end loop;
    return nullif(array_to_string(array(select unnest(differing) order by 1), ', '), '');
end
$$;
comment on function hacs_core.document_differs(jsonb, jsonb, jsonb) is
    'The fields in which a stored document says something else than it was given; null where it says the same';

create or replace function hacs_core.follow_differences(target regclass)
returns table (row_id text, resource_type text, id text, difference text, reason text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    perform hacs_core.refuse_other_than_plain(target);
    perform hacs_core.refuse_other_refusals(target);
    return query execute format($query$
        with types as materialized (
            select t.type, hacs_core.document_fields(t.type) as fields
            from (
                select distinct hacs_core.followed_type(hacs_core.followed_document(g.id, g.resource_type, g.data))
                    from %1$s as g
            ) as t (type)
        ),
        compared as (
            select g.id as row_id, d.document, hacs_core.get(t.type, d.document ->> 'id') as stored, t.type, t.fields
            from %1$s as g
            cross join lateral (select hacs_core.followed_document(g.id, g.resource_type,
                g.data) as document offset 0) as d
            join types as t on t.type is not distinct from hacs_core.followed_type(d.document)
        ),
        told as (
            select c.row_id, c.type, c.document ->> 'id' as id, case
                when c.stored is null then 'is not stored'
                else 'says something else here: ' || hacs_core.document_differs(c.document, c.stored, c.fields)
            end as difference
            from compared as c
            union all
            select r.row_id, r.resource_type, r.id, 'is still stored'
            from %2$s as r where not exists (select 1 from %1$s as g where g.id = r.row_id)
        )
        select t.row_id, t.type, t.id, t.difference, r.message
        from told as t
        left join %2$s as r on r.row_id = t.row_id
        where t.difference is not null
    $query$, target, hacs_core.refusals_of(target));
end
$$;
comment on function hacs_core.follow_differences(regclass) is
    'Documents of a followed table that are not stored here as they stand there, each with the reason where it was '
    'refused';

select hacs_core.keep_functions();
