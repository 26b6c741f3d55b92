-- Documents: whole HACS documents in and out, checked as the models check them, stored in the columns of their table.
--
-- For each table one function is generated from the catalogue, as hacs_audit.attach generates recorders: nothing is
-- planned anew at each call. A document is read by one jsonb_populate_record, over the defaults of the table; then one
-- expression asks whether what was read is what was written. Only where it is not, or where a cast failed, a slow
-- function goes through the fields, takes what HACS takes leniently, and names the first field that it does not take.

-------------------------------------------------------------------------------------------------------------------
-- What the catalogue says of a table. Known beside it are only the names that differ in JSON.
-------------------------------------------------------------------------------------------------------------------

create or replace function hacs_core.document_alias(resource_type text, field text)
returns text
language sql immutable parallel safe
return case resource_type || '.' || field
    when 'Encounter.class_fhir' then 'class'
    when 'Appointment.class_' then 'class'
    when 'Task.for_' then 'for'
    when 'AgentMessage.evidence_references' then 'evidence_links'
end;
comment on function hacs_core.document_alias(text, text) is
    'The name of a field in FHIR''s JSON, where HACS had to choose another';

-- A table of resources has a column resource_type with its one value as the default.
create or replace function hacs_core.document_type(target regclass)
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select substring(pg_get_expr(d.adbin, d.adrelid) from '^''([A-Za-z0-9]+)''::text$')
        from pg_catalog.pg_attribute as a
        join pg_catalog.pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = target and a.attname = 'resource_type' and not a.attisdropped
    );
end
$$;
comment on function hacs_core.document_type(regclass) is
    'The type whose documents a table holds; null for every other table';

-- Up to PostgreSQL 14 it is the generated column that depends on the one it reads, since then its expression.
create or replace function hacs_core.column_source(target regclass, number smallint)
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select s.attname
        from pg_depend as u
        join pg_attribute as s on s.attrelid = u.refobjid and s.attnum = u.refobjsubid
        left join pg_attrdef as d on u.classid = 'pg_attrdef'::regclass and d.oid = u.objid
        where u.refclassid = 'pg_class'::regclass and u.refobjid = target and u.refobjsubid <> number and (
            d.adrelid = target and d.adnum = number
            or u.classid = 'pg_class'::regclass and u.objid = target and u.objsubid = number
        )
        order by s.attnum
        limit 1
    );
end
$$;
comment on function hacs_core.column_source(regclass, smallint) is
    'The column that a generated column reads; null for every other column';

create or replace function hacs_core.document_tables()
returns table (resource_type text, target regclass)
language sql stable
begin atomic
    select t.resource_type, c.oid::regclass
    from pg_catalog.pg_class as c
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    cross join lateral (select hacs_core.document_type(c.oid::regclass)) as t (resource_type)
    where c.relkind in ('r', 'p') and not c.relispartition
        and n.nspname in ('hacs_core', 'hacs_clinical', 'hacs_registry', 'hacs_agents')
        and t.resource_type is not null
    order by 1;
end;
comment on function hacs_core.document_tables() is 'The tables of documents, each with its type';

create or replace function hacs_core.document_table(of_type text)
returns regclass
language sql stable
begin atomic
    select t.target from hacs_core.document_tables() as t where t.resource_type = of_type;
end;
comment on function hacs_core.document_table(text) is
    'The table that holds the documents of a type; null where it has none of its own';

-- Contacts and qualifications stand in the document of their organization: what is deleted with it, and kept in a list.
create or replace function hacs_core.document_parts(whole regclass)
returns table (field text, part regclass, owner_column text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
        select a.attname::text, f.conrelid::regclass, o.attname::text
        from pg_catalog.pg_constraint as f
        join pg_catalog.pg_class as p on p.oid = f.conrelid
        join pg_catalog.pg_class as w on w.oid = f.confrelid
        join pg_catalog.pg_attribute as o on o.attrelid = f.conrelid and o.attnum = f.conkey[1]
        join pg_catalog.pg_attribute as a
            on a.attrelid = f.confrelid and not a.attisdropped and p.relname = rtrim(w.relname, 's') || '_' || a.attname
        where f.contype = 'f' and f.confdeltype = 'c' and f.confrelid = whole
        order by a.attnum;
end
$$;
comment on function hacs_core.document_parts(regclass) is
    'Fields of a table of documents that are kept as rows of other tables, and their column that names the whole';

create or replace function hacs_core.document_owner(part regclass)
returns table (whole regclass, owner_column text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
        select f.confrelid::regclass, p.owner_column
        from pg_catalog.pg_constraint as f, hacs_core.document_parts(f.confrelid::regclass) as p
        where f.contype = 'f' and f.confdeltype = 'c' and f.conrelid = document_owner.part and p.part = f.conrelid
        limit 1;
end
$$;
comment on function hacs_core.document_owner(regclass) is
    'For a table of parts: the table of their wholes, and the column that names the whole';

-- base: the type below a domain. fallback: what a key means that is absent. made: the fallback is made anew each time.
-- is_part: its value is rows of another table.
create or replace function hacs_core.document_columns(target regclass)
returns table (name text, base text, is_domain boolean, fallback text, made boolean, is_part boolean, required boolean)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
        with known as materialized (
            select
                array(select p.field from hacs_core.document_parts(target) as p) as parts,
                hacs_core.own_columns(target) || array(select o.owner_column from hacs_core.document_owner(target) as o)
                    || '{extra}'::text[] as no_fields
        )
        select
            a.attname::text,
            format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null),
            t.typtype = 'd',
            pg_get_expr(d.adbin, d.adrelid),
            coalesce(pg_get_expr(d.adbin, d.adrelid) !~ '^(''[^'']*''|[0-9.]+|true|false)(::[a-z. ]+(\[\])?)?$', false),
            a.attname = any (k.parts),
            a.attnotnull or t.typnotnull
        from known as k
        cross join pg_catalog.pg_attribute as a
        join pg_catalog.pg_type as t on t.oid = a.atttypid
        left join pg_catalog.pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = target and a.attnum > 0 and not a.attisdropped and a.attname <> all (k.no_fields)
        order by a.attnum;
end
$$;
comment on function hacs_core.document_columns(regclass) is
    'The fields of the documents of a table, in their order, and how each is read';

-- A document of a later generation (V10) says so in extra, and is given back in the form in which it came, unless that
-- of 0.3 is asked for.
create or replace function hacs_core.written(columns jsonb, extra jsonb, generation text default null)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return case when not extra ? 'hacs:generation' then columns || extra
        when generation = '0.3' then columns
        else hacs_core.to_later(columns, extra) end;
end
$$;
comment on function hacs_core.written(jsonb, jsonb, text) is
    'The document of a row, from its fields and from what it has beside them';

-- generation: SQL that says which one is asked for.
create or replace function hacs_core.document_expression(
    target regclass, nested boolean default false, generation text default null
)
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $$
begin
    return (
        select format(
            -- without a call where there is nothing to turn; parts are long, and written once
            case when p.parts is null
                then 'case when t.extra ? ''hacs:generation'' then hacs_core.written(to_jsonb(fields), t.extra%2$s) '
                    'else to_jsonb(fields) || t.extra end%3$s'
                else 'hacs_core.written(to_jsonb(fields)%1$s, t.extra%2$s)%3$s' end,
            p.parts, ', ' || case when nested then '''0.3''' else generation end,
            case when not nested then
                (select format(' || jsonb_build_object(%L, t.%1$I)', o.owner_column)
                    from hacs_core.document_owner(target) as o)
            end
        )
        from (
            select string_agg(format(
                ' || jsonb_build_object(%1$L, coalesce((select jsonb_agg(%2$s order by t.position, t.id) from '
                    '%3$s as t%6$s '
                'where t.%4$I = whole.id%5$s), ''[]'') || whole.%1$I)',
                p.field, hacs_core.document_expression(p.part, true), p.part, p.owner_column,
                -- in the later form, a part that came by itself is a document by itself
                format(
                    ' and (not (t.extra ? ''hacs:generation'' and whole.extra ? ''hacs:generation'')%s)',
                    ' or ' || generation || ' = ''0.3'''
                ),
                hacs_core.document_whole(p.part)
            ), '' order by p.field) as parts
            from hacs_core.document_parts(target) as p
        ) as p
    );
end
$$;
comment on function hacs_core.document_expression(regclass, boolean, text) is
    'SQL that makes the document of a row t of a table, behind which document_whole stands';

create or replace function hacs_core.document_whole(target regclass)
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    -- A row of them makes JSON in one go, where jsonb_build_object looks at the type of each value and of each key.
    return (
        select format(
            ' cross join lateral (select %s) as fields%s',
            string_agg(format('t.%I', c.name), ', ' order by c.ordinality),
            case when exists (select 1 from hacs_core.document_parts(target))
                then ' cross join lateral (select t.*) as whole' else '' end
        )
        from hacs_core.document_columns(target) with ordinality as c
    );
end
$$;
comment on function hacs_core.document_whole(regclass) is
    'What stands behind a row t in the FROM of its document_expression';

-------------------------------------------------------------------------------------------------------------------
-- The slow way, for one document in a hundred: what HACS takes leniently is written as it reads it, and the first field
-- that it does not take is named.
-------------------------------------------------------------------------------------------------------------------

-- Errors get into logs, and values are about patients. What is wrong with one is mostly seen from its form.
create or replace function hacs_core.described(value jsonb)
returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    kind constant text := jsonb_typeof(value);
    -- what is neither a letter nor a digit of ASCII, nor one of these signs, may be a letter of any script
    shape constant text := regexp_replace(regexp_replace(regexp_replace(
        left(value #>> '{}', 41), '[A-Za-z]', 'a', 'g'), '[0-9]', '9', 'g'), '[^a9 .,:;/+_-]', '?', 'g');
    signs constant text := case when length(shape) > 40 then left(shape, 40) || '…' else shape end;
begin
    return case kind
        when 'string' then case when shape = '' then 'an empty text' else format('a text like "%s"', signs) end
        when 'number' then 'a number like ' || signs
        when 'boolean' then 'true or false'
        when 'array' then coalesce(
            'a list of ' || (
                select string_agg(k.kind, ' and ' order by k.kind)
                from (
                    select distinct case jsonb_typeof(e.value) when 'string' then 'texts'
                        when 'boolean' then 'true or false' when 'null' then 'null' when 'array' then 'lists'
                        else jsonb_typeof(e.value) || 's' end
                    from jsonb_array_elements(value) as e
                ) as k (kind)
            ), 'an empty list'
        )
        when 'object' then 'an object'
        else 'null'
    end;
end
$$;
comment on function hacs_core.described(jsonb) is
    'What kind of value it is, and its form: each letter an a, each digit a 9. Errors say it in place of the value';

create or replace function hacs_core.mended_value(base text, given jsonb, out mended jsonb, out wanted text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
    kind constant text := jsonb_typeof(given);
    written constant text := given #>> '{}';
begin
    mended := given;
    case base
        when 'text' then
            if kind <> 'string' then
                wanted := 'a text';
            end if;
        when 'text[]' then
            if kind <> 'array' or given @? 'strict $[*] ? (@.type() != "string")' then
                wanted := 'a list of texts';
            end if;
        when 'double precision[]' then
            if kind <> 'array' or given @? 'strict $[*] ? (@.type() != "number")' then
                wanted := 'a list of numbers';
            end if;
        when 'integer' then
            if kind not in ('number', 'string') or written !~ '^ *[+-]?[0-9]{1,30}(?:\.0{1,30})? *$' then
                wanted := 'a whole number';
            elsif written::numeric not between -2147483648 and 2147483647 then
                wanted := 'a whole number of 32 bits';
            else
                mended := to_jsonb(written::numeric::integer);
            end if;
        when 'double precision' then
            if kind not in ('number', 'string') or length(written) > 1000
                or written !~ '^ *[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})? *$'
            then
                wanted := 'a number';
            elsif abs(written::numeric) > 1.797e308 then
                wanted := 'a number of 64 bits';
            elsif abs(written::numeric) < 5e-324 then
                mended := '0';
            else
                mended := to_jsonb(written::numeric);
            end if;
        when 'boolean' then
            if kind in ('string', 'number') and lower(written) = any (
                '{1, t, true, y, yes, on, 0, f, false, n, no, off}') then
                mended := to_jsonb(written::boolean);
            elsif kind <> 'boolean' then
                wanted := 'true or false';
            end if;
        when 'timestamp with time zone' then
            if kind <> 'string' or hacs_core.instant(written) is null then
                wanted := 'an ISO 8601 time';
            else
                mended := to_jsonb(hacs_core.instant(written) at time zone 'UTC');
            end if;
        when 'date' then
            if kind <> 'string' or written !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T00:00(?::00(?:\.0+)?)?Z?)?$'
                or hacs_core.instant(written) is null
            then
                wanted := 'a day, YYYY-MM-DD';
            else
                mended := to_jsonb(left(written, 10));
            end if;
        else
            null;  -- JSON is taken as it is: the constraints of the column say what it may be
    end case;
end
$$;
comment on function hacs_core.mended_value(text, jsonb) is
    'A JSON value as a column of the type reads it; where it is none that HACS takes, the words for what is wanted';

create or replace function hacs_core.mended_document(target regclass, document jsonb)
returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    f record;
    value record;
    type constant text := hacs_core.document_type(target);
    rule text;
begin
    for f in select * from hacs_core.document_columns(target) as c where document -> c.name <> 'null' loop
        value := hacs_core.mended_value(f.base, document -> f.name);
        if value.wanted is not null then
            raise exception '%.% must be %, not %', type, f.name, value.wanted, hacs_core.described(document -> f.name)
                using errcode = 'invalid_parameter_value', column = f.name;
        end if;
        document := jsonb_set(document, array[f.name], value.mended);
        if f.is_domain then
            begin
                execute format('select jsonb_populate_record(null::%s, $1)', target)
                    using jsonb_build_object(f.name, value.mended);
            exception
                when check_violation then  -- which says the domain, but not the column
                    get stacked diagnostics rule = constraint_name;
                    raise exception '%.% is refused by %: %', type, f.name, rule, hacs_core.described(value.mended)
                        using errcode = 'check_violation', column = f.name, constraint = rule;
            end;
        end if;
    end loop;
    return document;
end
$$;
comment on function hacs_core.mended_document(regclass, jsonb) is
    'The document as HACS reads it; raises an error that names the first field with a value of another kind';

-------------------------------------------------------------------------------------------------------------------
-- Errors. PostgreSQL tells the whole row in DETAIL and the statement in CONTEXT; a caller and a log get neither, but
-- what is refused, in which field, by which rule, and what that rule asks.
-------------------------------------------------------------------------------------------------------------------

do $$
begin
    create type hacs_core.fault as (
        code text, message text, detail text, hint text,
        schema_name text, table_name text, column_name text, constraint_name text
    );
exception
    when duplicate_object then null;
end
$$;
comment on type hacs_core.fault is
    'An error in the words of a caller: what get stacked diagnostics gives, and what is raised';

create or replace function hacs_core.explained(fault hacs_core.fault, resource text)
returns hacs_core.fault
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    rule record;
    type text;
begin
    -- what there is not comes as an empty text
    fault := row(
        (fault).code, (fault).message, nullif((fault).detail, ''), nullif((fault).hint, ''),
            nullif((fault).schema_name, ''),
        nullif((fault).table_name, ''), nullif((fault).column_name, ''), nullif((fault).constraint_name, '')
    );
    select c.contype, c.conrelid, c.confrelid, obj_description(c.oid, 'pg_constraint') as says,
        coalesce(
            -- behind a generated column: the field that it reads
            hacs_core.column_source(c.conrelid, c.conkey[1]),
            (select a.attname::text from pg_attribute as a where a.attrelid = c.conrelid and a.attnum = c.conkey[1])
        ) as field,
        cardinality(c.conkey) as columns
    into rule
    from pg_constraint as c
    where c.conname = (fault).constraint_name
        and c.conrelid = to_regclass(quote_ident((fault).schema_name) || '.' || quote_ident((fault).table_name));
    -- a part of the resource may be at fault
    type := coalesce(
        hacs_core.document_type(to_regclass(quote_ident((fault).schema_name) || '.'
            || quote_ident((fault).table_name))), split_part(resource, '/', 1)
    );
    if (fault).code = '23502' then
        fault.message := format('%s.%s must not be null', type, (fault).column_name);
        fault.detail := null;
    elsif rule.contype = 'c' then
        fault.detail := null;
        if rule.columns = 1 then
            fault.column_name := rule.field;
        end if;
        fault.message := format(
            '%s is refused by %s%s',
            case when rule.columns = 1 then type || '.' || rule.field
                when type = split_part(resource, '/', 1) then resource else type end,
            (fault).constraint_name, ': ' || rule.says
        );
    elsif rule.contype = 'f' and (fault).detail ~ 'not present' then
        fault.column_name := rule.field;
        fault.message := format(
            '%s.%s refers to %s/%s, which is not here', type, rule.field,
            hacs_core.document_type(rule.confrelid), substring((fault).detail from '=\((.*)\)')
        );
        fault.detail := null;
    elsif rule.contype = 'f' then
        fault.message := format('%s is still referred to: %s, in %s', resource, (fault).constraint_name,
            rule.conrelid::regclass);
        fault.detail := null;
    elsif rule.contype = 'p' and (fault).detail is not null then
        fault.message := format('%s is there already', resource);
        fault.detail := null;
    elsif (fault).code in ('23514', '23505', '23P01') then
        fault.detail := null;
    elsif (fault).code ~ '^22' then
        -- PostgreSQL itself quotes what it cannot read
        fault.message := regexp_replace((fault).message, ': ".*$', '');
        fault.detail := null;
    end if;
    return fault;
end
$$;
comment on function hacs_core.explained(hacs_core.fault, text) is
    'An error of PostgreSQL about a resource, without its row, in words of the rule';

-- Called in an assignment, which leaves no statement in CONTEXT as PERFORM would.
create or replace function hacs_core.raise_fault(fault hacs_core.fault)
returns hacs_core.fault
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    said constant text := (fault).message;
    code constant text := (fault).code;
begin
    -- An option of RAISE cannot be null, and an empty one would be sent: hence one form for each set of what there is.
    case concat_ws(' ',
        case when (fault).constraint_name is not null then 'rule' end,
        case when (fault).constraint_name is not null and (fault).table_name is null then 'of a type' end,
        case when (fault).column_name is not null then 'column' end,
        case when (fault).detail is not null then 'detail' end,
        case when (fault).hint is not null then 'hint' end
    )
        when 'rule column' then
            raise exception using errcode = code, message = said, constraint = (fault).constraint_name,
                column = (fault).column_name, schema = (fault).schema_name, table = (fault).table_name;
        when 'rule' then
            raise exception using errcode = code, message = said, constraint = (fault).constraint_name,
                schema = (fault).schema_name, table = (fault).table_name;
        when 'rule of a type column' then
            raise exception using errcode = code, message = said, constraint = (fault).constraint_name,
                column = (fault).column_name;
        when 'rule of a type' then
            raise exception using errcode = code, message = said, constraint = (fault).constraint_name;
        when 'column' then
            raise exception using errcode = code, message = said, column = (fault).column_name;
        when '' then
            raise exception using errcode = code, message = said;
        when 'detail' then
            raise exception using errcode = code, message = said, detail = (fault).detail;
        when 'hint' then
            raise exception using errcode = code, message = said, hint = (fault).hint;
        when 'detail hint' then
            raise exception using errcode = code, message = said, detail = (fault).detail, hint = (fault).hint;
        when 'rule column detail hint' then
            raise exception using errcode = code, message = said, constraint = (fault).constraint_name,
                column = (fault).column_name, schema = (fault).schema_name, table = (fault).table_name,
                detail = (fault).detail, hint = (fault).hint;
        when 'rule detail' then
            raise exception using errcode = code, message = said, constraint = (fault).constraint_name,
                schema = (fault).schema_name, table = (fault).table_name, detail = (fault).detail;
        else
            raise exception using errcode = code, message = said,
                hint = coalesce((fault).hint, (fault).detail, 'see the message');
    end case;
end
$$;
comment on function hacs_core.raise_fault(hacs_core.fault) is 'Raises an error with those of its parts that there are';

create or replace function hacs_core.refuse_version(resource text, wanted bigint, present bigint)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception '% has version %, not %', resource, coalesce(present, 0), wanted
        using errcode = 'serialization_failure',
            hint = 'Read it again, and put what you want on top of what is there now. Version 0 means that there is '
                'none.';
end
$$;
comment on function hacs_core.refuse_version(text, bigint, bigint) is
    'Says which version a resource has, where another one was expected';

-------------------------------------------------------------------------------------------------------------------
-- The functions that are generated: one for each table, which stores a document, and the choice among them.
-------------------------------------------------------------------------------------------------------------------

-- The pieces of the generated texts. In each of them the row that was read is r, the document is document. What is read
-- is read over a row of the defaults, base, and not over null: a domain then looks at no field that there is not. With
-- replacing they are those of a statement for many documents, where the row that is there is also o, and ON CONFLICT
-- knows the row that was to be inserted, but not its document: so r is what will be stored, and a silent time says that
-- the document has no updated_at (who puts such a time has his own put down).
do $$
begin
    create type hacs_core.reading as (
        resource_type text, names text[], base text, base_values text, readable text, renames text, as_written text,
        fields text, read_values text, new_values text, made_values text, lacking text, changes text, differs text
    );
exception
    when duplicate_object then null;
end
$$;
comment on type hacs_core.reading is 'The pieces of SQL with which the documents of a table are read and stored';

create or replace function hacs_core.document_reading(target regclass, replacing boolean default false)
returns hacs_core.reading
language plpgsql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $$
declare
    x hacs_core.reading;
    defaults jsonb;
begin
    with of_type as materialized (
        select hacs_core.document_type(target) as type, '''0001-01-01 00:00:00.424242+00''::timestamptz' as silent
    ),
    c as materialized (
        select c.*, f.type, format('%I', c.name) as quoted, '$.' || to_json(c.name) as path,
            case when c.name <> 'resource_type' then case
                when c.base in ('text[]', 'double precision[]') then 'array'
                when c.base = 'text' then 'string'
                when c.base in ('integer', 'double precision') then 'number'
                when c.base = 'boolean' then 'boolean'
            end end as kind,
            case c.base when 'text[]' then 'string' when 'double precision[]' then 'number' end as element,
            hacs_core.document_alias(f.type, c.name) as alias,
            case when replacing then 'excluded.' else 'r.' end || quote_ident(c.name) as given,
            -- whether its key says something: of these two, null does not
            case when replacing and c.name = 'updated_at' then 'excluded.updated_at <> ' || f.silent
                when c.name in ('created_at', 'updated_at') then format('document ->> %L is not null', c.name)
                else format('document ? %L', c.name) end as is_said,
            case when c.name in ('created_at', 'updated_at') then 'now()' else c.fallback end as otherwise
        from of_type as f, hacs_core.document_columns(target) with ordinality as c
    ),
    d as materialized (
        select c.*,
            -- what its key does not say stays as it is
            case when c.made and not replacing or c.name = 'updated_at'
                then format('case when %s then %s else t.%s end', c.is_said, c.given, c.quoted)
                    else c.given end as stored,
            case
                when c.name = 'id' then case when replacing then 'coalesce(r.id, gen_random_uuid()::text)'
                    else 'stored_id' end
                when not c.made then 'r.' || c.quoted
                else format('case when document %s then r.%s %selse %s end',
                    case when c.name in ('created_at', 'updated_at') then format('->> %L is not null', c.name)
                        else format('? %L', c.name) end,
                    c.quoted, case when replacing then format('when o.id is null then %s ', c.otherwise) end,
                    case when not replacing then c.otherwise when c.name = 'updated_at' then f.silent else 'o.'
                        || c.quoted end)
            end as read_value
        from of_type as f, c
    )
    select
        min(d.type),
        array_agg(d.name order by d.ordinality),
        string_agg(format('%s as %I', d.fallback, d.name), ', '
            order by d.ordinality) filter (where d.fallback is not null and not d.made),
        string_agg(format(e'    base.%I := %s;\n', d.name, d.fallback), ''
            order by d.ordinality) filter (where d.fallback is not null and not d.made),
        null,
        format($text$    if document ?| %1$L then
        document := document - 'resourceType' || jsonb_build_object('resource_type',
            coalesce(document -> 'resource_type', document -> 'resourceType'));
%2$s    end if;
$text$, array_agg(d.alias order by d.ordinality) filter (where d.alias is not null) || 'resourceType'::text,
    coalesce(string_agg(format(
            $text$        if document ? %1$L then
            if document ? %2$L and document -> %1$L <> document -> %2$L then
                raise exception '%3$s.%1$s and %3$s.%2$s say different things'
                    using errcode = 'invalid_parameter_value', column = %2$L;
            end if;
            document := document - %1$L || jsonb_build_object(%2$L, document -> %1$L);
        end if;
$text$, d.alias, d.name, d.type), '' order by d.ordinality) filter (where d.alias is not null), '')),
        concat_ws(
            e'\n            and ',
            -- Kinds in one path, and not in one condition for each: what has no key is unknown, and that is not true.
            -- What the cast has read of a number is what the number says; of a list it takes more than HACS does.
            format('(document @@ %L) is not true', 'strict ' || string_agg(case
                when d.kind is not null then format('%1$s.type() != "%2$s" && %1$s.type() != "null"', d.path, d.kind)
                    || case when d.element is not null then format(' || exists(%s[*] ? (@.type() != "%s"))', d.path,
                        d.element) else '' end
            end, ' || ' order by d.ordinality)),
            string_agg(case
                -- The cast has shown that there is such a day. A regular expression costs ten times what a comparison
                -- does, so that a time in UTC, as it is most often written, is compared with itself.
                when d.base = 'timestamp with time zone' then format(
                    'case when replace(document ->> %1$L, ''Z'', ''+00:00'') = to_jsonb(r.%2$s) #>> ''{}'' then '
                    'r.%2$s >= ''0001-01-01 00:00:00+00''::timestamptz '
                    'and r.%2$s < ''10000-01-01 00:00:00+00''::timestamptz '
                    'else document ->> %1$L ~ %3$L end',
                    d.name, d.quoted,
                    '^[0-9]{4}-[0-9]{2}-[0-9]{2}'
                    '(?:[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?'
                    '(?:[Zz]|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?)?)?$'
                )
                when d.base = 'date' then format(
                    '(to_jsonb(r.%2$s) = document -> %1$L and r.%2$s >= ''0001-01-01''::date '
                    'and r.%2$s < ''10000-01-01''::date)', d.name, d.quoted
                )
                when d.kind is null and d.base <> 'jsonb' and d.name <> 'resource_type'
                    then format('to_jsonb(r.%2$s) = document -> %1$L', d.name, d.quoted)
            end, e'\n            and ' order by d.ordinality),
            -- which is not asked of a field that there is not, where it is read over a row that is
            string_agg(format('r.%s is not null', d.quoted), e'\n            and ' order by d.ordinality)
                filter (where d.is_domain and d.required and d.fallback is null)
        ),
        string_agg(d.quoted, ', ' order by d.ordinality) filter (where not d.is_part),
        string_agg(d.read_value, ', ' order by d.ordinality) filter (where not d.is_part),
        -- for a row that was read over nulls: one assignment for each default costs more
        string_agg(case
            when d.name = 'id' then 'new_id'
            when d.made or d.fallback is null or d.name = 'resource_type' then d.read_value
            else format(
                'case when r.%1$I is null and not document ? %1$L then %2$s else r.%1$I end', d.name, d.fallback
            )
        end, ', ' order by d.ordinality) filter (where not d.is_part),
        string_agg(format(e'    r.%s := %s;\n', d.quoted, d.read_value), '' order by d.ordinality) filter (where d.made
            and d.name <> 'id'),
        string_agg(format(e'\n            when f.%I is null then %L', d.name, d.name), '' order by d.ordinality)
            filter (where d.required and d.name <> 'id'),
        string_agg(case
            when d.is_part then format('%s = %s', d.quoted, d.fallback)
            when d.name = 'updated_at' then format('updated_at = case when %s then %s else now() end', d.is_said,
                d.given)
            else format('%s = %s', d.quoted, d.stored)
        end, ', ' order by d.ordinality) filter (where d.name <> 'id'),
        string_agg(
            case when d.base = 'jsonb' then format('t.%I::text', d.name) else 't.' || d.quoted end
            || ' is distinct from '
            || case when d.is_part then d.fallback else d.stored end || case when d.base = 'jsonb' then '::text'
                else '' end,
            e'\n            or ' order by d.ordinality
        ) filter (where d.name <> 'id')
    into x
    from d;
    execute format('select to_jsonb(f) from (select %s) as f', x.base) into defaults;
    x.base := format('%L::jsonb', defaults);
    -- a key with the name of a column that is no field is an unknown one
    select format(
        'case when document ?| %L then document - %1$L::text[] else document end',
        coalesce(array_agg(a.attname::text order by a.attnum), '{}')
    )
    into x.readable
    from pg_attribute as a
    where a.attrelid = target and a.attnum > 0 and not a.attisdropped and a.attname <> all (x.names);
    return x;
end
$$;
comment on function hacs_core.document_reading(regclass, boolean) is
    'The pieces of SQL with which the documents of a table are read and stored, one by one or many of them over others';

-- By the name of the primary key and not by its columns: a site may have made it longer, as the distribution does.
create or replace function hacs_core.document_conflict(target regclass)
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $$
begin
    return coalesce((
        select format('on conflict on constraint %I', c.conname)
        from pg_constraint as c
        where c.conrelid = target and c.contype = 'p'
    ), 'on conflict (id)');
end
$$;
comment on function hacs_core.document_conflict(regclass) is
    'The beginning of an ON CONFLICT about the key of a table of documents';

create or replace function hacs_core.document_putter(target regclass)
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select format('hacs_core.%I', 'put_' || c.relname) from pg_class as c where c.oid = target
    );
end
$$;
comment on function hacs_core.document_putter(regclass) is
    'The name of the function that stores the documents of a table';

-- The most frequent case of all: nothing has the id yet, and every value is as it should be. One statement then reads
-- the document and inserts it, and no subtransaction is begun for it but that of put. Null where it is another case.
create or replace function hacs_core.adder_source(target regclass, x hacs_core.reading)
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $$
begin
    return format($source$
declare
    base %1$s;
    version bigint;
begin
%2$s    base.resource_type := %3$L;
    select t.version_id into version from %1$s as t where t.id = new_id;
    if found then
        return null;
    end if;
    insert into %1$s as t (%4$s, extra)
    select %5$s, (document - %6$L::text[]) || kept
    from jsonb_populate_record(base, %7$s) as r
    where (
            %8$s
        ) is not false
    returning t.version_id into version;
    return version;
end
$source$,
        target, x.renames, x.resource_type, x.fields, x.new_values, x.names, x.readable, x.as_written
    );
end
$$;
comment on function hacs_core.adder_source(regclass, hacs_core.reading) is
    'The body of the function that stores a document of a table where none has its id, for its columns as they are now';

create or replace function hacs_core.putter_source(target regclass, x hacs_core.reading)
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $$
declare
    o record;
    p record;
    owner_columns text := '';
    owner_values text := '';
    owner_changes text := '';
    owner_differs text := '';
    owner_read text := '';
    owner_check text := '';
    owner_count text := '';
    unknown text := format('(document - %L::text[]) || kept', x.names);
    declarations text := '';
    parts text := '';
begin
    select * into o from hacs_core.document_owner(target);
    if o.owner_column is not null then
        owner_columns := format(', %I, position', o.owner_column);
        owner_values := ', owner, place';
        owner_changes := format(', %I = owner, position = place', o.owner_column);
        owner_differs := format(e'\n            or t.position is distinct from place or t.%I is distinct from owner',
            o.owner_column);
        unknown := format(
            '(document - case when nested then %L::text[] else %L::text[] end) || kept', x.names, x.names
                || o.owner_column
        );
        -- By itself, a part says whose it is, or stays whose it was. Without an id of its own it has that of its place.
        owner_read := format($text$
    if nested then
        stored_id := coalesce(r.id, md5(concat_ws('/', %1$L, owner, place))::uuid::text);
        perform from %2$s as t where t.id = stored_id and t.%3$I <> owner;
        if found then
            raise exception '%4$s/%% belongs to another %5$s than %%', stored_id, owner
                using errcode = 'unique_violation', constraint = %6$L, schema = %7$L, table = %8$L, column = 'id';
        end if;
    else
        if jsonb_typeof(document -> %3$L) not in ('string', 'null') then
            raise exception '%4$s.%3$s must be a text' using errcode = 'invalid_parameter_value', column = %3$L;
        end if;
        select t.%3$I as owner, t.position into stored_part from %2$s as t where t.id = stored_id;
        owner := coalesce(document ->> %3$L, stored_part.owner);
        place := case when owner = stored_part.owner then stored_part.position end;
        if place is null then
            select coalesce(max(t.position), 0) + 1 into place from %2$s as t where t.%3$I = owner;
        end if;
    end if;
$text$, (select c.relname from pg_class as c where c.oid = target), target, o.owner_column, x.resource_type,
            hacs_core.document_type(o.whole),
            (select k.conname from pg_constraint as k where k.conrelid = target and k.contype = 'p'),
            (select n.nspname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace where c.oid = target),
            (select c.relname from pg_class as c where c.oid = target)
        );
        declarations := e'    stored_part record;\n';
        owner_count := format($text$
    if is_changed and not nested then
        update %s as w set version_id = w.version_id + 1 where w.id in (owner, stored_part.owner);
    end if;
$text$, o.whole);
    end if;
    for p in select * from hacs_core.document_parts(target) loop
        parts := parts || format($text$
    if document ? %1$L and jsonb_typeof(document -> %1$L) <> 'array' then
        raise exception '%3$s.%1$s must be a list, not %%', hacs_core.described(document -> %1$L)
            using errcode = 'invalid_parameter_value', column = %1$L;
    end if;
    if document ? %1$L or not is_new then
        kept_parts := '{}';
        for part, part_place in select e.* from jsonb_array_elements(document -> %1$L) with ordinality as e loop
            if jsonb_typeof(part) <> 'object' or coalesce(part ->> 'resource_type', '') <> %6$L
                and part ? 'resource_type' then
                raise exception '%3$s.%1$s must be a list of %6$s, not of %%', case jsonb_typeof(part)
                        when 'object' then 'documents of another type' else hacs_core.described(part) end
                    using errcode = 'invalid_parameter_value', column = %1$L;
            end if;
            stored_part := %4$s(part, '{}', null, stored_id, part_place::integer);
            kept_parts := kept_parts || stored_part.stored_id;
            parts_changed := parts_changed or stored_part.is_changed;
        end loop;
        delete from %2$s as t where t.%5$I = stored_id and t.id <> all (kept_parts)
            and not (kept ? 'hacs:generation' and t.extra ? 'hacs:generation');
        parts_changed := parts_changed or found;
    end if;
$text$, p.field, p.part, x.resource_type, hacs_core.document_putter(p.part), p.owner_column,
    hacs_core.document_type(p.part)
        );
    end loop;
    if parts <> '' then
        declarations := $text$    part jsonb;
    part_place bigint;
    stored_part record;
    kept_parts text[];
    parts_changed boolean := false;
$text$;
        parts := parts || format($text$
    -- Who has read the whole has read its parts.
    if parts_changed and not is_changed then
        update %s as t set version_id = t.version_id + 1
            where t.id = stored_id returning t.version_id into stored_version;
        is_changed := true;
    end if;
$text$, target);
    end if;
    return format($source$
declare
    base %1$s;
    r %1$s;
    fine boolean;
    nested constant boolean := owner is not null;
    tries integer := 0;
%20$sbegin
%2$s%21$s    begin
        r := jsonb_populate_record(base, %3$s);
        fine := (
            %4$s
        ) is not false;
    exception
        when data_exception or check_violation then
            fine := false;
    end;
    if not fine then
        document := hacs_core.mended_document(%5$L, document);
        r := jsonb_populate_record(null::%1$s, %22$s || %3$s);
    end if;
    stored_id := coalesce(r.id, gen_random_uuid()::text);
%6$s    if if_version is not null then
        select t.version_id into stored_version from %1$s as t where t.id = stored_id for update;
        if coalesce(stored_version, 0) <> if_version then
            stored_version := hacs_core.refuse_version(%7$L || stored_id, if_version, stored_version);
        end if;
    elsif r.id is not null or nested then
        select t.version_id into stored_version from %1$s as t where t.id = stored_id;
    end if;
    -- Two statements for two cases cost half of one for both. Whoever was quicker makes the other case of this one.
    loop
        if stored_version is null then
            insert into %1$s as t (%8$s, extra%9$s)
            values (%10$s, %11$s%12$s)
            %23$s do nothing
            returning t.version_id into stored_version;
            is_new := found;
            is_changed := found;
            exit when found;
        end if;
        is_new := false;
        if if_version is distinct from 0 then
            update %1$s as t set %13$s,
                extra = %11$s, version_id = t.version_id + 1%14$s
            where t.id = stored_id and (
                %15$s
                or t.extra::text is distinct from (%11$s)::text%16$s
            )
            returning t.version_id into stored_version;
            is_changed := found;
            exit when found;
        end if;
        select t.version_id into stored_version from %1$s as t where t.id = stored_id;
        if found and if_version = 0 then
            stored_version := hacs_core.refuse_version(%7$L || stored_id, 0, stored_version);
        end if;
        exit when found;
        tries := tries + 1;
        if tries > 9 then
            raise exception '%19$s/%% is there already, where this role does not see it', stored_id
                using errcode = 'insufficient_privilege';
        end if;
    end loop;
%17$s%18$send
$source$,
        target, x.renames, x.readable, x.as_written, target::text, owner_read, x.resource_type || '/',
        x.fields, owner_columns, x.read_values, unknown, owner_values, x.changes, owner_changes, x.differs,
            owner_differs,
        parts, owner_count, x.resource_type, declarations, x.base_values, x.base,
        hacs_core.document_conflict(target)
    );
end
$$;
comment on function hacs_core.putter_source(regclass, hacs_core.reading) is
    'The body of the function that stores the documents of a table, for its columns as they are now';

-- Types without a table of their own: the document is kept whole.
create or replace function hacs_core.put_resources(
    document jsonb, kept jsonb, if_version bigint, owner text, place integer,
    out stored_id text, out stored_version bigint, out is_new boolean, out is_changed boolean
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    type constant text := coalesce(document ->> 'resource_type', document ->> 'resourceType');
begin
    if jsonb_typeof(document -> 'id') not in ('string', 'null') then
        raise exception '%.id must be a text, not %', type, hacs_core.described(document -> 'id')
            using errcode = 'invalid_parameter_value', column = 'id';
    end if;
    stored_id := coalesce(document ->> 'id', gen_random_uuid()::text);
    document := document || jsonb_build_object('id', stored_id);
    if if_version is not null then
        select t.version_id into stored_version
        from hacs_core.resources as t where t.resource_type = type and t.id = stored_id for update;
        if coalesce(stored_version, 0) <> if_version then
            stored_version := hacs_core.refuse_version(type || '/' || stored_id, if_version, stored_version);
        end if;
    end if;
    insert into hacs_core.resources as t (resource_type, id, data) values (type, stored_id, document)
    on conflict on constraint resources_pkey do update set data = excluded.data
    where if_version is distinct from 0 and t.data::text is distinct from excluded.data::text
    returning t.version_id, t.xmax = 0 into stored_version, is_new;
    is_changed := found;
    if not found then
        is_new := false;
        select t.version_id into stored_version from hacs_core.resources as t where t.resource_type = type
            and t.id = stored_id;
        if if_version = 0 then
            stored_version := hacs_core.refuse_version(type || '/' || stored_id, 0, stored_version);
        end if;
    end if;
end
$$;
comment on function hacs_core.put_resources(jsonb, jsonb, bigint, text, integer) is
    'Stores a document of a type that has no table of its own; called by put';

-- PL/pgSQL prepares an expression anew in each transaction, so that the 20th WHEN of a CASE costs as much as a query.
create or replace function hacs_core.document_choice(types text[], actions text[], place text default '    ')
returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    half constant integer := cardinality(types) / 2;
begin
    return case
        when cardinality(types) = 0 then place || e'null;\n'
        when cardinality(types) = 1 then format(
            e'%1$sif resource_type = %2$L then\n%1$s    %3$s\n%1$s    known := true;\n%1$send if;\n',
            place, types[1], replace(actions[1], e'\n', e'\n    ' || place)
        )
        else format(
            e'%1$sif resource_type collate "C" < %2$L then\n%3$s%1$selse\n%4$s%1$send if;\n', place, types[half + 1],
            hacs_core.document_choice(types[1:half], actions[1:half], place || '    '),
            hacs_core.document_choice(types[half + 1:], actions[half + 1:], place || '    ')
        )
    end;
end
$$;
comment on function hacs_core.document_choice(text[], text[], text) is
    'The text of a choice among types, in their order by "C", each with a statement; known is set where the type '
    'is among them';

-- A generated function says so in its first line, with a hash of the rest: verify knows it by that, whatever tables
-- were attached. Whether it fits its table is told by document_coverage.
create or replace function hacs_core.generated_body(body text)
returns text
language sql immutable parallel safe
return format(
    e'\n-- generated by hacs_core.attach_documents: %s%s', left(encode(sha256(convert_to(body, 'UTF8')), 'hex'), 16),
        body
);
comment on function hacs_core.generated_body(text) is
    'The body of a generated function, with its mark and hash before it';

-- A choice among the tables that are attached: put_document, put, get, lock_version and remove.
create or replace function hacs_core.choice_sources()
returns table (function text, declaration text, body text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    types text[];
    reads text[];
    puts text[];
    adds text[];
    gets text[];
    locks text[];
    removes text[];
    known jsonb;
begin
    -- One row for each type; before V10 nothing is known of later generations.
    if to_regprocedure('hacs_core.later_conditions()') is not null then
        execute 'select jsonb_agg(l) from hacs_core.later_conditions() as l' into known;
    else
        select jsonb_agg(jsonb_build_object('type', d.resource_type, 'resource_type', d.resource_type, 'condition',
            'false'))
        into known
        from hacs_core.document_tables() as d;
    end if;
    select
        array_agg(d.type order by d.type collate "C"),
        array_agg(format(
            e'if substitute is not null and (%s) then\n'
            '    select l.columns, l.kept into document, kept from hacs_core.read_later(document, %L, substitute, '
                'kept) as l;\n'
            'end if;\n', d.condition, d.type
        ) order by d.type collate "C"),
        -- parts, and their wholes, are rows of several tables
        array_agg(case when not d.has_table or o.whole is not null then '' else format(
            e'if if_version is null%s then\n'
            '    id := coalesce(document ->> ''id'', gen_random_uuid()::text);\n'
            '    tried := true;\n'
            '    version_id := %s(id, document, kept);\n'
            '    tried := false;\n'
            'end if;\n',
            case when p.any_part is not null then format(' and not document ?| %L', p.fields) end, d.adder
        ) end order by d.type collate "C"),
        array_agg(case
            when d.has_table then format('stored := %s(document, kept, if_version, null, null);', d.putter)
            else format(
                e'if kept ? ''hacs:generation'' then\n'
                '    stored := %s(document, kept, if_version, null, null);\n'
                'else\n'
                '    stored := hacs_core.put_resources(document, kept, if_version, null, null);\n'
                'end if;', d.putter
            )
        end order by d.type collate "C"),
        array_agg(format(
            case
                -- its whole stands beside what it says
                when o.whole is not null then 'select %2$s into document from %3$s as t%4$s where t.id = get.id%5$s'
                -- parts cost more than all else, be there any or not
                when p.any_part is not null then e'if %1$s then\n'
                    '    select %2$s into document from %3$s as t%4$s where t.id = get.id;\n'
                    'else\n'
                    '    select to_jsonb(fields), t.extra into document, extra from %3$s as t%4$s '
                        'where t.id = get.id;\n'
                    'end if;'
                else 'select to_jsonb(fields), t.extra into document, extra from %3$s as t%4$s where t.id = get.id%5$s'
            end,
            p.any_part, d.expression, d.target, d.whole, format(d.otherwise, 'select t.data into document', 'get', '')
        ) order by d.type collate "C"),
        array_agg(format('select t.version_id into version from %s as t where t.id = lock_version.id', d.target)
            || format(d.otherwise, 'select t.version_id into version', 'lock_version', ' for update')
                order by d.type collate "C"),
        array_agg(concat(
            format('delete from %s as t where t.id = remove.id', d.target),
            case when o.owner_column is not null then format(e' returning t.%I into owner;\n', o.owner_column)
                else format(d.otherwise, 'delete', 'remove', '') || e'\n' end,
            'gone := found;',
            case when o.whole is not null then format(e'\nupdate %s as w set version_id = w.version_id + 1 where w.id '
                '= owner;', o.whole) end
        ) order by d.type collate "C")
    into types, reads, adds, puts, gets, locks, removes
    from (
        select t.target, k.type, k.condition, k.type = t.resource_type as has_table,
            hacs_core.document_putter(t.target) as putter,
            replace(hacs_core.document_putter(t.target), 'put_', 'add_') as adder,
            hacs_core.document_expression(t.target, false, 'get.generation') as expression,
            hacs_core.document_whole(t.target) as whole,
            -- without a table of its own, but for documents that are in another form
            case when k.type = t.resource_type then '%3$s;' else
                e' and t.extra ? ''hacs:generation''%3$s;\n'
                'if not found then\n'
                '    %1$s from hacs_core.resources as t where t.resource_type = %2$s.resource_type and t.id = '
                    '%2$s.id%3$s;\n'
                'end if;'
            end as otherwise
        from hacs_core.document_tables() as t
        join jsonb_to_recordset(known) as k (type text, resource_type text,
            condition text) on k.resource_type = t.resource_type
        offset 0
    ) as d
    left join lateral hacs_core.document_owner(d.target) as o on true
    cross join lateral (
        select string_agg(format('exists (select 1 from %s as p where p.%I = get.id)', p.part, p.owner_column), ' or '
            order by p.field) as any_part, array_agg(p.field order by p.field) as fields
        from hacs_core.document_parts(d.target) as p
    ) as p
    where to_regprocedure(d.putter || '(jsonb, jsonb, bigint, text, integer)') is not null;
    return query select 'hacs_core.put_document(text, jsonb, jsonb, bigint, boolean)',
        'hacs_core.put_document(resource_type text, document jsonb, kept jsonb, if_version bigint, substitute boolean '
            'default true) '
        'returns record '
        'language plpgsql set search_path = pg_catalog, pg_temp',
        hacs_core.generated_body(format($body$
declare
    stored record;
    known boolean := false;
begin
%s    if not known then
        stored := hacs_core.put_resources(document, kept, if_version, null, null);
    end if;
    return stored;
end
$body$, hacs_core.document_choice(types, array(
        select r || p from unnest(reads, puts) with ordinality as a (r, p, place) order by place
    ))));
    -- put has a choice of its own: one call less for the most frequent of all
    return query select 'hacs_core.put(jsonb, bigint, boolean)',
        'hacs_core.put(document jsonb, if_version bigint default null, substitute boolean default true) '
        'returns table (resource_type text, id text, version_id bigint, created boolean) '
        'language plpgsql set search_path = pg_catalog, pg_temp set timezone = ''UTC'' set extra_float_digits = 1',
        hacs_core.generated_body(format($body$
declare
    stored record;
    known boolean := false;
    tried boolean := false;
    kept jsonb := '{}';
    fault hacs_core.fault;
begin
    resource_type := document ->> 'resource_type';
    if resource_type is null or document ? 'resourceType' or jsonb_typeof(document -> 'resource_type') <> 'string' then
        resource_type := hacs_core.document_resource_type(document);
    end if;
%s    if not known then
        stored := hacs_core.put_resources(document, kept, if_version, null, null);
    end if;
    if version_id is null then
        id := stored.stored_id;
        version_id := stored.stored_version;
        created := stored.is_new;
    else
        created := true;
    end if;
    return next;
exception
    when others then
        get stacked diagnostics fault.code = returned_sqlstate, fault.message = message_text,
            fault.detail = pg_exception_detail, fault.hint = pg_exception_hint, fault.schema_name = schema_name,
            fault.table_name = table_name, fault.column_name = column_name, fault.constraint_name = constraint_name;
        begin
            -- a value that HACS takes leniently, or another session that was quicker
            if tried and ((fault).code ~ '^22' or (fault).code = '23505'
                or (fault).code = '23514' and (fault).table_name = '') then
                stored := hacs_core.put_document(resource_type, document, kept, null, null);
                id := stored.stored_id;
                version_id := stored.stored_version;
                created := stored.is_new;
                return next;
                return;
            end if;
        exception
            when others then
                get stacked diagnostics fault.code = returned_sqlstate, fault.message = message_text,
                    fault.detail = pg_exception_detail, fault.hint = pg_exception_hint, fault.schema_name = schema_name,
                    fault.table_name = table_name, fault.column_name = column_name,
                    fault.constraint_name = constraint_name;
        end;
        fault := hacs_core.explained(fault, concat_ws('/', coalesce(resource_type, 'the document'), document ->> 'id'));
        fault := hacs_core.raise_fault(fault);
end
$body$, hacs_core.document_choice(types, array(
        select r || case when a = '' then p else a || e'if version_id is null then\n    ' || p || e'\nend if;' end
        from unnest(reads, adds, puts) with ordinality as l (r, a, p, place) order by place
    ))));
    return query select 'hacs_core.get(text, text, text)',
        'hacs_core.get(resource_type text, id text, generation text default null) returns jsonb '
        'language plpgsql stable set search_path = pg_catalog, pg_temp set timezone = ''UTC'' set extra_float_digits '
            '= 1',
        hacs_core.generated_body(format($body$
declare
    document jsonb;
    extra jsonb;
    known boolean := false;
begin
    if generation <> '0.3' then
        raise exception 'a document is given as it came, or in the form of 0.3, not %%',
            hacs_core.described(to_jsonb(generation)) using errcode = 'invalid_parameter_value';
    end if;
%s    if not known then
        select t.data into document from hacs_core.resources as t
        where t.resource_type = get.resource_type and t.id = get.id;
    end if;
    if extra <> '{}' then
        document := case when extra ? 'hacs:generation' then hacs_core.written(document, extra, generation)
            else document || extra end;
    end if;
    return document;
end
$body$, hacs_core.document_choice(types, gets)));
    return query select 'hacs_core.lock_version(text, text)',
        'hacs_core.lock_version(resource_type text, id text) returns bigint '
        'language plpgsql set search_path = pg_catalog, pg_temp',
        hacs_core.generated_body(format($body$
declare
    version bigint;
    known boolean := false;
begin
%s    if not known then
        select t.version_id into version from hacs_core.resources as t
        where t.resource_type = lock_version.resource_type and t.id = lock_version.id for update;
    end if;
    return version;
end
$body$, hacs_core.document_choice(types, locks)));
    return query select 'hacs_core.remove(text, text, bigint)',
        'hacs_core.remove(resource_type text, id text, if_version bigint default null) returns boolean '
        'language plpgsql set search_path = pg_catalog, pg_temp',
        hacs_core.generated_body(format($body$
declare
    gone boolean;
    known boolean := false;
    present bigint;
    owner text;
    fault hacs_core.fault;
begin
    if if_version is not null then
        present := hacs_core.lock_version(resource_type, id);
        if coalesce(present, 0) <> if_version then
            present := hacs_core.refuse_version(resource_type || '/' || id, if_version, present);
        end if;
    end if;
%s    if not known then
        delete from hacs_core.resources as t where t.resource_type = remove.resource_type and t.id = remove.id;
        gone := found;
    end if;
    return gone;
exception
    when others then
        get stacked diagnostics fault.code = returned_sqlstate, fault.message = message_text,
            fault.detail = pg_exception_detail, fault.hint = pg_exception_hint, fault.schema_name = schema_name,
            fault.table_name = table_name, fault.column_name = column_name, fault.constraint_name = constraint_name;
        fault := hacs_core.explained(fault, resource_type || '/' || id);
        fault := hacs_core.raise_fault(fault);
end
$body$, hacs_core.document_choice(types, removes)));
end
$$;
comment on function hacs_core.choice_sources() is
    'The functions that choose among the tables of documents, as they would be written now';

create or replace function hacs_core.choose_documents()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    f record;
begin
    for f in select * from hacs_core.choice_sources() loop
        execute format('create or replace function %s as %L', f.declaration, f.body);
    end loop;
end
$$;
comment on function hacs_core.choose_documents() is
    'Writes anew the functions that choose among the tables of documents';

-------------------------------------------------------------------------------------------------------------------
-- What callers use: put, get, remove, patch, put_all, search. They run with the caller's rights.
-------------------------------------------------------------------------------------------------------------------

create or replace function hacs_core.document_resource_type(document jsonb)
returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    type constant text := coalesce(document ->> 'resource_type', document ->> 'resourceType');
begin
    if jsonb_typeof(document) is distinct from 'object' or type is null
        or jsonb_typeof(coalesce(document -> 'resource_type', document -> 'resourceType')) <> 'string'
    then
        raise exception 'a document is a JSON object with a resource_type'
            using errcode = 'invalid_parameter_value', column = 'resource_type';
    end if;
    if document ? 'resourceType' and document ->> 'resourceType' is distinct from type then
        raise exception 'resource_type and resourceType say different things'
            using errcode = 'invalid_parameter_value', column = 'resource_type';
    end if;
    return type;
end
$$;
comment on function hacs_core.document_resource_type(jsonb) is
    'The type of a document, by either name; an error where it has none';

create or replace function hacs_core.put_kept(document jsonb, kept jsonb, if_version bigint default null)
returns table (resource_type text, id text, version_id bigint, created boolean)
language plpgsql
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set extra_float_digits = 1
as $$
declare
    stored record;
    fault hacs_core.fault;
begin
    resource_type := hacs_core.document_resource_type(document);
    stored := hacs_core.put_document(resource_type, document, kept, if_version, true);
    id := stored.stored_id;
    version_id := stored.stored_version;
    created := stored.is_new;
    return next;
exception
    when others then
        get stacked diagnostics fault.code = returned_sqlstate, fault.message = message_text,
            fault.detail = pg_exception_detail, fault.hint = pg_exception_hint, fault.schema_name = schema_name,
            fault.table_name = table_name, fault.column_name = column_name, fault.constraint_name = constraint_name;
        fault := hacs_core.explained(fault, concat_ws('/', coalesce(resource_type, 'the document'), document ->> 'id'));
        fault := hacs_core.raise_fault(fault);
end
$$;
comment on function hacs_core.put_kept(jsonb, jsonb, bigint) is
    'As put; besides, keys that go into extra as they are, also where they have the name of a column';

create or replace function hacs_core.put_all(documents jsonb, substitute boolean default true)
returns table (ordinal bigint, resource_type text, id text, version_id bigint, created boolean)
language plpgsql
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set extra_float_digits = 1
as $$
declare
    stored record;
    document jsonb;
    list jsonb := documents;
    fault hacs_core.fault;
begin
    if jsonb_typeof(documents) = 'object' then
        if jsonb_typeof(documents -> 'entry') is distinct from 'array' then
            raise exception 'the entry of a Bundle is a list' using errcode = 'invalid_parameter_value',
                column = 'entry';
        end if;
        list := coalesce((
            select jsonb_agg(e.entry -> 'resource' order by e.place)
            from jsonb_array_elements(documents -> 'entry') with ordinality as e (entry, place)
        ), '[]');
    end if;
    if jsonb_typeof(list) is distinct from 'array'
        or jsonb_typeof(documents) = 'object' and hacs_core.document_resource_type(documents) <> 'Bundle'
    then
        raise exception 'documents are a list or a Bundle' using errcode = 'invalid_parameter_value';
    end if;
    set constraints all deferred;
    for document, ordinal in select * from jsonb_array_elements(list) with ordinality loop
        resource_type := null;
        resource_type := hacs_core.document_resource_type(document);
        stored := hacs_core.put_document(resource_type, document, '{}', null, substitute);
        id := stored.stored_id;
        version_id := stored.stored_version;
        created := stored.is_new;
        return next;
    end loop;
    ordinal := null;
    -- so that a reference to nowhere is refused here, and not at the commit
    set constraints all immediate;
exception
    when others then
        get stacked diagnostics fault.code = returned_sqlstate, fault.message = message_text,
            fault.detail = pg_exception_detail, fault.hint = pg_exception_hint, fault.schema_name = schema_name,
            fault.table_name = table_name, fault.column_name = column_name, fault.constraint_name = constraint_name;
        fault := hacs_core.explained(fault, case when ordinal is null
            then coalesce(hacs_core.document_type(to_regclass(quote_ident((fault).schema_name) || '.'
                || quote_ident((fault).table_name))), 'a document')
            else concat_ws('/', coalesce(resource_type, 'the document'), document ->> 'id') end);
        fault.message := concat('document ' || ordinal || ' of the list: ', (fault).message);
        fault := hacs_core.raise_fault(fault);
end
$$;
comment on function hacs_core.put_all(jsonb, boolean) is
    'Stores each document of a list or of a FHIR Bundle, all or none, in whatever order they refer to each other';

-- RFC 7396
create or replace function hacs_core.merged(target jsonb, patch jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    key text;
    value jsonb;
begin
    if jsonb_typeof(patch) <> 'object' then
        return patch;
    end if;
    if jsonb_typeof(target) is distinct from 'object' then
        target := '{}';
    end if;
    for key, value in select * from jsonb_each(patch) loop
        target := case
            when value = 'null' then target - key
            else target || jsonb_build_object(key, hacs_core.merged(target -> key, value))
        end;
    end loop;
    return target;
end
$$;
comment on function hacs_core.merged(jsonb, jsonb) is 'A JSON document with a merge patch applied, as RFC 7396 says';

create or replace function hacs_core.patch(
    resource_type text, id text, merge jsonb, if_version bigint default null, out version_id bigint
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    -- The row is locked before it is read: what another session puts meanwhile is not lost.
    present constant bigint := hacs_core.lock_version(resource_type, id);
    document jsonb;
    field text;
    alias text;
begin
    if if_version is not null and coalesce(present, 0) <> if_version then
        version_id := hacs_core.refuse_version(resource_type || '/' || id, if_version, present);
    elsif present is null then
        raise exception 'there is no %/%', resource_type, id using errcode = 'no_data_found';
    elsif jsonb_typeof(merge) is distinct from 'object' then
        raise exception 'a merge patch is a JSON object' using errcode = 'invalid_parameter_value';
    elsif coalesce(merge ->> 'id', id) <> id
        or coalesce(merge ->> 'resource_type', merge ->> 'resourceType', resource_type) <> resource_type
    then
        raise exception 'a patch changes neither id nor resource_type' using errcode = 'invalid_parameter_value';
    end if;
    document := hacs_core.get(resource_type, id);
    for field, alias in
        select k.key, hacs_core.document_alias(resource_type, k.key) from jsonb_object_keys(document) as k (key)
        where merge ? hacs_core.document_alias(resource_type, k.key)
    loop
        merge := merge - alias || jsonb_build_object(field, merge -> alias);
    end loop;
    select p.version_id into version_id
    from hacs_core.put(
        -- null is as good as none, in each generation
        hacs_core.merged(document || '{"updated_at": null}', merge - array['id', 'resource_type', 'resourceType'])
    ) as p;
end
$$;
comment on function hacs_core.patch(text, text, jsonb, bigint) is
    'Changes fields of a stored document by a JSON merge patch (RFC 7396), where null takes a field back to its '
    'default; gives the version';

-------------------------------------------------------------------------------------------------------------------
-- Search: equality on what an index serves. Whatever else is asked for is refused with what can be asked.
-------------------------------------------------------------------------------------------------------------------

-- field: what may be asked. kind: equal, fold (whatever the case), reference, pointer (a Reference object, as written),
-- holds (a part of JSON or of a list). condition: the rows for which alone the index is there; companions: the fields
-- that have to be asked for with it, so that it holds.
create or replace function hacs_core.search_fields(target regclass)
returns table (field text, kind text, expression text, base text, points_to text, condition text, companions text[])
language sql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $$
    with keys as (
        select i.indexrelid, m.amname as method, pg_get_indexdef(i.indexrelid, 1, true) as key,
            case when pg_get_expr(i.indpred, i.indrelid) !~ '^\([a-z0-9_]+ IS NOT NULL\)$'
                then pg_get_expr(i.indpred, i.indrelid) end as condition,
            a.attname::text as name, a.attgenerated <> '' as is_generated,
            format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null) as base,
            -- the field that a generated column or an expression reads
            coalesce(hacs_core.column_source(target, a.attnum), (
                select s.attname::text
                from pg_depend as u
                join pg_attribute as s on s.attrelid = u.refobjid and s.attnum = u.refobjsubid
                where a.attnum is null and u.refobjid = target and s.attgenerated = ''
                    and u.classid = 'pg_class'::regclass
                    and u.objid = i.indexrelid and strpos(pg_get_indexdef(i.indexrelid, 1, true), s.attname) > 0
                limit 1
            )) as source,
            (
                select hacs_core.document_type(f.confrelid::regclass) from pg_constraint as f
                where f.conrelid = target and f.contype = 'f' and f.conkey = array[a.attnum]
            ) as points_to
        from pg_index as i
        join pg_class as x on x.oid = i.indexrelid
        join pg_am as m on m.oid = x.relam
        left join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = i.indkey[0] and i.indkey[0] > 0
        left join pg_type as t on t.oid = a.atttypid
        where i.indrelid = target and i.indisvalid
    ),
    kinds as (
        select k.*, case
            when k.method in ('btree', 'hash') and k.points_to is not null and k.is_generated then 'reference'
            when k.method in ('btree', 'hash') and not k.is_generated then 'equal'
            when k.method in ('hash', 'btree') and k.key ~ '->> ''reference''::text\)?$' then 'pointer'
            when k.method = 'gin' and k.name is not null then 'holds'
            when k.method in ('btree', 'spgist', 'hash') and k.key ~ '^lower\([a-z0-9_]+\)$' then 'fold'
        end as kind
        from keys as k
    )
    select coalesce(k.source, k.name), k.kind, coalesce('t.' || quote_ident(k.name), k.key), k.base, k.points_to,
        k.condition,
        case when k.condition is not null then array(
            select s.attname::text
            from pg_depend as u
            join pg_attribute as s on s.attrelid = u.refobjid and s.attnum = u.refobjsubid
            where u.classid = 'pg_class'::regclass and u.objid = k.indexrelid and u.refobjid = target
                and s.attname <> coalesce(k.source, k.name)
            order by s.attnum
        ) end
    from kinds as k
    where k.kind is not null
    order by 1, k.condition nulls first
$$;
comment on function hacs_core.search_fields(regclass) is
    'What search may be asked for the documents of a table: one row for each index that equality can use';

create or replace function hacs_core.search_term(
    field text, kind text, expression text, base text, points_to text, criterion jsonb
)
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
    written constant text := case jsonb_typeof(criterion) when 'object' then criterion ->> 'reference'
        else criterion #>> '{}' end;
    is_text constant boolean := jsonb_typeof(criterion) = 'string';
    value record;
begin
    if criterion = 'null' then
        return null;
    end if;
    case kind
        when 'equal' then
            value := hacs_core.mended_value(base, criterion);
            return case when value.wanted is null then format('%s = %L::%s', expression, value.mended #>> '{}',
                base) end;
        when 'fold' then
            return case when is_text then format('lower(t.%I) = lower(%L)', field, written) end;
        when 'pointer' then
            return case when written is not null then format('(t.%I ->> ''reference'') = %L', field, written) end;
        when 'reference' then
            return expression || ' = ' || quote_literal(hacs_core.reference_id(written, points_to));
        else
            -- system|code, as FHIR writes a token
            return case
                when base <> 'jsonb' then case when is_text
                    then format('%s @> array[%L]::%s', expression, written, base) end
                else format('%s @> %L::jsonb', expression, case
                    when is_text and field in ('identifier', 'identifiers')
                        then jsonb_build_array(hacs_core.search_token(written, 'value'))
                    when is_text and field = 'code'
                        then jsonb_build_object('coding', jsonb_build_array(hacs_core.search_token(written, 'code')))
                    else criterion
                end)
            end;
    end case;
end
$$;
comment on function hacs_core.search_term(text, text, text, text, text, jsonb) is
    'The SQL for one criterion of a search; null where its value is none for the field';

create or replace function hacs_core.search_token(written text, key text)
returns jsonb
language sql immutable parallel safe
return case when strpos(written, '|') = 0 then jsonb_build_object(key, written)
    else jsonb_build_object('system', split_part(written, '|', 1), key, substr(written, strpos(written, '|') + 1)) end;
comment on function hacs_core.search_token(text, text) is
    'A part of a Coding or an Identifier, from system|code or the code alone';

create or replace function hacs_core.search_condition(resource_type text, target regclass, criteria jsonb)
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    f record;
    holds boolean;
    term text;
    terms text[] := '{}';
    asked text[] := '{}';
    companions text[] := '{}';
    offered text := '';
    missing text;
begin
    for f in select * from hacs_core.search_fields(target) loop
        offered := concat_ws(', ', nullif(offered, ''), f.field
            || coalesce(' (together with ' || array_to_string(f.companions, ', ') || ')', ''));
        continue when not criteria ? f.field or f.field = any (asked);
        if f.condition is not null then
            continue when not criteria ?& f.companions;
            execute format('select (%s) from jsonb_populate_record(null::%s, $1)', f.condition, target)
                into holds using (select jsonb_object_agg(k, criteria -> k) from unnest(f.companions) as k);
            continue when holds is not true;
            companions := companions || f.companions;
        end if;
        term := hacs_core.search_term(f.field, f.kind, f.expression, f.base, f.points_to, criteria -> f.field);
        if term is null then
            raise exception '%.% cannot be searched by %', resource_type, f.field,
                hacs_core.described(criteria -> f.field)
                using errcode = 'invalid_parameter_value', column = f.field,
                    hint = case f.kind when 'reference'
                        then format('A local reference is wanted: %s/<id>.', f.points_to)
                        else 'Null cannot be asked for, nor a value that the field cannot have.' end;
        end if;
        terms := terms || term;
        asked := asked || f.field;
    end loop;
    for f in
        select c.name, c.base from hacs_core.document_columns(target) as c
        where c.name = any (companions) and criteria ? c.name and c.name <> all (asked)
    loop
        terms := terms || format('t.%I = %L', f.name, criteria ->> f.name);
        asked := asked || f.name;
    end loop;
    select k into missing from jsonb_object_keys(criteria) as k where k <> all (asked) limit 1;
    if missing is not null then
        raise exception '% cannot be searched by %: no index serves it', resource_type, missing
            using errcode = 'invalid_parameter_value', column = missing,
                hint = format('What can be asked for: %s.', offered);
    end if;
    return array_to_string(terms, ' and ');
end
$$;
comment on function hacs_core.search_condition(text, regclass, jsonb) is
    'The condition of a search on the rows t of a table; an error that tells what can be asked where no index serves '
    'it';

create or replace function hacs_core.search_statement(resource_type text, criteria jsonb)
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    target constant regclass := hacs_core.document_table(resource_type);
begin
    if jsonb_typeof(criteria) is distinct from 'object' or criteria = '{}' then
        raise exception 'criteria are a JSON object with at least one field' using errcode = 'invalid_parameter_value';
    end if;
    if target is null then
        if criteria - 'id' <> '{}' or jsonb_typeof(criteria -> 'id') <> 'string' then
            raise exception '% has no table of its own, and is found by its id alone', resource_type
                using errcode = 'invalid_parameter_value';
        end if;
        return format(
            'select t.data from hacs_core.resources as t where t.resource_type = %L and t.id = %L', resource_type,
                criteria ->> 'id'
        );
    end if;
    return format(
        'select %s from %s as t%s where %s', hacs_core.document_expression(target), target,
        hacs_core.document_whole(target), hacs_core.search_condition(resource_type, target, criteria)
    );
end
$$;
comment on function hacs_core.search_statement(text, jsonb) is 'The statement of a search, before its limit';

create or replace function hacs_core.search(resource_type text, criteria jsonb, most integer default 100)
returns setof jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set extra_float_digits = 1
as $$
begin
    return query execute hacs_core.search_statement(resource_type, criteria) || ' limit $1' using most;
end
$$;
comment on function hacs_core.search(text, jsonb, integer) is
    'Documents whose fields, references and codes are the given ones, as far as an index serves the question; in '
    'no order';

-------------------------------------------------------------------------------------------------------------------
-- Scan: what the adapters of the original system ask for. It reads the whole table where no index serves the question.
-------------------------------------------------------------------------------------------------------------------

create or replace function hacs_core.scan_term(filter text, value jsonb)
returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    suffix constant text := substring(filter from '.(_gte|_lte|_gt|_lt|_like|_in)$');
    field constant text := left(filter, length(filter) - coalesce(length(suffix), 0));
    written constant text := format('(d.document ->> %L)', field);
    sign constant text := case suffix when '_gt' then '>' when '_gte' then '>=' when '_lt' then '<' when '_lte'
        then '<=' end;
begin
    return case
        when sign is not null and jsonb_typeof(value) = 'number'
            then format('case when jsonb_typeof(d.document -> %L) = ''number'' then %s::numeric %s %L end', field,
                written, sign, value)
        when sign is not null and jsonb_typeof(value) = 'string'
            then format('%s collate "C" %s %L', written, sign, value #>> '{}')
        when suffix = '_like' and jsonb_typeof(value) = 'string'
            then format('%s ilike %L', written, '%' || (value #>> '{}') || '%')
        when suffix = '_in' and jsonb_typeof(value) = 'array'
            then format('%s = any (%L)', written, array(select jsonb_array_elements_text(value)))
        when suffix is not null then null
        when value = 'null' then written || ' is null'
        else format('%s = %L', written, value #>> '{}')
    end;
end
$$;
comment on function hacs_core.scan_term(text, jsonb) is
    'The SQL for one filter of a scan on documents d; null where the filter and its value do not go together';

create or replace function hacs_core.scan(resource_type text, filters jsonb default '{}', most integer default 100,
    skip integer default 0)
returns setof jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set extra_float_digits = 1
as $$
declare
    target regclass := hacs_core.document_table(resource_type);
    served jsonb := '{}';
    condition text;
    document text := 't.data';
    f record;
    term text;
    terms text[] := '{}';
begin
    if jsonb_typeof(filters) is distinct from 'object' then
        raise exception 'filters are a JSON object' using errcode = 'invalid_parameter_value';
    end if;
    if target is not null then
        select coalesce(jsonb_object_agg(s.field, filters -> s.field), '{}') into served
        from hacs_core.search_fields(target) as s
        where s.condition is null and jsonb_typeof(filters -> s.field) = 'string' and hacs_core.search_term(
            s.field, s.kind, s.expression, s.base, s.points_to, filters -> s.field
        ) is not null;
    end if;
    for f in select * from jsonb_each(filters - array(select jsonb_object_keys(served))) loop
        term := hacs_core.scan_term(f.key, f.value);
        if term is null then
            raise exception '% cannot be filtered by this value of %', resource_type, f.key
                using errcode = 'invalid_parameter_value', column = f.key,
                    hint = 'field, field_like: a text; field_in: a list; field_gt, _gte, _lt, _lte: a number or a '
                        'text.';
        end if;
        terms := terms || term;
    end loop;
    if target is null then
        target := 'hacs_core.resources';
        condition := format('t.resource_type = %L', resource_type);
    else
        condition := coalesce(nullif(hacs_core.search_condition(resource_type, target, served), ''), 'true');
        document := hacs_core.document_expression(target);
    end if;
    -- Where nothing else is to be looked at, only the documents that are asked for are made.
    return query execute case when terms = '{}' then format(
        'select d.document from (select * from %1$s as t where %2$s order by t.created_at desc, t.id limit $1 offset '
            '$2) as t%3$s '
        'cross join lateral (select %4$s as document) as d order by t.created_at desc, t.id',
        target, condition, hacs_core.document_whole(target), document
    ) else format(
        'select d.document from %1$s as t%3$s cross join lateral (select %4$s as document) as d '
        'where %2$s and %5$s order by t.created_at desc, t.id limit $1 offset $2',
        target, condition, hacs_core.document_whole(target), document, array_to_string(terms, ' and ')
    ) end using most, skip;
end
$$;
comment on function hacs_core.scan(text, jsonb, integer, integer) is
    'Documents of a type, newest first, filtered as the original system''s adapters do: field, field_like, field_in, '
    'field_gt, field_gte, field_lt, field_lte. It reads the whole table where no index serves the filters';

-------------------------------------------------------------------------------------------------------------------
-- Many at once: documents are staged by COPY, one temporary table for each type, and then put in one statement for each
-- batch. Where a batch is refused, one query finds the documents at fault; only what is left is halved.
-------------------------------------------------------------------------------------------------------------------

-- What a document breaks of its own, without a look at other rows; null for nothing. Generated beside each putter.
create or replace function hacs_core.checker_source(target regclass, x hacs_core.reading)
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $$
declare
    rules text := '';
    f record;
begin
    for f in
        select c.conname, pg_get_expr(c.conbin, c.conrelid) as rule from pg_constraint as c
        where c.conrelid = target and c.contype = 'c' and not exists (
            select 1 from pg_attribute as a where a.attrelid = target and a.attnum = any (c.conkey)
                and a.attgenerated <> ''
        )
        order by c.conname
    loop
        rules := rules || format(e'\n            when (%s) is false then %L', f.rule, f.conname);
    end loop;
    return format($source$
#variable_conflict use_column
declare
    base %1$s;
    r %1$s;
    fine boolean;
    broken text;
    lacking text;
begin
%11$s    begin
        r := jsonb_populate_record(base, %2$s);
        fine := (
            %3$s
        ) is not false;
    exception
        when data_exception or check_violation then
            fine := false;
    end;
    if not fine then
        begin
            document := hacs_core.mended_document(%4$L, document);
            r := jsonb_populate_record(null::%1$s, %12$s || %2$s);
        exception
            when others then
                get stacked diagnostics fault.code = returned_sqlstate, fault.message = message_text,
                    fault.column_name = column_name, fault.constraint_name = constraint_name;
                fault := hacs_core.explained(fault, concat_ws('/', %9$L, document ->> 'id'));
                return;
        end;
    end if;
%10$s    select
        case%5$s
        end,
        case%6$s
        end
    into lacking, broken
    from (select r.*) as f;
    if lacking is not null then
        fault.code := '23502';
        fault.column_name := lacking;
    elsif broken is not null then
        fault.code := '23514';
        fault.constraint_name := broken;
    else
        return;
    end if;
    fault.message := '';
    fault.schema_name := %7$L;
    fault.table_name := %8$L;
    fault := hacs_core.explained(fault, concat_ws('/', %9$L, document ->> 'id'));
end
$source$,
        target, x.readable, x.as_written, target::text, x.lacking, rules,
        (select n.nspname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace where c.oid = target),
        (select c.relname from pg_class as c where c.oid = target), x.resource_type, x.made_values, x.base_values,
        x.base
    );
end
$$;
comment on function hacs_core.checker_source(regclass, hacs_core.reading) is
    'The body of the function that says what a document of a table breaks, for its columns and rules as they are now';

-- Targets of references before what refers to them; a table that refers to itself counts once.
create or replace function hacs_core.document_order()
returns table (resource_type text, target regclass, rank integer)
language sql stable
begin atomic
    with recursive tables as materialized (
        select d.resource_type, d.target::oid as target from hacs_core.document_tables() as d
    ),
    links as materialized (
        select distinct f.conrelid, f.confrelid from pg_catalog.pg_constraint as f where f.contype = 'f'
            and f.conrelid <> f.confrelid
    ),
    walk as (
        select t.target, 1 as rank, array[t.target] as path from tables as t
        union all
        select l.conrelid, w.rank + 1, w.path || l.conrelid
        from walk as w
        join links as l on l.confrelid = w.target and l.conrelid <> all (w.path)
        join tables as t on t.target = l.conrelid
    )
    select t.resource_type, t.target::regclass, max(w.rank)
    from walk as w
    join tables as t on t.target = w.target
    group by 1, 2
    order by 3, 1;
end;
comment on function hacs_core.document_order() is
    'The tables of documents in an order in which none refers to a later one';

create or replace function hacs_core.staged(resource_type text)
returns text
language sql immutable parallel safe
return 'pg_temp.' || quote_ident('hacs_staged_' || coalesce(resource_type, ''));
comment on function hacs_core.staged(text) is 'The temporary table of the staged documents of a type';

create or replace function hacs_core.stage_documents()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
declare
    d record;
begin
    create temporary table hacs_staged (line bigint, document jsonb, kept jsonb)
        partition by list ((coalesce(document ->> 'resource_type', document ->> 'resourceType'))) on commit drop;
    for d in select t.resource_type from hacs_core.document_tables() as t union all select null loop
        execute format(
            'create temporary table %s partition of pg_temp.hacs_staged %s',
            replace(hacs_core.staged(d.resource_type), 'pg_temp.', ''),
            case when d.resource_type is null then 'default' else format('for values in (%L)', d.resource_type) end
        );
    end loop;
    -- Each document is compressed once and read some times: LZ4, where the server has it, takes a fraction of the time.
    for d in
        select p.inhrelid::regclass as part from pg_inherits as p
        where p.inhparent = 'pg_temp.hacs_staged'::regclass
    loop
        begin
            execute format('alter table %s alter column document set compression lz4', d.part);
        exception
            when feature_not_supported then exit;
        end;
    end loop;
    create temporary table hacs_refused (
        line bigint, resource_type text, id text, code text, field text, rule text, message text, document jsonb
    ) on commit drop;
    -- a document that a later one with the same id replaces
    create temporary table hacs_superseded (line bigint, resource_type text) on commit drop;
end
$$;
comment on function hacs_core.stage_documents() is
    'Makes the temporary tables into which documents are copied for put_staged: pg_temp.hacs_staged (line, document)';

-- How the staged documents of one type are put.
do $$
begin
    create type hacs_core.staging as (
        resource_type text, target regclass, part text, on_conflict text, batch text, single text, checker text
    );
exception
    when duplicate_object then null;
end
$$;
comment on type hacs_core.staging is 'The statements with which the staged documents of one type are put';

create or replace function hacs_core.staging_of(resource_type text, target regclass, on_conflict text)
returns hacs_core.staging
language plpgsql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $$
declare
    x hacs_core.reading;
    s hacs_core.staging;
begin
    s.resource_type := resource_type;
    s.target := target;
    s.part := hacs_core.staged(resource_type);
    s.on_conflict := on_conflict;
    -- A part stands in the document of its whole as well: it is no conflict.
    if exists (select 1 from hacs_core.document_owner(target)) then
        s.on_conflict := 'replace';
    end if;
    s.single := format(
        'select 1 from (select * from %s as s where s.line = $1%s offset 0) as s cross join lateral '
            'hacs_core.put_document('
        '    coalesce(s.document ->> ''resource_type'', s.document ->> ''resourceType''), s.document, '
            'coalesce(s.kept, ''{}''), %s, null'
        ') as p (stored_id text, stored_version bigint, is_new boolean, is_changed boolean) where p.is_changed',
        (s).part,
        case (s).on_conflict when 'keep' then ' and hacs_core.get('
            'coalesce(s.document ->> ''resource_type'', s.document ->> ''resourceType''), s.document ->> ''id'') is '
                'null' else '' end,
        case (s).on_conflict when 'fail' then 'case when s.document ->> ''id'' is not null then 0 end' else 'null' end
    );
    if target is null or exists (select 1 from hacs_core.document_parts(target))
        or exists (select 1 from hacs_core.document_owner(target)) then
        -- few, and with rows in several tables: one by one
        s.batch := replace(s.single, 's.line = $1', 's.line between $1 and $2');
        return s;
    end if;
    s.checker := replace(hacs_core.document_putter(target), 'put_', 'check_');
    x := hacs_core.document_reading(target, on_conflict = 'replace');
    s.batch := format(
        'insert into %1$s as t (%2$s, extra) select %3$s, (document - %4$L::text[]) || coalesce(kept, ''{}'') '
        -- taken out of its compression once, and not for each field
        'from (select s.line, s.document || ''{}'' as document, s.kept from %5$s as s where s.line between $1 and $2 '
            'offset 0) as s %6$s '
        'cross join (select jsonb_populate_record(null::%1$s, %10$s) as base offset 0) as b '
        'cross join lateral jsonb_populate_record(b.base, %7$s) as r '
        -- the cheapest way to say that one needs the slow way
        'where case when (%8$s) is not false then true else 1 / (s.line - s.line) > 0 end %9$s',
        target, x.fields,
        replace(x.read_values, 'stored_id', 'coalesce(r.id, gen_random_uuid()::text)'),
        x.names, s.part,
        case when on_conflict = 'replace' then format('left join %s as o on o.id = s.document ->> ''id''', target)
            else '' end,
        x.readable, x.as_written,
        case on_conflict
            when 'keep' then hacs_core.document_conflict(target) || ' do nothing'
            when 'replace' then format(
                '%s do update set %s, extra = excluded.extra, version_id = t.version_id + 1 where %s or '
                    't.extra::text is distinct from excluded.extra::text',
                hacs_core.document_conflict(target), x.changes, x.differs
            )
            else ''
        end,
        x.base
    );
    return s;
end
$$;
comment on function hacs_core.staging_of(text, regclass, text) is
    'The statements for a type, by what is done where its id is there already: fail, keep or replace';

create or replace function hacs_core.refuse_staged(s hacs_core.staging, line bigint, fault hacs_core.fault)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    execute format(
        'insert into pg_temp.hacs_refused '
        'select s.line, coalesce($2, s.document ->> ''resource_type'', s.document ->> ''resourceType''), s.document '
            '->> ''id'', '
        '$3, $4, $5, $6, hacs_core.written(s.document, coalesce(s.kept, ''{}'')) from %s as s where s.line = $1',
            (s).part
    )
    using line, (s).resource_type, (fault).code, (fault).column_name, (fault).constraint_name, (fault).message;
    execute format('delete from %s as s where s.line = $1', (s).part) using line;
end
$$;
comment on function hacs_core.refuse_staged(hacs_core.staging, bigint, hacs_core.fault) is
    'Takes a staged document out, and writes down why';

-- One statement for the lines from first to last; halved where it is refused.
create or replace function hacs_core.put_lines(s hacs_core.staging, first bigint, last bigint)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set extra_float_digits = 1
as $$
declare
    stored bigint;
    middle bigint;
    fault hacs_core.fault;
begin
    begin
        if first = last then
            execute (s).single using first;
        else
            execute (s).batch using first, last;
        end if;
        get diagnostics stored = row_count;
        return stored;
    exception
        when data_exception or integrity_constraint_violation or cardinality_violation or program_limit_exceeded
            or serialization_failure or raise_exception
        then
            get stacked diagnostics fault.code = returned_sqlstate, fault.message = message_text,
                fault.detail = pg_exception_detail, fault.hint = pg_exception_hint, fault.schema_name = schema_name,
                fault.table_name = table_name, fault.column_name = column_name, fault.constraint_name = constraint_name;
    end;
    if first = last then
        execute format(
            'select x.* from %s as s cross join lateral hacs_core.explained($1, concat_ws(''/'', '
            'coalesce(s.document ->> ''resource_type'', s.document ->> ''resourceType''), s.document ->> ''id'')) as '
                'x where s.line = $2',
            (s).part
        )
        into fault using fault, first;
        if (fault).code = '40001' and (s).on_conflict = 'fail' then
            fault.code := '23505';
            fault.column_name := 'id';
            fault.message := regexp_replace((fault).message, ' has version ([0-9]+), not 0$', ' is there already');
        end if;
        perform hacs_core.refuse_staged(s, first, fault);
        return 0;
    end if;
    execute format('select percentile_disc(0.5) within group (order by line) from %s where line between $1 and $2',
        (s).part)
        into middle using first, last;
    middle := coalesce(least(middle, last - 1), first);
    return hacs_core.put_lines(s, first, middle) + hacs_core.put_lines(s, middle + 1, last);
end
$$;
comment on function hacs_core.put_lines(hacs_core.staging, bigint, bigint) is
    'Puts the staged documents of a type from one line to another, and refuses those that cannot be; gives how '
    'many were stored';

-- What one query can find: faults of kind and rule, references to nowhere, ids that are there already.
create or replace function hacs_core.sift_lines(s hacs_core.staging, first bigint, last bigint)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set extra_float_digits = 1
set quote_all_identifiers = off
as $$
declare
    f record;
begin
    execute format(
        'create temporary table hacs_sifted on commit drop as '
        'select s.line, c.document, s.document as given, s.kept, c.fault '
        'from %s as s cross join lateral %s(s.document || ''{}'') as c where s.line between %s and %s',
        (s).part, (s).checker, first, last
    );
    execute format(
        'update %s as s set document = m.document from pg_temp.hacs_sifted as m where m.line = s.line and m.document '
            '<> m.given', (s).part
    );
    for f in
        select a.attname, pg_get_expr(d.adbin, d.adrelid) as reference, c.confrelid::regclass as points_to, c.conname,
            hacs_core.document_type(c.confrelid) as points_to_type,
            hacs_core.column_source(c.conrelid, c.conkey[1]) as field
        from pg_constraint as c
        join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
        join pg_attrdef as d on d.adrelid = c.conrelid and d.adnum = c.conkey[1]
        where c.conrelid = (s).target and c.contype = 'f' and a.attgenerated <> ''
    loop
        execute format(
            'with refs as materialized ('
            '    select m.line, (select %1$s from (select r.*) as r) as id '
            '    from pg_temp.hacs_sifted as m cross join lateral jsonb_populate_record(null::%2$s, m.document) as r '
            '    where (m.fault).code is null and m.document -> %3$L <> ''null'' '
            ') update pg_temp.hacs_sifted as m '
            'set fault = row(''23503'', format(%4$L, r.id), null, null, null, null, %3$L, %5$L)::hacs_core.fault '
            'from refs as r where r.line = m.line and r.id is not null '
            'and not exists (select 1 from %6$s as t where t.id = r.id) %7$s',
            f.reference, (s).target, f.field,
            format('%s.%s refers to %s/%%s, which is not here', (s).resource_type, f.field, f.points_to_type),
                f.conname, f.points_to,
            case when f.points_to = (s).target
                then format('and not exists (select 1 from %s as o where o.document ->> ''id'' = r.id)', (s).part)
                    else '' end
        );
    end loop;
    if (s).on_conflict = 'fail' then
        execute format(
            'update pg_temp.hacs_sifted as m set fault = '
            '    row(''23505'', format(%1$L, m.document ->> ''id''), null, null, null, null, ''id'', '
                '%2$L)::hacs_core.fault '
            -- of several with one id the first is not refused; each is not compared with each
            'from ('
            '    select o.line, o.id, row_number() over (partition by o.id order by o.line) as place '
            '    from (select i.line, i.document ->> ''id'' as id from pg_temp.hacs_sifted as i '
            '        where (i.fault).code is null) as o '
            '    where o.id is not null '
            ') as o '
            'where o.line = m.line and (o.place > 1 or exists (select 1 from %3$s as t where t.id = o.id))',
            (s).resource_type || '/%s is there already',
            (select c.conname from pg_constraint as c where c.conrelid = (s).target and c.contype = 'p'), (s).target
        );
    elsif (s).on_conflict = 'replace' then
        insert into pg_temp.hacs_superseded
        select o.line, (s).resource_type
        from (
            select m.line, lead(m.line) over (partition by m.document ->> 'id' order by m.line) as later
            from pg_temp.hacs_sifted as m
            where (m.fault).code is null and m.document ->> 'id' is not null
        ) as o
        where o.later is not null;
        execute format(
            'delete from %s as s using pg_temp.hacs_superseded as o where o.line = s.line and o.resource_type = $1',
                (s).part
        )
        using (s).resource_type;
    end if;
    insert into pg_temp.hacs_refused
    select m.line, (s).resource_type, m.document ->> 'id', (m.fault).code, (m.fault).column_name,
        (m.fault).constraint_name,
        (m.fault).message, hacs_core.written(m.given, coalesce(m.kept, '{}'))
    from pg_temp.hacs_sifted as m
    where (m.fault).code is not null;
    execute format('delete from %s as s using pg_temp.hacs_sifted as m where m.line = s.line and (m.fault).code is '
        'not null', (s).part);
    drop table pg_temp.hacs_sifted;
end
$$;
comment on function hacs_core.sift_lines(hacs_core.staging, bigint, bigint) is
    'Takes out of the staged documents what by itself, by its references or by its id cannot be stored';

-- One look at each document, which is taken out of its compression for it, in place of one for each thing to be turned.
create or replace function hacs_core.odd_staged()
returns text[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    f record;
    is_odd boolean;
    odd text[] := '{}';
begin
    for f in
        select d.resource_type, concat_ws(
            ' or ', 'document ?& ''{line, code, message, document}''', format('document ?| %L', array(
                select hacs_core.document_alias(d.resource_type, c.name) from hacs_core.document_columns(d.target) as c
                where hacs_core.document_alias(d.resource_type, c.name) is not null
                union all select 'resourceType'
            )), (
                select format('s.kept is null and (%s)', l.condition) from hacs_core.later_conditions() as l
                where l.type = d.resource_type
            )
        ) as condition
        from hacs_core.document_tables() as d
    loop
        execute format('select exists (select 1 from ('
            '    select s.document || ''{}'' as document, s.kept from %s as s offset 0'
            ') as s where %s)', hacs_core.staged(f.resource_type), f.condition) into is_odd;
        if is_odd then
            odd := odd || f.resource_type;
        end if;
    end loop;
    return odd;
end
$$;
comment on function hacs_core.odd_staged() is
    'The types with staged documents of which something is to be turned before they are put';

-- A line of the input has a million numbers, for the entries of a Bundle. Bundles become their entries, lines of a file
-- of refused documents their documents, other names of types and fields the names of columns.
create or replace function hacs_core.unfold_staged(substitute boolean default true)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    f record;
    odd text[] := hacs_core.odd_staged();
    moved boolean := false;
    rows bigint;
begin
    for f in select t from unnest(odd || null::text) as t loop
        execute format(
            'with gone as ('
            '    delete from %s as s where s.document ?& ''{line, code, message, document}'' '
            '    returning s.line, s.document '
            ') insert into pg_temp.hacs_staged select g.line, g.document -> ''document'' from gone as g',
            hacs_core.staged(f.t)
        );
        get diagnostics rows = row_count;
        moved := moved or rows > 0;
    end loop;
    -- all that is left to do here lies among the documents of types without a table: no other is read for it
    execute format(
        'with gone as ('
        '    delete from %s as s where s.document ->> ''resourceType'' = ''Bundle'' and jsonb_typeof(s.document -> '
            '''entry'') = ''array'' '
        '    returning s.line, s.document '
        ') insert into pg_temp.hacs_staged '
        'select g.line + e.place, e.entry -> ''resource'' '
        'from gone as g, jsonb_array_elements(g.document -> ''entry'') with ordinality as e (entry, place)',
            hacs_core.staged(null)
    );
    get diagnostics rows = row_count;
    if moved or rows > 0 then
        odd := hacs_core.odd_staged();
    end if;
    execute format(
        'with gone as ('
        '    delete from %s as s '
        '    where coalesce(s.document ->> ''resource_type'', s.document ->> ''resourceType'') is null or '
            'jsonb_typeof(s.document) <> ''object'' '
        '    returning s.line, s.document '
        ') insert into pg_temp.hacs_refused '
        'select g.line, null, null, ''22023'', ''resource_type'', null, ''a document is a JSON object with a '
            'resource_type'', g.document '
        'from gone as g', hacs_core.staged(null)
    );
    for f in
        select d.resource_type, c.name, hacs_core.document_alias(d.resource_type, c.name) as alias
        from hacs_core.document_tables() as d, hacs_core.document_columns(d.target) as c
        where hacs_core.document_alias(d.resource_type, c.name) is not null and d.resource_type = any (odd)
        union all
        select d.resource_type, 'resource_type', 'resourceType' from hacs_core.document_tables() as d
        where d.resource_type = any (odd)
    loop
        execute format(
            'update %1$s as s set document = s.document - %2$L || jsonb_build_object(%3$L, s.document -> %2$L) '
            'where s.document ? %2$L and (not s.document ? %3$L or s.document -> %3$L = s.document -> %2$L)',
            hacs_core.staged(f.resource_type), f.alias, f.name
        );
    end loop;
    for f in
        select l.* from hacs_core.later_conditions() as l where l.type <> l.resource_type or l.type = any (odd)
    loop
        perform hacs_core.turn_staged(f.type, f.resource_type, f.condition, f.unclear, substitute);
    end loop;
end
$$;
comment on function hacs_core.unfold_staged(boolean) is
    'Makes documents of what was copied: the entries of Bundles, and names as the columns have them';


create or replace function hacs_core.sift_circular(s hacs_core.staging)
returns text[]
language plpgsql
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $$
declare
    f record;
    found_one boolean := true;
    lost text[];
    ids text[] := '{}';
begin
    while found_one loop
        found_one := false;
        for f in
            select pg_get_expr(d.adbin, d.adrelid) as reference, c.conname,
                hacs_core.column_source(c.conrelid, c.conkey[1]) as field
            from pg_constraint as c
            join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
            join pg_attrdef as d on d.adrelid = c.conrelid and d.adnum = c.conkey[1]
            where c.conrelid = (s).target and c.confrelid = (s).target and c.contype = 'f' and a.attgenerated <> ''
        loop
            execute format(
                'with lost as ('
                '    delete from %1$s as s using ('
                '        select p.line, (select %2$s from (select r.*) as r) as id from %1$s as p '
                '        cross join lateral jsonb_populate_record(null::%3$s, jsonb_build_object(%4$L, p.document -> '
                    '%4$L)) as r '
                '        where p.document -> %4$L <> ''null'' '
                '    ) as r '
                '    where s.line = r.line and r.id is not null and not exists (select 1 from %3$s as t where t.id = '
                    'r.id) '
                '        and not exists (select 1 from %1$s as o where o.document ->> ''id'' = r.id) '
                '    returning s.line, s.document, s.kept, r.id '
                '), said as ('
                '    insert into pg_temp.hacs_refused '
                '    select l.line, %5$L, l.document ->> ''id'', ''23503'', %4$L, %6$L, format(%7$L, l.id), '
                '        hacs_core.written(l.document, coalesce(l.kept, ''{}'')) from lost as l '
                ') select array_agg(l.document ->> ''id'') from lost as l',
                (s).part, f.reference, (s).target, f.field, (s).resource_type, f.conname,
                format('%s.%s refers to %s/%%s, which is not here', (s).resource_type, f.field, (s).resource_type)
            )
            into lost;
            if lost is not null then
                ids := ids || lost;
                found_one := true;
            end if;
        end loop;
    end loop;
    return ids;
end
$$;
comment on function hacs_core.sift_circular(hacs_core.staging) is
    'Takes out of the staged documents of a type those that refer to one of the type that is nowhere; gives their ids';

create or replace function hacs_core.stop_at_refused()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    first record;
    fault hacs_core.fault;
begin
    select * into first from pg_temp.hacs_refused as r order by r.line limit 1;
    if found then
        fault.code := first.code;
        fault.message := format(
            'line %s%s: %s', first.line / 1000000, ', entry ' || nullif(first.line % 1000000, 0), first.message
        );
        fault.column_name := first.field;
        fault.constraint_name := first.rule;
        fault := hacs_core.raise_fault(fault);
    end if;
end
$$;
comment on function hacs_core.stop_at_refused() is
    'Raises an error about the first document that put_staged refused, if there is one';

create or replace function hacs_core.put_staged(
    on_conflict text default 'fail', stop boolean default true, batch integer default 2000,
        substitute boolean default true
)
returns table (resource_type text, documents bigint, stored bigint, kept bigint, refused bigint)
language plpgsql
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set extra_float_digits = 1
set client_min_messages = warning
-- What the audit's triggers are given of a batch goes to a file beyond this: else the memory of the session grows with
-- the number of batches.
set work_mem = '64kB'
as $$
declare
    d record;
    s hacs_core.staging;
    before bigint;
    first bigint;
    last bigint;
    put_rows bigint;
    circular text;
    lost text[];
    refused_before bigint;
begin
    if on_conflict <> all ('{fail, keep, replace}') then
        raise exception 'on_conflict is fail, keep or replace, not %', on_conflict
            using errcode = 'invalid_parameter_value';
    end if;
    perform hacs_core.unfold_staged(substitute);
    if stop then
        perform hacs_core.stop_at_refused();
    end if;
    for d in
        select o.resource_type, o.target, o.rank from hacs_core.document_order() as o
        union all select null, null, 1000
        order by 3, 1
    loop
        s := hacs_core.staging_of(d.resource_type, d.target, on_conflict);
        execute format('select count(*) from %s', (s).part) into documents;
        continue when documents = 0;
        resource_type := coalesce(d.resource_type, 'other');
        stored := 0;
        select count(*) into refused_before from pg_temp.hacs_refused;
        execute format('create index on %s (line)', (s).part);
        -- What refers to its own kind may refer to a later line.
        select string_agg(format('%I.%I', n.nspname, c.conname), ', ') into circular
        from pg_constraint as c
        join pg_namespace as n on n.oid = c.connamespace
        where c.contype = 'f' and c.conrelid = d.target and c.confrelid = d.target;
        if circular is not null then
            execute format('create index on %s ((document ->> ''id''))', (s).part);
            execute format('analyze %s (line)', (s).part);
            execute format('set constraints %s deferred', circular);
            lost := hacs_core.sift_circular(s);
        else
            execute format('analyze %s (line)', (s).part);
        end if;
        before := -1;
        loop
            execute format(
                'select min(l.line), max(l.line) from (select p.line from %s as p where p.line > $1 order by p.line '
                    'limit $2) as l', (s).part
            )
            into first, last using before, batch;
            exit when first is null;
            before := last;
            begin
                execute (s).batch using first, last;
                get diagnostics put_rows = row_count;
            exception
                when data_exception or integrity_constraint_violation or cardinality_violation or program_limit_exceeded
                    or serialization_failure or raise_exception
                then
                    if (s).checker is not null then
                        perform hacs_core.sift_lines(s, first, last);
                    end if;
                    put_rows := hacs_core.put_lines(s, first, last);
            end;
            stored := stored + put_rows;
            if stop then
                perform hacs_core.stop_at_refused();
            end if;
        end loop;
        if circular is not null then
            -- one that was refused after all may be referred to by one that was stored
            lost := hacs_core.sift_circular(s);
            if lost <> '{}' then
                if on_conflict = 'replace' then
                    perform hacs_core.stop_at_refused();
                end if;
                execute format('delete from %s as t where t.id = any ($1)', d.target) using lost;
                stored := stored - cardinality(lost);
            end if;
            execute format('set constraints %s immediate', circular);
        end if;
        update pg_temp.hacs_refused as r set message = replace(r.message, ', which is not here', ', which was refused')
        from pg_temp.hacs_refused as o
        where r.code = '23503' and r.message = format(
            '%s.%s refers to %s/%s, which is not here', r.resource_type, r.field, o.resource_type, o.id
        );
        select count(*) - refused_before into refused from pg_temp.hacs_refused;
        kept := documents - stored - refused;
        return next;
    end loop;
    if stop then
        perform hacs_core.stop_at_refused();
    end if;
end
$$;
comment on function hacs_core.put_staged(text, boolean, integer, boolean) is
    'Puts what was copied into pg_temp.hacs_staged, one row for each type; what is refused stands in '
    'pg_temp.hacs_refused, or stops it';

create or replace function hacs_core.write_documents(target regclass)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    putter constant text := hacs_core.document_putter(target);
    checker constant text := replace(putter, 'put_', 'check_');
    adder constant text := replace(putter, 'put_', 'add_');
    x hacs_core.reading;
begin
    if hacs_core.document_type(target) is null then
        raise exception '% holds no documents', target
            using hint = 'Its column resource_type needs a default: the one type that it holds.';
    end if;
    x := hacs_core.document_reading(target);
    execute format(
        'create or replace function %s(document jsonb, kept jsonb, if_version bigint, owner text, place integer, '
        'out stored_id text, out stored_version bigint, out is_new boolean, out is_changed boolean) '
        'language plpgsql set search_path = pg_catalog, pg_temp as %L',
        putter, hacs_core.generated_body(hacs_core.putter_source(target, x))
    );
    execute format(
        'create or replace function %s(new_id text, document jsonb, kept jsonb) returns bigint '
        'language plpgsql set search_path = pg_catalog, pg_temp as %L',
        adder, hacs_core.generated_body(hacs_core.adder_source(target, x))
    );
    execute format(
        'create or replace function %s(inout document jsonb, out fault hacs_core.fault) '
        'language plpgsql stable set search_path = pg_catalog, pg_temp set timezone = ''UTC'' set extra_float_digits '
            '= 1 as %L',
        checker, hacs_core.generated_body(hacs_core.checker_source(target, x))
    );
    execute format('comment on function %s is %L', putter, format('Stores a document in %s; called by put', target));
    execute format('comment on function %s is %L', adder,
        format('Stores a document in %s where none has its id, and says its version; called by put', target));
    execute format('comment on function %s is %L', checker,
        format('What a document breaks of the rules of %s', target));
    execute format('revoke all on function %s, %s, %s from public', putter, adder, checker);
end
$$;
comment on function hacs_core.write_documents(regclass) is
    'Writes the functions that store the documents of a table, and say what they break';

create or replace function hacs_core.attach_documents(target regclass)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform hacs_core.write_documents(target);
    perform hacs_core.choose_documents();
end
$$;
comment on function hacs_core.attach_documents(regclass) is
    'Lets put, get and the others know a table of documents; anew after its columns changed';

-- One row for each table of documents. A column or rule that was changed since makes its functions "altered".
create or replace view hacs_core.document_coverage as
select
    n.nspname::text as schema_name,
    c.relname::text as table_name,
    d.resource_type,
    case
        when p.oid is null or pg_catalog.strpos(choice.prosrc,
            pg_catalog.format('resource_type = %L then', d.resource_type)) = 0 then 'missing'
        when p.prosrc <> hacs_core.generated_body(hacs_core.putter_source(d.target, x::hacs_core.reading))
            or a.prosrc is distinct from hacs_core.generated_body(hacs_core.adder_source(d.target,
                x::hacs_core.reading))
            or k.prosrc is distinct from hacs_core.generated_body(hacs_core.checker_source(d.target,
                x::hacs_core.reading)) then 'altered'
        else 'complete'
    end as documents
from hacs_core.document_tables() as d
join pg_catalog.pg_class as c on c.oid = d.target
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
cross join lateral hacs_core.document_reading(d.target) as x
left join pg_catalog.pg_proc as p
    on p.oid = pg_catalog.to_regprocedure(hacs_core.document_putter(d.target)
        || '(jsonb, jsonb, bigint, text, integer)')
left join pg_catalog.pg_proc as a
    on a.oid = pg_catalog.to_regprocedure(replace(hacs_core.document_putter(d.target), 'put_', 'add_')
        || '(text, jsonb, jsonb)')
left join pg_catalog.pg_proc as k
    on k.oid = pg_catalog.to_regprocedure(replace(hacs_core.document_putter(d.target), 'put_', 'check_') || '(jsonb)')
left join pg_catalog.pg_proc as choice
    on choice.oid = pg_catalog.to_regprocedure('hacs_core.put_document(text, jsonb, jsonb, bigint, boolean)');

comment on view hacs_core.document_coverage is
    'One row is one table of documents, and whether put and get know it as it is now';
comment on column hacs_core.document_coverage.schema_name is 'Schema of the table';
comment on column hacs_core.document_coverage.table_name is 'Name of the table';
comment on column hacs_core.document_coverage.resource_type is 'Type of its documents';
comment on column hacs_core.document_coverage.documents is
    'complete, missing, or altered; hacs_core.attach_documents mends it';

-------------------------------------------------------------------------------------------------------------------
-- The way out: one statement for each type, in an order in which the documents can be read again.
-------------------------------------------------------------------------------------------------------------------

-- The records of a patient, and all that they refer to: without that they could not be read elsewhere.
create or replace function hacs_core.documents_of_patient(patient text)
returns table (target regclass, ids text[])
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    f record;
    more text[];
    known jsonb := jsonb_build_object('hacs_core.patients', jsonb_build_array(patient));
    grown boolean := true;
begin
    for f in
        select c.conrelid::regclass as part, a.attname from pg_constraint as c
        join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
        where c.contype = 'f' and c.confrelid = 'hacs_core.patients'::regclass
            and hacs_core.document_type(c.conrelid::regclass) is not null
    loop
        execute format('select array_agg(t.id) from %s as t where t.%I = $1', f.part, f.attname) into more
            using patient;
        known := known || jsonb_build_object(f.part::text, to_jsonb(array(
            select jsonb_array_elements_text(coalesce(known -> f.part::text, '[]')) union select unnest(more)
        )));
    end loop;
    while grown loop
        grown := false;
        for f in
            select c.conrelid::regclass as part, a.attname, c.confrelid::regclass as whole from pg_constraint as c
            join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
            where c.contype = 'f' and c.confdeltype <> 'c' and hacs_core.document_type(c.conrelid::regclass) is not null
        loop
            continue when not known ? f.part::text;
            execute format('select array_agg(distinct t.%I) from %s as t where t.id = any ($1) and t.%1$I is not null',
                f.attname, f.part)
                into more using array(select jsonb_array_elements_text(known -> f.part::text));
            more := array(
                select unnest(more) except select jsonb_array_elements_text(coalesce(known -> f.whole::text, '[]'))
            );
            if more <> '{}' then
                grown := true;
                known := known || jsonb_build_object(f.whole::text, coalesce(known -> f.whole::text, '[]')
                    || to_jsonb(more));
            end if;
        end loop;
    end loop;
    return query select k.key::regclass, array(select jsonb_array_elements_text(k.value)) from jsonb_each(known) as k;
end
$$;
comment on function hacs_core.documents_of_patient(text) is
    'The ids of the documents of a patient and of all to which they refer, by table';

create or replace function hacs_core.export_statements(
    types text[] default null, patient text default null, since timestamptz default null
)
returns table (resource_type text, statement text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    unknown text;
    resource_filter text;
begin
    select t into unknown from unnest(types) as t where t !~ '^[A-Z][A-Za-z0-9]{0,63}$' limit 1;
    if unknown is not null then
        raise exception '% is no type of a document', hacs_core.described(to_jsonb(unknown))
            using errcode = 'invalid_parameter_value';
    end if;
    return query
        select s.resource_type, s.statement
        from (
            select o.resource_type, format(
                'select %s from %s as t%s where true%s%s%s', hacs_core.document_expression(o.target), o.target,
                hacs_core.document_whole(o.target),
                case when o.resource_type <> all (types) then ' and t.extra ? ''hacs:generation''' else '' end,
                case when patient is not null then format(' and t.id = any (%L::text[])', p.ids) else '' end,
                case when since is not null then format(' and t.updated_at > %L::timestamptz', since) else '' end
            ) as statement, o.rank
            from hacs_core.document_order() as o
            left join hacs_core.documents_of_patient(patient) as p on p.target = o.target
            where (types is null or o.resource_type = any (types || array(
                select l.resource_type from hacs_core.later_signs() as l where l.later_type = any (types)
            ))) and (patient is null or p.ids is not null)
                -- parts stand in the documents of their wholes
                and (not exists (select 1 from hacs_core.document_owner(o.target)) or o.resource_type = any (types))
            union all
            select o.resource_type, format(
                'select %s from %s as t%s where t.extra ? ''hacs:generation'' and exists ('
                'select 1 from %s as w where w.id = t.%I and w.extra ? ''hacs:generation'')%s%s',
                hacs_core.document_expression(o.target), o.target, hacs_core.document_whole(o.target), w.whole,
                w.owner_column,
                case when patient is not null then format(' and t.%I = any (%L::text[])', w.owner_column, p.ids)
                    else '' end,
                case when since is not null then format(' and t.updated_at > %L::timestamptz', since) else '' end
            ), o.rank
            from hacs_core.document_order() as o
            -- but for those of the later form that came by themselves
            cross join lateral hacs_core.document_owner(o.target) as w
            left join hacs_core.documents_of_patient(patient) as p on p.target = w.whole
            where (types is null or w.whole in (select d.target from hacs_core.document_tables() as d
                where d.resource_type = any (types))
                and o.resource_type <> all (types)) and (patient is null or p.ids is not null)
        ) as s
        order by s.rank, s.resource_type;
    if patient is not null then
        if not exists (
            select 1 from pg_attribute as a where a.attrelid = 'hacs_core.resources'::regclass
                and a.attname = 'patient_id'
        ) then
            return;
        end if;
        resource_filter := format(' and t.patient_id = %L', patient);
    end if;
    return query
        select 'other', concat(
            'select t.data from hacs_core.resources as t where true', resource_filter,
            case when types is not null then format(' and t.resource_type = any (%L::text[])', types) end,
            case when since is not null then format(' and t.updated_at > %L::timestamptz', since) end
        );
end
$$;
comment on function hacs_core.export_statements(text[], text, timestamptz) is
    'The statements of an export, in the order in which their documents can be read again';

do $$
begin
    perform hacs_core.write_documents(d.target) from hacs_core.document_tables() as d;
    perform hacs_core.choose_documents();
end
$$;

comment on function hacs_core.put(jsonb, bigint, boolean) is
    'Stores a whole document, in place of the one that was there; refuses it where that has another version than '
    'if_version, 0 for none; substitute: whether something stands for what a later form does not say and a rule asks';
comment on function hacs_core.get(text, text, text) is
    'The document of a type and id in the form in which it was put, or with generation 0.3 in that; null where there '
    'is none';
comment on function hacs_core.remove(text, text, bigint) is
    'Deletes a document, and says whether there was one; refuses it where it has another version than if_version';
comment on function hacs_core.put_document(text, jsonb, jsonb, bigint, boolean) is
    'Stores a document of a type, without words for a caller; called by put_all and others';
comment on function hacs_core.lock_version(text, text) is
    'Locks a document until the transaction ends, and says its version';

-- For the end of a file that makes functions: as in V8, nobody may call what is no pure helper until it is granted.
create or replace function hacs_core.keep_functions()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    function regprocedure;
begin
    for function in
        select p.oid
        from pg_proc as p
        where p.pronamespace = 'hacs_core'::regnamespace and p.provolatile <> 'i'
    loop
        execute format('revoke all on function %s from public', function);
    end loop;
end
$$;
comment on function hacs_core.keep_functions() is
    'Takes from everybody the right to call the functions of this schema, but for the pure ones';

select hacs_core.keep_functions();
