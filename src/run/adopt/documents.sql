-- How an old row becomes a document: for each table an expression of SQL over its row t, from what the catalogue says
-- of its columns and of ours.

-- A column as JSON. Only PostgreSQL's own types are converted; those of others are written as text, by their output
-- alone.
create function pg_temp.hacs_plain(column_name name, type oid)
returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select case
        when t.typname = 'vector' then format('format(''%%s'', t.%I)::jsonb', column_name)
        when coalesce(nullif(t.typelem, 0), t.oid) < 16384 then format('to_jsonb(t.%I)', column_name)
        else format('to_jsonb(format(''%%s'', t.%I))', column_name)
    end
    from pg_type as t
    where t.oid = type
$$;

-- The row as it is, for what is set aside.
create function pg_temp.hacs_row_sql(relation oid)
returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select string_agg('jsonb_build_object(' || c.pairs || ')', ' || ')
    from (
        select string_agg(format('%L, %s', a.attname, case
            when t.typname = 'vector' then format('format(''%%s'', t.%I)', a.attname)
            else pg_temp.hacs_plain(a.attname, a.atttypid)
        end), ', ' order by a.attnum) as pairs
        from pg_attribute as a
        join pg_type as t on t.oid = a.atttypid
        where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
        group by a.attnum / 40
    ) as c
$$;

create function pg_temp.hacs_has(relation oid, column_name text)
returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select exists (
        select 1 from pg_attribute as a where a.attrelid = relation and a.attname = column_name and a.attnum > 0
            and not a.attisdropped
    )
$$;

create function pg_temp.hacs_without_nulls(document jsonb)
returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(jsonb_object_agg(e.key, e.value), '{}') from jsonb_each(document) as e where e.value <> 'null'
$$;

-- What a document does not say and its row does.
create function pg_temp.hacs_filled(
    document jsonb, id text, resource_type text, created_at timestamptz, updated_at timestamptz, typed text[]
)
returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
begin
    if coalesce(document ->> 'resource_type', document ->> 'resourceType') is null and resource_type is not null then
        document := document || jsonb_build_object('resource_type', resource_type);
    end if;
    if document ->> 'id' is null then
        document := document || jsonb_build_object('id', id);
    end if;
    -- a document of any type is kept as it is
    if coalesce(document ->> 'resource_type', document ->> 'resourceType') = any (typed) then
        if document ->> 'created_at' is null and created_at is not null then
            document := document || jsonb_build_object('created_at', created_at);
        end if;
        if document ->> 'updated_at' is null and updated_at is not null then
            document := document || jsonb_build_object('updated_at', updated_at);
        end if;
    end if;
    return document;
end
$$;

-- A list of numbers that was written as text; what is none stays one, for the rules to refuse.
create function pg_temp.hacs_numbers(written text)
returns jsonb
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    return written::jsonb;
exception
    when data_exception then
        return to_jsonb(written);
end
$$;

-- The fields of our table for a column of the old one: its name and the SQL of its value; where the value is not all
-- that the column says, original is true for the rows where that is so.
create function pg_temp.hacs_field(
    type text, column_name text, inout base text, target text, out field text, out value text, out original text
)
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    c constant text := format('t.%I', column_name);
    is_json constant boolean := base in ('json', 'jsonb');
begin
    field := column_name;
    base := case
        when base ~ '^(character|uuid)[^[]*$' then 'text'
        when base ~ '^(character|uuid).*\[\]$' then 'text[]'
        else base
    end;
    if target = base or target is null then
        return;
    elsif target = 'jsonb' and base = 'text' then
        value := case
            when column_name <> 'patient_instruction' then format('jsonb_build_object(''reference'', %s)', c)
            when type = 'ServiceRequest' then format('jsonb_build_array(jsonb_build_object(''instruction_markdown'', '
                '%s))', c)
            else format('jsonb_build_array(jsonb_build_object(''concept'', jsonb_build_object(''text'', %s)))', c)
        end;
        value := format('case when %s is not null then %s end', c, value);
    elsif target = 'jsonb' and base = 'text[]' then
        value := format(
            'case when %1$s is not null then coalesce((select jsonb_agg(jsonb_build_object(''reference'', e)) '
            'from unnest(%1$s) as e), ''[]'') end', c
        );
    elsif target = 'jsonb' and base = 'integer' then
        value := format('case when %1$s is not null then jsonb_build_object(''text'', %1$s::text) end', c);
    elsif target = 'text' and is_json then
        value := format(
            'to_jsonb(case jsonb_typeof(%1$s::jsonb) when ''string'' then %1$s::jsonb #>> ''{}'' when ''object'' then '
            'coalesce(%1$s::jsonb #>> ''{coding,0,code}'', %1$s::jsonb ->> ''code'', %1$s::jsonb ->> ''text'') end)', c
        );
        original := format('jsonb_typeof(%s::jsonb) <> ''string''', c);
    elsif target = 'text[]' and is_json then
        value := format(
            '(select jsonb_agg(v.text) from (select case jsonb_typeof(e) when ''string'' then e #>> ''{}'' '
            'else e ->> ''value'' end from jsonb_array_elements(case jsonb_typeof(%1$s::jsonb) when ''array'' then '
                '%1$s::jsonb '
            'else jsonb_build_array(%1$s) end) as e) as v (text) where v.text is not null)', c
        );
        original := format('%s::jsonb @? ''strict $[*] ? (@.type() != "string")''', c);
    elsif target = 'double precision[]' and base = 'text' then
        value := format('pg_temp.hacs_numbers(%s)', c);
    elsif target = 'text' and base = 'text[]' then
        value := format('to_jsonb((%s)[1])', c);
        original := format('cardinality(%s) > 1', c);
    end if;
end
$$;

-- Where a field is called otherwise here, as far as ours has it and the old table has not both.
create function pg_temp.hacs_renamed(type text, column_name text)
returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select case type || '.' || column_name
        when 'Appointment.start_time' then 'start'
        when 'Appointment.end_time' then 'end'
        when 'Appointment.created_datetime' then 'created'
        when 'Encounter.class' then 'class_fhir'
        when 'Encounter.participant' then 'participants'
        when 'Memory.agent_id' then 'actor_id'
        when 'Memory.importance_score' then 'importance'
        when 'Procedure.performed_datetime' then 'occurrence_date_time'
        when 'Procedure.performed_period' then 'occurrence_period'
        when 'Procedure.performed_string' then 'occurrence_string'
        when 'Procedure.performed_age' then 'occurrence_age'
        when 'Procedure.performed_range' then 'occurrence_range'
        else regexp_replace(column_name, '_datetime$', '_date_time')
    end
$$;

-- The document of a row whose columns say all.
create function pg_temp.hacs_columns_sql(relation oid, resource_type text)
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    target constant regclass := hacs_core.document_table(resource_type);
    a record;
    f record;
    pairs text[] := '{}';
    originals text[] := '{}';
begin
    for a in
        select o.attname, o.atttypid, format_type(o.atttypid, null) as base, coalesce(same.name, renamed.name) as name,
            coalesce(same.base, renamed.base) as target
        from pg_attribute as o
        left join hacs_core.document_columns(target) as same on same.name = o.attname
        left join hacs_core.document_columns(target) as renamed
            on renamed.name = pg_temp.hacs_renamed(resource_type, o.attname)
                and not pg_temp.hacs_has(relation, renamed.name)
        where o.attrelid = relation and o.attnum > 0 and not o.attisdropped and o.attname <> 'full_resource'
        order by o.attnum
    loop
        select * into f from pg_temp.hacs_field(resource_type, a.attname, a.base, a.target);
        pairs := pairs || format('%L, %s', coalesce(a.name, a.attname),
            coalesce(f.value, pg_temp.hacs_plain(a.attname, a.atttypid)));
        if f.original is not null then
            originals := originals || format(
                '%L, case when %s then %s end', a.attname, f.original, pg_temp.hacs_plain(a.attname, a.atttypid)
            );
        end if;
    end loop;
    return format(
        'pg_temp.hacs_without_nulls(%s%s) || jsonb_build_object(''resource_type'', %L)',
        (
            select string_agg('jsonb_build_object(' || g.list || ')', ' || ')
            from (
                select string_agg(p.pair, ', ' order by p.place) as list
                    from unnest(pairs) with ordinality as p (pair, place)
                group by p.place / 40
            ) as g
        ),
        case when originals <> '{}' then format(
            ' || jsonb_build_object(''hacs:legacy'', nullif(pg_temp.hacs_without_nulls(jsonb_build_object(%s)), '
                '''{}''))',
            array_to_string(originals, ', ')
        ) else '' end,
        resource_type
    );
end
$$;

create function pg_temp.hacs_time_sql(relation oid, column_name text)
returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce((
        select format(case when a.atttypid = 'timestamptz'::regtype then 't.%I' else 't.%I at time zone ''UTC''' end,
            a.attname)
        from pg_attribute as a
        where a.attrelid = relation and a.attname = column_name and not a.attisdropped
            and a.atttypid in ('timestamptz'::regtype, 'timestamp'::regtype)
    ), 'null::timestamptz')
$$;

-- document: the SQL of the document of a row t. problem: of what it cannot be one for, in words.
create function pg_temp.hacs_document_sql(s pg_temp.hacs_sources, out document text, out problem text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    whole text;
    typed constant text := (select array_agg(d.resource_type)::text from hacs_core.document_tables() as d);
    fill text;
begin
    if (s).kind = 'columns' then
        document := pg_temp.hacs_columns_sql((s).relation, (s).resource_type);
        problem := 'case when t.id is null then ''the row has no id'' end';
        return;
    end if;
    if (s).kind = 'full' then
        whole := 't.full_resource::jsonb';
    elsif pg_temp.hacs_has((s).relation, 'full_resource') then
        whole := 'case when t.data::jsonb <> ''{}'' then t.data::jsonb else coalesce(t.full_resource::jsonb, '
            't.data::jsonb) end';
    else
        whole := 't.data::jsonb';
    end if;
    fill := format(
        'pg_temp.hacs_filled(%s, %s, %s, %s, %s, %L::text[])', whole,
        case when pg_temp.hacs_has((s).relation, 'id') then 't.id::text' else 'null' end,
        case when (s).kind = 'full' then quote_literal((s).resource_type) else 't.resource_type::text' end,
        pg_temp.hacs_time_sql((s).relation, 'created_at'), pg_temp.hacs_time_sql((s).relation, 'updated_at'), typed
    );
    if (s).kind = 'full' then
        -- what a row was given beside its document
        document := case when (s).resource_type = 'KnowledgeItem' then format(
            'case when jsonb_typeof(%1$s) = ''object'' then (%2$s) || %3$s else %2$s end', whole,
            pg_temp.hacs_columns_sql((s).relation, (s).resource_type), fill
        ) else fill end;
    else
        document := format(
            'case when (%1$s) ->> ''id'' = t.id and (%1$s) ->> ''resource_type'' is not null '
            'and (%1$s) ->> ''created_at'' is not null and (%1$s) ->> ''updated_at'' is not null then %1$s else %2$s '
                'end',
            whole, fill
        );
    end if;
    problem := format(
        'case when %1$s is null then ''the row has no document'' '
        'when jsonb_typeof(%1$s) <> ''object'' then ''the document is no JSON object'' %2$s end',
        whole,
        case when pg_temp.hacs_has((s).relation, 'id') then format(
            'when t.id is null and (%1$s) ->> ''id'' is null then ''the row has no id'' '
            'when (%1$s) ->> ''id'' <> t.id::text then ''the row and its document have different ids''', whole
        ) else '' end
    );
    -- without a document, the columns say all
    if (s).kind = 'full' and (s).resource_type = 'KnowledgeItem' then
        document := format(
            'case when %s is null then %s else %s end', whole,
            pg_temp.hacs_columns_sql((s).relation, (s).resource_type), document
        );
        problem := format('case when %s is not null then %s end', whole, problem);
    end if;
end
$$;
