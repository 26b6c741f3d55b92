-- Generations of documents: since 0.3.1, HACS's models write other documents of the same types; here they are called
-- the later form. A document is told by its keys. What its keys say goes into the columns of the table; what has no
-- column, or would not come back from it exactly, stays in extra under its own name, with a mark beside it. So each
-- document is given back in the form in which it came, and what was changed in a column since is in it.
--
-- For each form there are two functions: later_columns_… makes fields of 0.3 of a document, later_document_… goes
-- back. They need no proof field by field: what does not come back is kept.

-------------------------------------------------------------------------------------------------------------------
-- Values on their way into columns (later_…) and back (former_…). Whatever is of another kind than is expected
-- passes as it is, so that the rules of the column say what they think of it.
-------------------------------------------------------------------------------------------------------------------

create or replace function hacs_core.later_instant(value jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    moment constant timestamp := case when jsonb_typeof(value) = 'string' then hacs_core.instant(value #>> '{}') end;
begin
    return case when moment is null then value else to_jsonb((to_jsonb(moment) #>> '{}') || '+00:00') end;
end
$$;
comment on function hacs_core.later_instant(jsonb) is 'A time as a column gives it back: in UTC';

-- Free text is no time, and nobody guesses a day: 2025-03 and last Tuesday are null.
create or replace function hacs_core.later_instant_text(value jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return case when jsonb_typeof(value) = 'string' and hacs_core.instant(value #>> '{}') is null then null
        else hacs_core.later_instant(value) end;
end
$$;
comment on function hacs_core.later_instant_text(jsonb) is
    'A text that is a full time or day, in UTC; another text is null';

create or replace function hacs_core.later_date_text(value jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return case when jsonb_typeof(value) <> 'string' then value
        when value #>> '{}' ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' and hacs_core.instant(value #>> '{}') is not null
            then value end;
end
$$;
comment on function hacs_core.later_date_text(jsonb) is 'A text that is a full day; another text is null';

create or replace function hacs_core.later_day(value jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return case when jsonb_typeof(value) = 'string' and hacs_core.instant(value #>> '{}') is not null
        then to_jsonb(left(hacs_core.later_instant(value) #>> '{}', 10)) else value end;
end
$$;
comment on function hacs_core.later_day(jsonb) is 'The day of a time or day';

create or replace function hacs_core.later_lines(list jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(list) is distinct from 'array' then
        return list;
    end if;
    return (
        select to_jsonb(string_agg(case jsonb_typeof(e.value) when 'string' then e.value #>> '{}'
            else e.value::text end, e'\n' order by e.place))
        from jsonb_array_elements(list) with ordinality as e (value, place)
    );
end
$$;
comment on function hacs_core.later_lines(jsonb) is 'A list of texts as one text, a line for each';

create or replace function hacs_core.former_instant(value jsonb)
returns jsonb
language sql immutable parallel safe
return to_jsonb(replace(value #>> '{}', '+00:00', 'Z'));
comment on function hacs_core.former_instant(jsonb) is 'A time of a column, in UTC, written with Z';

create or replace function hacs_core.former_day(value jsonb)
returns jsonb
language sql immutable parallel safe
return to_jsonb(replace(regexp_replace(value #>> '{}', 'T00:00:00\+00:00$', ''), '+00:00', 'Z'));
comment on function hacs_core.former_day(jsonb) is 'A time of a column: the day alone, where it is midnight in UTC';

create or replace function hacs_core.later_number(value jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
set extra_float_digits = 1
as $$
begin
    return case when jsonb_typeof(value) = 'number' and abs(value::numeric) < 1e300
        and (abs(value::numeric) > 1e-300 or value = '0')
        then to_jsonb(value::double precision) else value end;
end
$$;
comment on function hacs_core.later_number(jsonb) is 'A number as a column of 64 bits gives it back';

-- A text becomes an object with the one key, as a reference or a concept has it.
create or replace function hacs_core.later_object(value jsonb, key text)
returns jsonb
language sql immutable parallel safe
return case when jsonb_typeof(value) = 'string' then jsonb_build_object(key, value) else value end;
comment on function hacs_core.later_object(jsonb, text) is
    'A text as an object with the one key; anything else as it is';

create or replace function hacs_core.former_object(value jsonb, key text)
returns jsonb
language sql immutable parallel safe
return case when jsonb_typeof(value -> key) = 'string' then value -> key else value end;
comment on function hacs_core.former_object(jsonb, text) is
    'The text of an object with the key; anything else as it is';

create or replace function hacs_core.later_objects(value jsonb, key text)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(value) is distinct from 'array' or value = '[]' then
        return value;
    end if;
    return (
        select jsonb_agg(hacs_core.later_object(e.value, key) order by e.place)
        from jsonb_array_elements(value) with ordinality as e (value, place)
    );
end
$$;
comment on function hacs_core.later_objects(jsonb, text) is 'A list of texts as a list of objects with the one key';

create or replace function hacs_core.former_objects(value jsonb, key text)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(value) is distinct from 'array' or value = '[]' then
        return value;
    end if;
    return (
        select jsonb_agg(hacs_core.former_object(e.value, key) order by e.place)
        from jsonb_array_elements(value) with ordinality as e (value, place)
    );
end
$$;
comment on function hacs_core.former_objects(jsonb, text) is 'A list of objects as the list of their texts';

create or replace function hacs_core.later_object_in_list(value jsonb, key text)
returns jsonb
language sql immutable parallel safe
return case when jsonb_typeof(value) = 'string' then jsonb_build_array(jsonb_build_object(key, value)) else value end;
comment on function hacs_core.later_object_in_list(jsonb, text) is 'A text as a list of one object with the one key';

create or replace function hacs_core.former_object_in_list(value jsonb, key text)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return case
        when jsonb_typeof(value) is distinct from 'array' then value
        else (
            select to_jsonb(string_agg(coalesce(e.value ->> key, e.value::text), e'\n' order by e.place))
            from jsonb_array_elements(value) with ordinality as e (value, place)
        )
    end;
end
$$;
comment on function hacs_core.former_object_in_list(jsonb, text) is 'The texts of a list of objects as one text';

create or replace function hacs_core.later_concept_references(concepts jsonb, refs jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(coalesce(nullif(concepts, 'null'), '[]')) <> 'array' then
        return concepts;
    elsif jsonb_typeof(coalesce(nullif(refs, 'null'), '[]')) <> 'array' then
        return refs;
    elsif coalesce(nullif(concepts, 'null'), nullif(refs, 'null')) is null then
        return null;
    end if;
    return coalesce((
        select jsonb_agg(jsonb_build_object('concept', e.value) order by e.place)
        from jsonb_array_elements(nullif(concepts, 'null')) with ordinality as e (value, place)
    ), '[]') || coalesce(hacs_core.later_text_references(nullif(refs, 'null')), '[]');
end
$$;
comment on function hacs_core.later_concept_references(jsonb, jsonb) is
    'Concepts and references in one list, each as a CodeableReference';

create or replace function hacs_core.former_concepts(value jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(value) is distinct from 'array' then
        return value;
    end if;
    return coalesce((
        select jsonb_agg(e.value -> 'concept' order by e.place)
        from jsonb_array_elements(value) with ordinality as e (value, place) where e.value ? 'concept'
    ), '[]');
end
$$;
comment on function hacs_core.former_concepts(jsonb) is 'The concepts in a list of CodeableReferences';

create or replace function hacs_core.later_text_references(value jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(value) is distinct from 'array' or value = '[]' then
        return value;
    end if;
    return (
        select jsonb_agg(jsonb_build_object('reference', hacs_core.later_object(e.value, 'reference')) order by e.place)
        from jsonb_array_elements(value) with ordinality as e (value, place)
    );
end
$$;
comment on function hacs_core.later_text_references(jsonb) is 'A list of texts as a list of CodeableReferences';

create or replace function hacs_core.former_text_references(value jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(value) is distinct from 'array' then
        return value;
    end if;
    return coalesce((
        select jsonb_agg(hacs_core.former_object(e.value -> 'reference', 'reference') order by e.place)
        from jsonb_array_elements(value) with ordinality as e (value, place) where e.value ? 'reference'
    ), '[]');
end
$$;
comment on function hacs_core.former_text_references(jsonb) is
    'The references in a list of CodeableReferences, as texts';

-- The first of a concept's codes that the column knows; the concept stays in extra.
create or replace function hacs_core.later_code(concept jsonb, allowed text[])
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(concept) is distinct from 'object' then
        return concept;
    elsif jsonb_typeof(concept -> 'coding') is distinct from 'array' then
        return null;
    end if;
    return (
        select e.value -> 'code'
        from jsonb_array_elements(concept -> 'coding') with ordinality as e (value, place)
        where e.value ->> 'code' = any (allowed)
        order by e.place
        limit 1
    );
end
$$;
comment on function hacs_core.later_code(jsonb, text[]) is 'The first code of a concept that is among the allowed ones';

create or replace function hacs_core.former_code(value jsonb)
returns jsonb
language sql immutable parallel safe
return case when jsonb_typeof(value) = 'string'
    then jsonb_build_object('coding', jsonb_build_array(jsonb_build_object('code', value)))
    else value end;
comment on function hacs_core.former_code(jsonb) is 'A code as a concept';

-- other: the column's words for values that it does not have. Null without it: the value as it is, for its rule to
-- refuse.
create or replace function hacs_core.later_value(value jsonb, allowed text[], other jsonb, substitute jsonb,
    is_null boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return case
        when value is null or value = 'null' then case when is_null then substitute end
        when jsonb_typeof(value) <> 'string' or value #>> '{}' = any (allowed) then value
        when other ? lower(value #>> '{}') then other -> lower(value #>> '{}')
        else coalesce(substitute, value)
    end;
end
$$;
comment on function hacs_core.later_value(jsonb, text[], jsonb, jsonb, boolean) is
    'A value of a set, its other name there, or what stands for what the set does not have, and for null where it may '
    'not be';

create or replace function hacs_core.later_period(first jsonb, last jsonb)
returns jsonb
language sql immutable parallel safe
return nullif(jsonb_strip_nulls(jsonb_build_object('start', first, 'end', last)), '{}');
comment on function hacs_core.later_period(jsonb, jsonb) is 'A period of its two ends; null without either';

-------------------------------------------------------------------------------------------------------------------
-- Values that take more than one step.
-------------------------------------------------------------------------------------------------------------------

-- A map of texts, as 0.3 has types and purposes.
create or replace function hacs_core.later_concept_texts(concept jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    texts jsonb;
begin
    if jsonb_typeof(concept) is distinct from 'object' then
        return concept;
    end if;
    select jsonb_object_agg(k.key, concept #> array['coding', '0', k.key]) into texts
    from unnest('{code, display, system}'::text[]) as k (key)
    where jsonb_typeof(concept #> array['coding', '0', k.key]) = 'string';
    return coalesce(texts, case when jsonb_typeof(concept -> 'text') = 'string'
        then jsonb_build_object('text', concept -> 'text') end, '{}');
end
$$;
comment on function hacs_core.later_concept_texts(jsonb) is
    'Code, display and system of the first coding of a concept, or its text';

create or replace function hacs_core.former_concept_texts(texts jsonb)
returns jsonb
language sql immutable parallel safe
return case when jsonb_typeof(texts) is distinct from 'object' then texts
    when texts ? 'code' or texts ? 'display' then jsonb_build_object('coding', jsonb_build_array(texts)) else texts end;
comment on function hacs_core.former_concept_texts(jsonb) is 'A concept of a map of texts';

-- In a list: each element by the function whose name begins with later_ or former_.
create or replace function hacs_core.later_each(list jsonb, part text, substitute boolean default true)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(list) is distinct from 'array' or list = '[]' then
        return list;
    end if;
    return (
        select jsonb_agg(case
            when part = 'type' then hacs_core.later_concept_texts(e.value)
            when part = 'former type' then hacs_core.former_concept_texts(e.value)
            when jsonb_typeof(e.value) <> 'object' then e.value
            when part = 'former contact' then hacs_core.later_document('OrganizationContact', e.value, '{}')
            when part = 'participant' then hacs_core.later_participant(e.value)
            when part = 'former participant' then hacs_core.former_participant(e.value)
            when part = 'stage' then hacs_core.later_stage(e.value)
            when part = 'former stage' then hacs_core.former_stage(e.value)
            when part = 'performer' then hacs_core.later_performer(e.value, substitute)
            when part = 'former performer' then e.value
                || jsonb_strip_nulls(jsonb_build_object('actor',
                    hacs_core.former_object(e.value -> 'actor', 'reference'),
                    'on_behalf_of', hacs_core.former_object(e.value -> 'on_behalf_of', 'reference')))
            when part = 'device' then e.value
                || jsonb_strip_nulls(jsonb_build_object('manipulated',
                    hacs_core.later_object(e.value -> 'manipulated', 'reference')))
            when part = 'former device' then e.value
                || jsonb_strip_nulls(jsonb_build_object('manipulated',
                    hacs_core.former_object(e.value -> 'manipulated', 'reference')))
            when part = 'reaction' then hacs_core.later_reaction(e.value)
            when part = 'former reaction' then e.value
                || jsonb_build_object('note', hacs_core.former_object_in_list(e.value -> 'note', 'text'))
            when part = 'action' then hacs_core.later_action(e.value)
            when part = 'former action' then e.value
                || jsonb_build_object('participant', hacs_core.former_objects(e.value -> 'participant', 'text'))
                || case when e.value ? 'action'
                    then jsonb_build_object('action', hacs_core.later_each(e.value -> 'action', 'former action'))
                        else '{}' end
            else e.value
        end order by e.place)
        from jsonb_array_elements(list) with ordinality as e (value, place)
    );
end
$$;
comment on function hacs_core.later_each(jsonb, text, boolean) is
    'A list of nested parts, each in the form of the other generation';

-- Of two contacts with one id, the second has that of its place.
create or replace function hacs_core.later_contacts(list jsonb, substitute boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(list) is distinct from 'array' or list = '[]' then
        return list;
    end if;
    return (
        select jsonb_agg(case
            when jsonb_typeof(e.value) <> 'object' then e.value
            when e.again > 1 then hacs_core.later_columns('OrganizationContact', e.value, substitute) - 'id'
            else hacs_core.later_columns('OrganizationContact', e.value, substitute)
        end order by e.place)
        from (
            select c.value, c.place, row_number() over (partition by c.value -> 'id' order by c.place) as again
            from jsonb_array_elements(list) with ordinality as c (value, place)
        ) as e
    );
end
$$;
comment on function hacs_core.later_contacts(jsonb, boolean) is 'The contacts of an organization, in the form of 0.3';

create or replace function hacs_core.later_participant(part jsonb)
returns jsonb
language sql immutable parallel safe
return part - 'type_' || case when coalesce(part -> 'type_', 'null') in ('null', '[]') then '{}'
    else jsonb_build_object('type', hacs_core.later_objects(part -> 'type_', 'text')) end;
comment on function hacs_core.later_participant(jsonb) is 'A participant of an encounter: its types are concepts';

create or replace function hacs_core.former_participant(part jsonb)
returns jsonb
language sql immutable parallel safe
return part - 'type' || jsonb_build_object('type_', coalesce(hacs_core.former_objects(part -> 'type', 'text'), '[]'));
comment on function hacs_core.former_participant(jsonb) is 'A participant of an encounter: its types are texts';

create or replace function hacs_core.later_stage(part jsonb)
returns jsonb
language sql immutable parallel safe
return part - '{stage_summary, type_, assessment}'::text[]
    || case when jsonb_typeof(part -> 'stage_summary') <> 'null'
        then jsonb_build_object('summary', part -> 'stage_summary') else '{}' end
    || case when jsonb_typeof(part -> 'type_') <> 'null' then jsonb_build_object('type', part -> 'type_') else '{}' end
    || case when coalesce(part -> 'assessment', 'null') in ('null', '[]') then '{}'
        else jsonb_build_object('assessment', hacs_core.later_objects(part -> 'assessment', 'reference')) end;
comment on function hacs_core.later_stage(jsonb) is 'A stage of a condition, with the names of 0.3';

create or replace function hacs_core.former_stage(part jsonb)
returns jsonb
language sql immutable parallel safe
return part - '{summary, type}'::text[] || jsonb_build_object(
    'stage_summary', part -> 'summary', 'type_', part -> 'type',
    'assessment', coalesce(hacs_core.former_objects(part -> 'assessment', 'reference'), '[]')
);
comment on function hacs_core.former_stage(jsonb) is 'A stage of a condition, with the names of 0.4';

-- R5 forbids with prc-1 what R4 and 0.4 ask for: that a practitioner says for whom.
create or replace function hacs_core.later_performer(part jsonb, substitute boolean)
returns jsonb
language sql immutable parallel safe
return case when substitute and part ->> 'actor' ~ '(^|/)Practitioner(Role)?/'
    then part - '{on_behalf_of, onBehalfOf}'::text[] else part end
    || jsonb_strip_nulls(jsonb_build_object(
        'actor', hacs_core.later_object(part -> 'actor', 'reference'),
        'on_behalf_of', case when not substitute or coalesce(part ->> 'actor', '') !~ '(^|/)Practitioner(Role)?/'
            then hacs_core.later_object(part -> 'on_behalf_of', 'reference') end
    ));
comment on function hacs_core.later_performer(jsonb, boolean) is 'Who performs a procedure, by references';

create or replace function hacs_core.later_reaction(part jsonb)
returns jsonb
language sql immutable parallel safe
return part || jsonb_build_object('note',
    coalesce(nullif(hacs_core.later_object_in_list(part -> 'note', 'text'), 'null'), '[]'))
    || case when part ? 'onset' then jsonb_build_object('onset', hacs_core.later_instant_text(part -> 'onset'))
        else '{}' end;
comment on function hacs_core.later_reaction(jsonb) is 'A reaction: its note is a list, its onset a time';

create or replace function hacs_core.later_action(part jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    made jsonb := part;
    key text;
    allowed constant jsonb := '{
        "selection_behavior": ["any", "all", "all-or-none", "exactly-one", "at-most-one", "one-or-more"],
        "required_behavior": ["must", "could", "must-unless-documented"],
        "precheck_behavior": ["yes", "no"], "cardinality_behavior": ["single", "multiple"]
    }';
begin
    if jsonb_typeof(made -> 'code') = 'string' then
        made := made - 'code';
    end if;
    for key in select jsonb_object_keys(allowed) loop
        if jsonb_typeof(made -> key) = 'string' and not allowed -> key ? (made ->> key) then
            made := made - key;
        end if;
    end loop;
    for key in
        select k from unnest('{condition, input, output, related_action, participant, dynamic_value,
            action}'::text[]) as k
        where made -> k = 'null'
    loop
        made := made || jsonb_build_object(key, jsonb '[]');
    end loop;
    if made ? 'participant' then
        made := made || jsonb_build_object('participant', hacs_core.later_objects(made -> 'participant', 'text'));
    end if;
    if made ? 'action' then
        made := made || jsonb_build_object('action', hacs_core.later_each(made -> 'action', 'action'));
    end if;
    return made;
end
$$;
comment on function hacs_core.later_action(jsonb) is
    'An action of a plan and its own actions, without what 0.3 does not have';

create or replace function hacs_core.later_evidence(list jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(list) is distinct from 'array' or list = '[]' then
        return list;
    end if;
    return coalesce((
        select jsonb_agg(x.made order by e.place, x.kind, x.place)
        from jsonb_array_elements(list) with ordinality as e (value, place)
        cross join lateral (
            select 1 as kind, c.place, jsonb_build_object('concept', c.value) as made
            from jsonb_array_elements(case when jsonb_typeof(e.value -> 'code') = 'array' then e.value -> 'code' end)
                with ordinality as c (value, place)
            union all
            select 2, d.place, jsonb_build_object('reference', hacs_core.later_object(d.value, 'reference'))
            from jsonb_array_elements(case when jsonb_typeof(e.value -> 'detail') = 'array'
                then e.value -> 'detail' end)
                with ordinality as d (value, place)
        ) as x
    ), '[]');
end
$$;
comment on function hacs_core.later_evidence(jsonb) is 'The evidence of a condition as CodeableReferences';

create or replace function hacs_core.former_evidence(list jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(list) is distinct from 'array' or list = '[]' then
        return list;
    end if;
    return jsonb_build_array(jsonb_build_object(
        'code', hacs_core.former_concepts(list), 'detail', hacs_core.former_text_references(list)
    ));
end
$$;
comment on function hacs_core.former_evidence(jsonb) is 'CodeableReferences as one piece of evidence';

-- What the first element with the system says; phones, and what an organization has beside them.
create or replace function hacs_core.later_telecom(list jsonb, system text, holding text default '')
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(list) is distinct from 'array' or list = '[]' then
        return case when jsonb_typeof(list) = 'array' then null else list end;
    end if;
    return (
        select e.value -> 'value'
        from jsonb_array_elements(list) with ordinality as e (value, place)
        where e.value ->> 'system' = system and e.value ->> 'value' is not null
            and strpos(e.value ->> 'value', holding) > 0
        order by e.place
        limit 1
    );
end
$$;
comment on function hacs_core.later_telecom(jsonb, text, text) is
    'The first value with a system in a list of contact points';

-- The value of the first element with the system is replaced; a new one is added; without a value it goes.
create or replace function hacs_core.former_telecom(list jsonb, system text, holding text, value jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    place integer;
begin
    list := case when jsonb_typeof(list) = 'array' then list else '[]' end;
    select e.place - 1 into place
    from jsonb_array_elements(list) with ordinality as e (value, place)
    where e.value ->> 'system' = system and e.value ->> 'value' is not null and strpos(e.value ->> 'value', holding) > 0
    order by e.place
    limit 1;
    return case
        when value is null or value = 'null' then case when place is null then list else list - place end
        when place is null then list || jsonb_build_object('system', system, 'value', value)
        else jsonb_set(list, array[place::text, 'value'], value)
    end;
end
$$;
comment on function hacs_core.former_telecom(jsonb, text, text, jsonb) is
    'Contact points of which the first with a system has the value';

create or replace function hacs_core.former_address(address jsonb, columns jsonb)
returns jsonb
language sql immutable parallel safe
return case when jsonb_typeof(address) is distinct from 'object'
    and columns ->> 'city' is null and columns ->> 'state' is null and columns ->> 'postal_code' is null
        and columns ->> 'country' is null
    and coalesce(columns -> 'address_line', 'null') in ('null', '[]') then null
    else case when jsonb_typeof(address) = 'object' then address else '{}' end || jsonb_build_object(
        'line', columns -> 'address_line', 'city', columns -> 'city', 'state', columns -> 'state',
        'postal_code', columns -> 'postal_code', 'country', columns -> 'country'
    ) end;
comment on function hacs_core.former_address(jsonb, jsonb) is 'An address with the parts that the columns say';

create or replace function hacs_core.former_addresses(list jsonb, columns jsonb)
returns jsonb
language sql immutable parallel safe
return jsonb_path_query_array(jsonb_build_array(hacs_core.former_address(list -> 0, columns)), '$[*] ? (@ != null)')
    || case when jsonb_typeof(list) = 'array' then list - 0 else '[]' end;
comment on function hacs_core.former_addresses(jsonb, jsonb) is
    'Addresses, of which the first has the parts that the columns say';

create or replace function hacs_core.former_identifiers(list jsonb, texts jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(texts) is distinct from 'array' or texts = '[]' then
        return texts;
    end if;
    return (
        select jsonb_agg(coalesce(
            (
                select o.value from jsonb_array_elements(case when jsonb_typeof(list) = 'array'
                    then list end) as o (value)
                where o.value -> 'value' = e.value
                limit 1
            ),
            jsonb_build_object('value', e.value)
        ) order by e.place)
        from jsonb_array_elements(texts) with ordinality as e (value, place)
    );
end
$$;
comment on function hacs_core.former_identifiers(jsonb, jsonb) is
    'Identifiers with these values: those that were there, and new ones';

create or replace function hacs_core.later_identifiers(list jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(list) is distinct from 'array' or list = '[]' then
        return list;
    end if;
    return coalesce((
        select jsonb_agg(case when jsonb_typeof(e.value) = 'object' then e.value -> 'value' else e.value end
            order by e.place)
        from jsonb_array_elements(list) with ordinality as e (value, place)
        where jsonb_typeof(e.value) <> 'object' or e.value ->> 'value' is not null
    ), '[]');
end
$$;
comment on function hacs_core.later_identifiers(jsonb) is 'The values of identifiers';

-- The name that is meant where one is asked for: the official one, the usual one, the first.
create or replace function hacs_core.later_name_place(list jsonb)
returns integer
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(list) is distinct from 'array' then
        return null;
    end if;
    return (
        select e.place - 1
        from jsonb_array_elements(list) with ordinality as e (value, place)
        where jsonb_typeof(e.value) = 'object'
        order by case e.value ->> 'use' when 'official' then 1 when 'usual' then 2 else 3 end, e.place
        limit 1
    );
end
$$;
comment on function hacs_core.later_name_place(jsonb) is 'Which of a patient''s names the columns have';

create or replace function hacs_core.former_names(list jsonb, columns jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    place constant integer := hacs_core.later_name_place(list);
    parts constant jsonb := jsonb_build_object(
        'family', columns -> 'family', 'given', columns -> 'given', 'prefix', columns -> 'prefix',
        'suffix', columns -> 'suffix'
    );
begin
    if place is not null then
        -- what was made of the parts is of the old ones
        return jsonb_set(list, array[place::text], (list -> place) - '{full_name, display_name}'::text[] || parts);
    end if;
    return case when columns ->> 'family' is null and coalesce(columns -> 'given', 'null') in ('null', '[]') then null
        else jsonb_build_array(parts) end;
end
$$;
comment on function hacs_core.former_names(jsonb, jsonb) is
    'The names of a patient, of which one has the parts that the columns say';

create or replace function hacs_core.later_content(content jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(content) is distinct from 'array' then
        return content;
    end if;
    return (
        select to_jsonb(coalesce(
            string_agg(case jsonb_typeof(e.value) when 'string' then e.value #>> '{}' when 'object'
                then e.value ->> 'text' end, e'\n' order by e.place),
            content::text
        ))
        from jsonb_array_elements(content) with ordinality as e (value, place)
    );
end
$$;
comment on function hacs_core.later_content(jsonb) is 'What a message says, as one text';

create or replace function hacs_core.later_parameters(list jsonb, name_key text)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(list) is distinct from 'array' or list = '[]' then
        return list;
    end if;
    return (
        select jsonb_agg(case when jsonb_typeof(e.value) <> 'object' then e.value
            else jsonb_strip_nulls(jsonb_build_object(
            'type', jsonb_build_object('text', e.value -> 'name'), name_key, e.value -> 'name',
            case jsonb_typeof(e.value -> 'default_value') when 'boolean' then 'value_boolean' when 'number' then
                case when e.value ->> 'default_value' ~ '^-?[0-9]+$' then 'value_integer' else 'value_decimal' end
            else 'value_string' end,
            case when jsonb_typeof(e.value -> 'default_value') in ('string', 'boolean', 'number')
                then e.value -> 'default_value' end
        )) end order by e.place)
        from jsonb_array_elements(list) with ordinality as e (value, place)
    );
end
$$;
comment on function hacs_core.later_parameters(jsonb, text) is
    'The inputs or outputs of a task, with their values by kind';

create or replace function hacs_core.former_parameters(list jsonb, name_key text)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(list) is distinct from 'array' or list = '[]' then
        return list;
    end if;
    return (
        select jsonb_agg(jsonb_build_object(
            'name', coalesce(e.value -> name_key, e.value #> '{type,text}'), 'type', null,
            'default_value', coalesce(e.value -> 'value_string', e.value -> 'value_boolean',
                e.value -> 'value_integer', e.value -> 'value_decimal')
        ) order by e.place)
        from jsonb_array_elements(list) with ordinality as e (value, place)
    );
end
$$;
comment on function hacs_core.former_parameters(jsonb, text) is
    'The inputs or outputs of a task, each with its default value';

create or replace function hacs_core.later_order_detail(list jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(list) is distinct from 'array' or list = '[]' then
        return list;
    end if;
    return (
        select jsonb_agg(jsonb_build_object('parameter', jsonb_build_array(jsonb_build_object(
            'code', hacs_core.later_object(e.value, 'text')))) order by e.place)
        from jsonb_array_elements(list) with ordinality as e (value, place)
    );
end
$$;
comment on function hacs_core.later_order_detail(jsonb) is 'Details of an order as parameters';

create or replace function hacs_core.former_order_detail(list jsonb, as_texts boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(list) is distinct from 'array' or list = '[]' then
        return list;
    end if;
    return (
        select jsonb_agg(case when as_texts then hacs_core.former_object(p.value -> 'code', 'text')
            else p.value -> 'code' end order by e.place, p.place)
        from jsonb_array_elements(list) with ordinality as e (value, place)
        cross join lateral jsonb_array_elements(case when jsonb_typeof(e.value -> 'parameter') = 'array'
            then e.value -> 'parameter' end)
            with ordinality as p (value, place)
    );
end
$$;
comment on function hacs_core.former_order_detail(jsonb, boolean) is 'Parameters of an order as its details';

create or replace function hacs_core.later_appointment_participants(refs jsonb, patient jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(coalesce(nullif(refs, 'null'), '[]')) <> 'array' then
        return refs;
    elsif coalesce(nullif(refs, 'null'), '[]') = '[]' then
        refs := case when patient is null or patient = 'null' then '[]' else jsonb_build_array(patient) end;
    end if;
    return (
        select jsonb_agg(jsonb_build_object('actor', hacs_core.later_object(e.value, 'reference'),
            'status', 'needs-action') order by e.place)
        from jsonb_array_elements(refs) with ordinality as e (value, place)
    );
end
$$;
comment on function hacs_core.later_appointment_participants(jsonb, jsonb) is
    'Who takes part in an appointment; the patient, where nobody else does';

create or replace function hacs_core.former_appointment_participants(list jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(list) is distinct from 'array' then
        return list;
    end if;
    return coalesce((
        select jsonb_agg(hacs_core.former_object(e.value -> 'actor', 'reference') order by e.place)
        from jsonb_array_elements(list) with ordinality as e (value, place) where e.value ? 'actor'
    ), '[]');
end
$$;
comment on function hacs_core.former_appointment_participants(jsonb) is 'Who takes part in an appointment, as texts';

-------------------------------------------------------------------------------------------------------------------
-- The forms, field by field: the columns of a document d, and the document of columns c. o: what is kept of the
-- document that the columns were made of, for what goes back in part.
-------------------------------------------------------------------------------------------------------------------

create or replace function hacs_core.later_columns_organization(d jsonb, substitute boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'resource_type', to_jsonb('Organization'::text),
        'identifier', coalesce(nullif(hacs_core.later_identifiers(d -> 'identifier'), 'null'), '[]'),
        'active', coalesce(nullif(d -> 'active', 'null'), 'true'),
        'organization_type', coalesce(nullif(hacs_core.later_each(d -> 'type', 'type'), 'null'), '[]'),
        'name', d -> 'name',
        'alias', coalesce(nullif(d -> 'alias', 'null'), '[]'),
        'description', d -> 'description',
        'primary_email', hacs_core.later_telecom(d -> 'telecom', 'email', '@'),
        'primary_phone', hacs_core.later_telecom(d -> 'telecom', 'phone'),
        'website', hacs_core.later_telecom(d -> 'telecom', 'url'),
        'address_line', coalesce(nullif(d #> '{address, 0, line}', 'null'), '[]'),
        'city', d #> '{address, 0, city}',
        'state', d #> '{address, 0, state}',
        'postal_code', d #> '{address, 0, postal_code}',
        'country', d #> '{address, 0, country}',
        'part_of_organization_id', case when jsonb_typeof(d -> 'part_of') = 'string'
            then to_jsonb(regexp_replace(d -> 'part_of' #>> '{}', '^Organization/', '')) else d -> 'part_of' end,
        'contacts', coalesce(nullif(hacs_core.later_contacts(d -> 'contact', substitute), 'null'), '[]'),
        'endpoint_urls', coalesce(nullif(d -> 'endpoint', 'null'), '[]')
    );
end
$$;
comment on function hacs_core.later_columns_organization(jsonb, boolean) is
    'The columns of a document of the later form Organization';

create or replace function hacs_core.later_document_organization(c jsonb, o jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', c -> 'id',
        'resource_type', to_jsonb('Organization'::text),
        'created_at', hacs_core.former_instant(c -> 'created_at'),
        'updated_at', hacs_core.former_instant(c -> 'updated_at'),
        'identifier', hacs_core.former_identifiers(o -> 'identifier', c -> 'identifier'),
        'active', c -> 'active',
        'type', hacs_core.later_each(c -> 'organization_type', 'former type'),
        'name', c -> 'name',
        'alias', c -> 'alias',
        'description', c -> 'description',
        'telecom', hacs_core.former_telecom(hacs_core.former_telecom(hacs_core.former_telecom(o -> 'telecom', 'email',
            '@', c -> 'primary_email'), 'phone', '', c -> 'primary_phone'), 'url', '', c -> 'website'),
        'address', hacs_core.former_addresses(o -> 'address', c),
        'part_of', to_jsonb('Organization/' || (c ->> 'part_of_organization_id')),
        'contact', hacs_core.later_each(c -> 'contacts', 'former contact'),
        'endpoint', c -> 'endpoint_urls'
    );
end
$$;
comment on function hacs_core.later_document_organization(jsonb, jsonb) is
    'The document of the later form Organization, as far as columns say it';

create or replace function hacs_core.later_columns_organization_contact(d jsonb, substitute boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'resource_type', to_jsonb('OrganizationContact'::text),
        'purpose', hacs_core.later_concept_texts(d -> 'purpose'),
        'contact_name', d -> 'name',
        'email', hacs_core.later_telecom(d -> 'telecom', 'email'),
        'phone', hacs_core.later_telecom(d -> 'telecom', 'phone'),
        'fax', hacs_core.later_telecom(d -> 'telecom', 'fax'),
        'address_line', coalesce(nullif(d #> '{address, line}', 'null'), '[]'),
        'city', d #> '{address, city}',
        'state', d #> '{address, state}',
        'postal_code', d #> '{address, postal_code}',
        'country', d #> '{address, country}'
    );
end
$$;
comment on function hacs_core.later_columns_organization_contact(jsonb, boolean) is
    'The columns of a document of the later form OrganizationContact';

create or replace function hacs_core.later_document_organization_contact(c jsonb, o jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', c -> 'id',
        'resource_type', to_jsonb('OrganizationContact'::text),
        'created_at', hacs_core.former_instant(c -> 'created_at'),
        'updated_at', hacs_core.former_instant(c -> 'updated_at'),
        'purpose', hacs_core.former_concept_texts(c -> 'purpose'),
        'name', c -> 'contact_name',
        'telecom', hacs_core.former_telecom(hacs_core.former_telecom(hacs_core.former_telecom(o -> 'telecom', 'email',
            '', c -> 'email'), 'phone', '', c -> 'phone'), 'fax', '', c -> 'fax'),
        'address', hacs_core.former_address(o -> 'address', c)
    );
end
$$;
comment on function hacs_core.later_document_organization_contact(jsonb, jsonb) is
    'The document of the later form OrganizationContact, as far as columns say it';

create or replace function hacs_core.later_columns_patient(d jsonb, substitute boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'resource_type', to_jsonb('Patient'::text),
        'given', d -> 'name' -> hacs_core.later_name_place(d -> 'name') -> 'given',
        'family', d -> 'name' -> hacs_core.later_name_place(d -> 'name') -> 'family',
        'prefix', coalesce(nullif(d -> 'name' -> hacs_core.later_name_place(d -> 'name') -> 'prefix', 'null'), '[]'),
        'suffix', coalesce(nullif(d -> 'name' -> hacs_core.later_name_place(d -> 'name') -> 'suffix', 'null'), '[]'),
        'full_name', d -> 'full_name',
        'gender', d -> 'gender',
        'birth_date', hacs_core.later_date_text(d -> 'birth_date'),
        'age', d -> 'age',
        'deceased', case when substitute and jsonb_typeof(d -> 'deceased_date_time') <> 'null'
            and coalesce(d -> 'deceased_boolean', 'null') <> 'true' then 'true'
            else coalesce(nullif(d -> 'deceased_boolean', 'null'), 'false') end,
        'deceased_date', hacs_core.later_day(d -> 'deceased_date_time'),
        'identifiers', coalesce(nullif(d -> 'identifier', 'null'), '[]'),
        'care_team', coalesce(nullif(d -> 'care_provider', 'null'), '[]'),
        'emergency_contact', coalesce(nullif(d -> 'contact', 'null'), '[]'),
        'language', d -> 'language',
        'agent_context', coalesce(nullif(d -> 'agent_context', 'null'), '{}'),
        'telecom', coalesce(nullif(d -> 'telecom', 'null'), '[]'),
        'phone', d -> 'phone',
        'email', d -> 'email',
        'address', coalesce(nullif(d -> 'address', 'null'), '[]'),
        'address_text', d -> 'address_text',
        'marital_status', d -> 'marital_status',
        'communication', coalesce(nullif(d -> 'communication', 'null'), '[]'),
        'active', coalesce(nullif(d -> 'active', 'null'), 'true')
    );
end
$$;
comment on function hacs_core.later_columns_patient(jsonb, boolean) is
    'The columns of a document of the later form Patient';

create or replace function hacs_core.later_document_patient(c jsonb, o jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', c -> 'id',
        'resource_type', to_jsonb('Patient'::text),
        'created_at', hacs_core.former_instant(c -> 'created_at'),
        'updated_at', hacs_core.former_instant(c -> 'updated_at'),
        'name', hacs_core.former_names(o -> 'name', c),
        'full_name', c -> 'full_name',
        'gender', c -> 'gender',
        'birth_date', c -> 'birth_date',
        'age', c -> 'age',
        'deceased_boolean', c -> 'deceased',
        'deceased_date_time', c -> 'deceased_date',
        'identifier', c -> 'identifiers',
        'care_provider', c -> 'care_team',
        'contact', c -> 'emergency_contact',
        'language', c -> 'language',
        'agent_context', c -> 'agent_context',
        'telecom', c -> 'telecom',
        'phone', c -> 'phone',
        'email', c -> 'email',
        'address', c -> 'address',
        'address_text', c -> 'address_text',
        'marital_status', c -> 'marital_status',
        'communication', c -> 'communication',
        'active', c -> 'active'
    );
end
$$;
comment on function hacs_core.later_document_patient(jsonb, jsonb) is
    'The document of the later form Patient, as far as columns say it';

create or replace function hacs_core.later_columns_encounter(d jsonb, substitute boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'resource_type', to_jsonb('Encounter'::text),
        'status', d -> 'status',
        'class_fhir', case when substitute then hacs_core.later_value(d -> 'class_', '{AMB, EMER, FLD, HH, IMP, ACUTE,
            NONAC, OBSENC, PRENC, SS, VR}',
            '{"outpatient": "AMB", "ambulatory": "AMB", "inpatient": "IMP", "emergency": "EMER", "virtual": "VR",
                "telehealth": "VR", "home": "HH", "field": "FLD", "acute": "ACUTE", "observation": "OBSENC",
                "short stay": "SS", "preadmission": "PRENC"}', null, false) else d -> 'class_' end,
        'subject', d -> 'subject',
        'participants', coalesce(nullif(hacs_core.later_each(d -> 'participant', 'participant'), 'null'), '[]'),
        'period', hacs_core.later_period(d -> 'period_start', d -> 'period_end'),
        'agent_context', coalesce(nullif(d -> 'agent_context', 'null'), '{}'),
        'length', d -> 'length',
        'reason_code', coalesce(nullif(d -> 'reason_code', 'null'), '[]'),
        'reason_reference', coalesce(nullif(d -> 'reason_reference', 'null'), '[]'),
        'diagnosis', coalesce(nullif(d -> 'diagnosis', 'null'), '[]'),
        'service_provider', d -> 'service_provider'
    );
end
$$;
comment on function hacs_core.later_columns_encounter(jsonb, boolean) is
    'The columns of a document of the later form Encounter';

create or replace function hacs_core.later_document_encounter(c jsonb, o jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', c -> 'id',
        'resource_type', to_jsonb('Encounter'::text),
        'created_at', hacs_core.former_instant(c -> 'created_at'),
        'updated_at', hacs_core.former_instant(c -> 'updated_at'),
        'status', c -> 'status',
        'class_', c -> 'class_fhir',
        'subject', c -> 'subject',
        'participant', hacs_core.later_each(c -> 'participants', 'former participant'),
        'period_start', c -> 'period' -> 'start',
        'period_end', c -> 'period' -> 'end',
        'agent_context', c -> 'agent_context',
        'length', c -> 'length',
        'reason_code', c -> 'reason_code',
        'reason_reference', c -> 'reason_reference',
        'diagnosis', c -> 'diagnosis',
        'service_provider', c -> 'service_provider'
    );
end
$$;
comment on function hacs_core.later_document_encounter(jsonb, jsonb) is
    'The document of the later form Encounter, as far as columns say it';

create or replace function hacs_core.later_columns_observation(d jsonb, substitute boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'resource_type', to_jsonb('Observation'::text),
        'code', d -> 'code',
        'category', coalesce(nullif(d -> 'category', 'null'), '[]'),
        'subject', d -> 'subject',
        'encounter', d -> 'encounter',
        'value_quantity', d -> 'value_quantity',
        'value_codeable_concept', d -> 'value_codeable_concept',
        'value_string', d -> 'value_string',
        'value_boolean', d -> 'value_boolean',
        'value_integer', d -> 'value_integer',
        'value_range', d -> 'value_range',
        'reference_range', coalesce(nullif(d -> 'reference_range', 'null'), '[]'),
        'status', coalesce(nullif(d -> 'status', 'null'), '"final"'),
        'effective_datetime', hacs_core.later_instant(d -> 'effective_date_time'),
        'issued', hacs_core.later_instant(d -> 'issued'),
        'data_absent_reason', hacs_core.later_code(d -> 'data_absent_reason', '{unknown, asked-unknown, temp-unknown,
            not-asked, asked-declined, masked, not-applicable, unsupported, as-text, error, not-a-number,
            negative-infinity, positive-infinity, not-performed, not-permitted}'),
        'notes', hacs_core.later_lines(d -> 'note')
    );
end
$$;
comment on function hacs_core.later_columns_observation(jsonb, boolean) is
    'The columns of a document of the later form Observation';

create or replace function hacs_core.later_document_observation(c jsonb, o jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', c -> 'id',
        'resource_type', to_jsonb('Observation'::text),
        'created_at', hacs_core.former_instant(c -> 'created_at'),
        'updated_at', hacs_core.former_instant(c -> 'updated_at'),
        'code', c -> 'code',
        'category', c -> 'category',
        'subject', c -> 'subject',
        'encounter', c -> 'encounter',
        'value_quantity', c -> 'value_quantity',
        'value_codeable_concept', c -> 'value_codeable_concept',
        'value_string', c -> 'value_string',
        'value_boolean', c -> 'value_boolean',
        'value_integer', c -> 'value_integer',
        'value_range', c -> 'value_range',
        'reference_range', c -> 'reference_range',
        'status', c -> 'status',
        'effective_date_time', hacs_core.former_instant(c -> 'effective_datetime'),
        'issued', hacs_core.former_instant(c -> 'issued'),
        'data_absent_reason', hacs_core.former_code(c -> 'data_absent_reason'),
        'note', case when jsonb_typeof(c -> 'notes') = 'string' then jsonb_build_array(c -> 'notes') else '[]' end
    );
end
$$;
comment on function hacs_core.later_document_observation(jsonb, jsonb) is
    'The document of the later form Observation, as far as columns say it';

create or replace function hacs_core.later_columns_condition(d jsonb, substitute boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'resource_type', to_jsonb('Condition'::text),
        'clinical_status', case when substitute then hacs_core.later_value(d -> 'clinical_status', '{active, recurrence,
            relapse, inactive, remission, resolved, unknown}', '{}', '"unknown"', true) else d -> 'clinical_status' end,
        'verification_status', d -> 'verification_status',
        'identifier', coalesce(nullif(d -> 'identifier', 'null'), '[]'),
        'category', coalesce(nullif(d -> 'category', 'null'), '[]'),
        'severity', d -> 'severity',
        'code', d -> 'code',
        'body_site', coalesce(nullif(d -> 'body_site', 'null'), '[]'),
        'onset_age', d -> 'onset_age',
        'onset_period', d -> 'onset_period',
        'onset_range', d -> 'onset_range',
        'onset_string', d -> 'onset_string',
        'abatement_age', d -> 'abatement_age',
        'abatement_period', d -> 'abatement_period',
        'abatement_range', d -> 'abatement_range',
        'abatement_string', d -> 'abatement_string',
        'onset_date_time', hacs_core.later_instant(d -> 'onset_date_time'),
        'abatement_date_time', hacs_core.later_instant(d -> 'abatement_date_time'),
        'recorded_date', hacs_core.later_instant(d -> 'recorded_date'),
        'subject', hacs_core.later_object(d -> 'subject', 'reference'),
        'encounter', hacs_core.later_object(d -> 'encounter', 'reference'),
        'stage', coalesce(nullif(hacs_core.later_each(d -> 'stage', 'stage'), 'null'), '[]'),
        'evidence', coalesce(nullif(hacs_core.later_evidence(d -> 'evidence'), 'null'), '[]'),
        'note', coalesce(nullif(hacs_core.later_objects(d -> 'note', 'text'), 'null'), '[]')
    );
end
$$;
comment on function hacs_core.later_columns_condition(jsonb, boolean) is
    'The columns of a document of the later form Condition';

create or replace function hacs_core.later_document_condition(c jsonb, o jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', c -> 'id',
        'resource_type', to_jsonb('Condition'::text),
        'created_at', hacs_core.former_instant(c -> 'created_at'),
        'updated_at', hacs_core.former_instant(c -> 'updated_at'),
        'clinical_status', c -> 'clinical_status',
        'verification_status', c -> 'verification_status',
        'identifier', c -> 'identifier',
        'category', c -> 'category',
        'severity', c -> 'severity',
        'code', c -> 'code',
        'body_site', c -> 'body_site',
        'onset_age', c -> 'onset_age',
        'onset_period', c -> 'onset_period',
        'onset_range', c -> 'onset_range',
        'onset_string', c -> 'onset_string',
        'abatement_age', c -> 'abatement_age',
        'abatement_period', c -> 'abatement_period',
        'abatement_range', c -> 'abatement_range',
        'abatement_string', c -> 'abatement_string',
        'onset_date_time', hacs_core.former_instant(c -> 'onset_date_time'),
        'abatement_date_time', hacs_core.former_instant(c -> 'abatement_date_time'),
        'recorded_date', hacs_core.former_instant(c -> 'recorded_date'),
        'subject', hacs_core.former_object(c -> 'subject', 'reference'),
        'encounter', hacs_core.former_object(c -> 'encounter', 'reference'),
        'stage', hacs_core.later_each(c -> 'stage', 'former stage'),
        'evidence', hacs_core.former_evidence(c -> 'evidence'),
        'note', hacs_core.former_objects(c -> 'note', 'text')
    );
end
$$;
comment on function hacs_core.later_document_condition(jsonb, jsonb) is
    'The document of the later form Condition, as far as columns say it';

create or replace function hacs_core.later_columns_medication(d jsonb, substitute boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'resource_type', to_jsonb('Medication'::text),
        'identifier', coalesce(nullif(hacs_core.later_objects(d -> 'identifier', 'value'), 'null'), '[]'),
        'status', d -> 'status',
        'code', case when substitute and coalesce(d -> 'code', 'null') = 'null'
            then hacs_core.later_object(coalesce(nullif(d -> 'generic_name', 'null'), d -> 'brand_name'), 'text')
            else d -> 'code' end,
        'generic_name', d -> 'generic_name',
        'brand_name', d -> 'brand_name',
        'manufacturer', d -> 'manufacturer',
        'form', d -> 'form',
        'amount', d -> 'amount',
        'ingredient', coalesce(nullif(d -> 'ingredient', 'null'), '[]'),
        'batch', d -> 'batch'
    );
end
$$;
comment on function hacs_core.later_columns_medication(jsonb, boolean) is
    'The columns of a document of the later form Medication';

create or replace function hacs_core.later_document_medication(c jsonb, o jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', c -> 'id',
        'resource_type', to_jsonb('Medication'::text),
        'created_at', hacs_core.former_instant(c -> 'created_at'),
        'updated_at', hacs_core.former_instant(c -> 'updated_at'),
        'identifier', hacs_core.former_objects(c -> 'identifier', 'value'),
        'status', c -> 'status',
        'code', c -> 'code',
        'generic_name', c -> 'generic_name',
        'brand_name', c -> 'brand_name',
        'manufacturer', c -> 'manufacturer',
        'form', c -> 'form',
        'amount', c -> 'amount',
        'ingredient', c -> 'ingredient',
        'batch', c -> 'batch'
    );
end
$$;
comment on function hacs_core.later_document_medication(jsonb, jsonb) is
    'The document of the later form Medication, as far as columns say it';

create or replace function hacs_core.later_columns_medication_request(d jsonb, substitute boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'resource_type', to_jsonb('MedicationRequest'::text),
        'identifier', coalesce(nullif(hacs_core.later_objects(d -> 'identifier', 'value'), 'null'), '[]'),
        'status', d -> 'status',
        'intent', d -> 'intent',
        'priority', d -> 'priority',
        'category', coalesce(nullif(d -> 'category', 'null'), '[]'),
        'do_not_perform', d -> 'do_not_perform',
        'medication_codeable_concept', d -> 'medication_codeable_concept',
        'medication_reference', d -> 'medication_reference',
        'subject', d -> 'subject',
        'encounter', d -> 'encounter',
        'requester', d -> 'requester',
        'performer', d -> 'performer',
        'reason_code', coalesce(nullif(d -> 'reason_code', 'null'), '[]'),
        'reason_reference', coalesce(nullif(d -> 'reason_reference', 'null'), '[]'),
        'dosage_instruction', coalesce(nullif(d -> 'dosage_instruction', 'null'), '[]'),
        'dispense_request', d -> 'dispense_request',
        'substitution', d -> 'substitution',
        'authored_on', hacs_core.later_instant_text(d -> 'authored_on'),
        'note', coalesce(nullif(hacs_core.later_objects(d -> 'note', 'text'), 'null'), '[]')
    );
end
$$;
comment on function hacs_core.later_columns_medication_request(jsonb, boolean) is
    'The columns of a document of the later form MedicationRequest';

create or replace function hacs_core.later_document_medication_request(c jsonb, o jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', c -> 'id',
        'resource_type', to_jsonb('MedicationRequest'::text),
        'created_at', hacs_core.former_instant(c -> 'created_at'),
        'updated_at', hacs_core.former_instant(c -> 'updated_at'),
        'identifier', hacs_core.former_objects(c -> 'identifier', 'value'),
        'status', c -> 'status',
        'intent', c -> 'intent',
        'priority', c -> 'priority',
        'category', c -> 'category',
        'do_not_perform', c -> 'do_not_perform',
        'medication_codeable_concept', c -> 'medication_codeable_concept',
        'medication_reference', c -> 'medication_reference',
        'subject', c -> 'subject',
        'encounter', c -> 'encounter',
        'requester', c -> 'requester',
        'performer', c -> 'performer',
        'reason_code', c -> 'reason_code',
        'reason_reference', c -> 'reason_reference',
        'dosage_instruction', c -> 'dosage_instruction',
        'dispense_request', c -> 'dispense_request',
        'substitution', c -> 'substitution',
        'authored_on', hacs_core.former_instant(c -> 'authored_on'),
        'note', hacs_core.former_objects(c -> 'note', 'text')
    );
end
$$;
comment on function hacs_core.later_document_medication_request(jsonb, jsonb) is
    'The document of the later form MedicationRequest, as far as columns say it';

create or replace function hacs_core.later_columns_procedure(d jsonb, substitute boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'resource_type', to_jsonb('Procedure'::text),
        'identifier', coalesce(nullif(hacs_core.later_objects(d -> 'identifier', 'value'), 'null'), '[]'),
        'status', d -> 'status',
        'status_reason', d -> 'status_reason',
        'code', d -> 'code',
        'reason_code', coalesce(nullif(d -> 'reason_code', 'null'), '[]'),
        'body_site', coalesce(nullif(d -> 'body_site', 'null'), '[]'),
        'outcome', d -> 'outcome',
        'follow_up', coalesce(nullif(d -> 'follow_up', 'null'), '[]'),
        'duration_minutes', d -> 'duration_minutes',
        'category', coalesce(nullif(case when jsonb_typeof(d -> 'category') = 'object'
            then jsonb_build_array(d -> 'category') else d -> 'category' end, 'null'), '[]'),
        'subject', hacs_core.later_object(d -> 'subject', 'reference'),
        'encounter', hacs_core.later_object(d -> 'encounter', 'reference'),
        'location', hacs_core.later_object(d -> 'location', 'reference'),
        'performer', coalesce(nullif(hacs_core.later_each(d -> 'performer', 'performer', substitute), 'null'), '[]'),
        'focal_device', coalesce(nullif(hacs_core.later_each(d -> 'focal_device', 'device'), 'null'), '[]'),
        'reason_reference', coalesce(nullif(hacs_core.later_objects(d -> 'reason_reference', 'reference'), 'null'),
            '[]'),
        'report', coalesce(nullif(hacs_core.later_objects(d -> 'report', 'reference'), 'null'), '[]'),
        'used_reference', coalesce(nullif(hacs_core.later_objects(d -> 'used_reference', 'reference'), 'null'), '[]'),
        'complication', coalesce(nullif(hacs_core.later_concept_references(d -> 'complication', null), 'null'), '[]'),
        'note', coalesce(nullif(hacs_core.later_objects(d -> 'note', 'text'), 'null'), '[]'),
        'occurrence_date_time', hacs_core.later_instant_text(d -> 'performed_date_time'),
        'occurrence_period', case when hacs_core.later_instant_text(d -> 'performed_date_time') <> 'null' then null
            else hacs_core.later_period(d -> 'performed_period_start', d -> 'performed_period_end') end
    );
end
$$;
comment on function hacs_core.later_columns_procedure(jsonb, boolean) is
    'The columns of a document of the later form Procedure';

create or replace function hacs_core.later_document_procedure(c jsonb, o jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', c -> 'id',
        'resource_type', to_jsonb('Procedure'::text),
        'created_at', hacs_core.former_instant(c -> 'created_at'),
        'updated_at', hacs_core.former_instant(c -> 'updated_at'),
        'identifier', hacs_core.former_objects(c -> 'identifier', 'value'),
        'status', c -> 'status',
        'status_reason', c -> 'status_reason',
        'code', c -> 'code',
        'reason_code', c -> 'reason_code',
        'body_site', c -> 'body_site',
        'outcome', c -> 'outcome',
        'follow_up', c -> 'follow_up',
        'duration_minutes', c -> 'duration_minutes',
        'category', case when jsonb_typeof(c -> 'category') = 'array' then c -> 'category' -> 0
            else c -> 'category' end,
        'subject', hacs_core.former_object(c -> 'subject', 'reference'),
        'encounter', hacs_core.former_object(c -> 'encounter', 'reference'),
        'location', hacs_core.former_object(c -> 'location', 'reference'),
        'performer', hacs_core.later_each(c -> 'performer', 'former performer'),
        'focal_device', hacs_core.later_each(c -> 'focal_device', 'former device'),
        'reason_reference', hacs_core.former_objects(c -> 'reason_reference', 'reference'),
        'report', hacs_core.former_objects(c -> 'report', 'reference'),
        'used_reference', hacs_core.former_objects(c -> 'used_reference', 'reference'),
        'complication', hacs_core.former_concepts(c -> 'complication'),
        'note', hacs_core.former_objects(c -> 'note', 'text'),
        'performed_date_time', hacs_core.former_instant(c -> 'occurrence_date_time'),
        'performed_period_start', c -> 'occurrence_period' -> 'start',
        'performed_period_end', c -> 'occurrence_period' -> 'end'
    );
end
$$;
comment on function hacs_core.later_document_procedure(jsonb, jsonb) is
    'The document of the later form Procedure, as far as columns say it';

create or replace function hacs_core.later_columns_allergy_intolerance(d jsonb, substitute boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'resource_type', to_jsonb('AllergyIntolerance'::text),
        'identifier', coalesce(nullif(hacs_core.later_objects(d -> 'identifier', 'value'), 'null'), '[]'),
        'clinical_status', d -> 'clinical_status',
        'verification_status', case when substitute then hacs_core.later_value(d -> 'verification_status',
            '{unconfirmed, provisional, confirmed, refuted, entered-in-error}', '{}', 'null', false)
            else d -> 'verification_status' end,
        'type', case when substitute then hacs_core.later_value(d -> 'type', '{allergy, intolerance}', '{}', 'null',
            false) else d -> 'type' end,
        'category', coalesce(nullif(d -> 'category', 'null'), '[]'),
        'patient', d -> 'patient',
        'encounter', d -> 'encounter',
        'recorder', d -> 'recorder',
        'asserter', d -> 'asserter',
        'criticality', d -> 'criticality',
        'code', case when substitute then coalesce(nullif(d -> 'code', 'null'), '{"text": "unknown"}')
            else d -> 'code' end,
        'onset_datetime', hacs_core.later_instant_text(d -> 'onset_datetime'),
        'last_occurrence', hacs_core.later_instant_text(d -> 'last_occurrence'),
        'reaction', coalesce(nullif(hacs_core.later_each(d -> 'reaction', 'reaction'), 'null'), '[]'),
        'note', coalesce(nullif(hacs_core.later_object_in_list(d -> 'note', 'text'), 'null'), '[]')
    );
end
$$;
comment on function hacs_core.later_columns_allergy_intolerance(jsonb, boolean) is
    'The columns of a document of the later form AllergyIntolerance';

create or replace function hacs_core.later_document_allergy_intolerance(c jsonb, o jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', c -> 'id',
        'resource_type', to_jsonb('AllergyIntolerance'::text),
        'created_at', hacs_core.former_instant(c -> 'created_at'),
        'updated_at', hacs_core.former_instant(c -> 'updated_at'),
        'identifier', hacs_core.former_objects(c -> 'identifier', 'value'),
        'clinical_status', c -> 'clinical_status',
        'verification_status', c -> 'verification_status',
        'type', c -> 'type',
        'category', c -> 'category',
        'patient', c -> 'patient',
        'encounter', c -> 'encounter',
        'recorder', c -> 'recorder',
        'asserter', c -> 'asserter',
        'criticality', c -> 'criticality',
        'code', c -> 'code',
        'onset_datetime', hacs_core.former_instant(c -> 'onset_datetime'),
        'last_occurrence', hacs_core.former_instant(c -> 'last_occurrence'),
        'reaction', hacs_core.later_each(c -> 'reaction', 'former reaction'),
        'note', hacs_core.former_object_in_list(c -> 'note', 'text')
    );
end
$$;
comment on function hacs_core.later_document_allergy_intolerance(jsonb, jsonb) is
    'The document of the later form AllergyIntolerance, as far as columns say it';

create or replace function hacs_core.later_columns_goal(d jsonb, substitute boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'resource_type', to_jsonb('Goal'::text),
        'identifier', d -> 'identifier',
        'category', d -> 'category',
        'priority', d -> 'priority',
        'description', d -> 'description',
        'start_codeable_concept', d -> 'start_codeable_concept',
        'target', d -> 'target',
        'status_reason', d -> 'status_reason',
        'lifecycle_status', d -> 'lifecycle_status',
        'achievement_status', hacs_core.later_code(d -> 'achievement_status', '{in-progress, improving, worsening,
            no-change, achieved, sustaining, not-achieved, no-progress, not-attainable}'),
        'subject', hacs_core.later_object(d -> 'subject', 'reference'),
        'start_date', case when jsonb_typeof(d -> 'start_codeable_concept') <> 'null' then null
            else hacs_core.later_instant(d -> 'start_date') end,
        'status_date', hacs_core.later_instant(d -> 'status_date'),
        'addresses', hacs_core.later_objects(d -> 'addresses', 'reference'),
        'note', hacs_core.later_objects(d -> 'note', 'text'),
        'source', hacs_core.later_object(d -> 'expressed_by', 'reference'),
        'outcome', hacs_core.later_concept_references(d -> 'outcome_code', d -> 'outcome_reference')
    );
end
$$;
comment on function hacs_core.later_columns_goal(jsonb, boolean) is 'The columns of a document of the later form Goal';

create or replace function hacs_core.later_document_goal(c jsonb, o jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', c -> 'id',
        'resource_type', to_jsonb('Goal'::text),
        'created_at', hacs_core.former_instant(c -> 'created_at'),
        'updated_at', hacs_core.former_instant(c -> 'updated_at'),
        'identifier', c -> 'identifier',
        'category', c -> 'category',
        'priority', c -> 'priority',
        'description', c -> 'description',
        'start_codeable_concept', c -> 'start_codeable_concept',
        'target', c -> 'target',
        'status_reason', c -> 'status_reason',
        'lifecycle_status', c -> 'lifecycle_status',
        'achievement_status', hacs_core.former_code(c -> 'achievement_status'),
        'subject', hacs_core.former_object(c -> 'subject', 'reference'),
        'start_date', hacs_core.former_day(c -> 'start_date'),
        'status_date', hacs_core.former_day(c -> 'status_date'),
        'addresses', hacs_core.former_objects(c -> 'addresses', 'reference'),
        'note', hacs_core.former_objects(c -> 'note', 'text'),
        'expressed_by', hacs_core.former_object(c -> 'source', 'reference'),
        'outcome_code', hacs_core.former_concepts(c -> 'outcome'),
        'outcome_reference', hacs_core.former_text_references(c -> 'outcome')
    );
end
$$;
comment on function hacs_core.later_document_goal(jsonb, jsonb) is
    'The document of the later form Goal, as far as columns say it';

create or replace function hacs_core.later_columns_service_request(d jsonb, substitute boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'resource_type', to_jsonb('ServiceRequest'::text),
        'identifier', hacs_core.later_objects(d -> 'identifier', 'value'),
        'status', d -> 'status',
        'intent', d -> 'intent',
        'priority', d -> 'priority',
        'instantiates_canonical', d -> 'instantiates_canonical',
        'instantiates_uri', d -> 'instantiates_uri',
        'category', d -> 'category',
        'do_not_perform', d -> 'do_not_perform',
        'code', d -> 'code',
        'quantity_quantity', d -> 'quantity_quantity',
        'as_needed_boolean', d -> 'as_needed_boolean',
        'as_needed_codeable_concept', d -> 'as_needed_codeable_concept',
        'performer_type', d -> 'performer_type',
        'body_site', d -> 'body_site',
        'based_on', hacs_core.later_objects(d -> 'based_on', 'reference'),
        'replaces', hacs_core.later_objects(d -> 'replaces', 'reference'),
        'requisition', hacs_core.later_object(d -> 'requisition', 'value'),
        'order_detail', hacs_core.later_order_detail(d -> 'order_detail'),
        'subject', hacs_core.later_object(d -> 'subject', 'reference'),
        'encounter', hacs_core.later_object(d -> 'encounter', 'reference'),
        'requester', hacs_core.later_object(d -> 'requester', 'reference'),
        'performer', hacs_core.later_objects(d -> 'performer', 'reference'),
        'occurrence_date_time', hacs_core.later_instant_text(d -> 'occurrence_datetime'),
        'occurrence_timing', case when jsonb_typeof(d -> 'occurrence_timing') <> 'string' then d -> 'occurrence_timing'
            when hacs_core.later_instant_text(d -> 'occurrence_datetime') <> 'null' then null
            else jsonb_build_object('code', jsonb_build_object('text', d -> 'occurrence_timing')) end,
        'authored_on', hacs_core.later_instant_text(d -> 'authored_on'),
        'location', hacs_core.later_concept_references(d -> 'location_code', d -> 'location_reference'),
        'reason', hacs_core.later_concept_references(d -> 'reason_code', d -> 'reason_reference'),
        'insurance', hacs_core.later_objects(d -> 'insurance', 'reference'),
        'supporting_info', hacs_core.later_text_references(d -> 'supporting_info'),
        'specimen', hacs_core.later_objects(d -> 'specimen', 'reference'),
        'note', hacs_core.later_objects(d -> 'note', 'text'),
        'patient_instruction', hacs_core.later_object_in_list(d -> 'patient_instruction', 'instruction_markdown'),
        'relevant_history', hacs_core.later_objects(d -> 'relevant_history', 'reference')
    );
end
$$;
comment on function hacs_core.later_columns_service_request(jsonb, boolean) is
    'The columns of a document of the later form ServiceRequest';

create or replace function hacs_core.later_document_service_request(c jsonb, o jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', c -> 'id',
        'resource_type', to_jsonb('ServiceRequest'::text),
        'created_at', hacs_core.former_instant(c -> 'created_at'),
        'updated_at', hacs_core.former_instant(c -> 'updated_at'),
        'identifier', hacs_core.former_objects(c -> 'identifier', 'value'),
        'status', c -> 'status',
        'intent', c -> 'intent',
        'priority', c -> 'priority',
        'instantiates_canonical', c -> 'instantiates_canonical',
        'instantiates_uri', c -> 'instantiates_uri',
        'category', c -> 'category',
        'do_not_perform', c -> 'do_not_perform',
        'code', c -> 'code',
        'quantity_quantity', c -> 'quantity_quantity',
        'as_needed_boolean', c -> 'as_needed_boolean',
        'as_needed_codeable_concept', c -> 'as_needed_codeable_concept',
        'performer_type', c -> 'performer_type',
        'body_site', c -> 'body_site',
        'based_on', hacs_core.former_objects(c -> 'based_on', 'reference'),
        'replaces', hacs_core.former_objects(c -> 'replaces', 'reference'),
        'requisition', hacs_core.former_object(c -> 'requisition', 'value'),
        'order_detail', hacs_core.former_order_detail(c -> 'order_detail', false),
        'subject', hacs_core.former_object(c -> 'subject', 'reference'),
        'encounter', hacs_core.former_object(c -> 'encounter', 'reference'),
        'requester', hacs_core.former_object(c -> 'requester', 'reference'),
        'performer', hacs_core.former_objects(c -> 'performer', 'reference'),
        'occurrence_datetime', hacs_core.former_instant(c -> 'occurrence_date_time'),
        'occurrence_timing', c -> 'occurrence_timing' #> '{code, text}',
        'authored_on', hacs_core.former_instant(c -> 'authored_on'),
        'location_code', hacs_core.former_concepts(c -> 'location'),
        'location_reference', hacs_core.former_text_references(c -> 'location'),
        'reason_code', hacs_core.former_concepts(c -> 'reason'),
        'reason_reference', hacs_core.former_text_references(c -> 'reason'),
        'insurance', hacs_core.former_objects(c -> 'insurance', 'reference'),
        'supporting_info', hacs_core.former_text_references(c -> 'supporting_info'),
        'specimen', hacs_core.former_objects(c -> 'specimen', 'reference'),
        'note', hacs_core.former_objects(c -> 'note', 'text'),
        'patient_instruction', hacs_core.former_object_in_list(c -> 'patient_instruction', 'instruction_markdown'),
        'relevant_history', hacs_core.former_objects(c -> 'relevant_history', 'reference')
    );
end
$$;
comment on function hacs_core.later_document_service_request(jsonb, jsonb) is
    'The document of the later form ServiceRequest, as far as columns say it';

create or replace function hacs_core.later_columns_service_request_workflow(d jsonb, substitute boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'resource_type', to_jsonb('ServiceRequest'::text),
        'identifier', hacs_core.later_objects(d -> 'identifier', 'value'),
        'status', case when substitute then hacs_core.later_value(d -> 'status', '{draft, active, on-hold, revoked,
            completed, entered-in-error, unknown}', '{"cancelled": "revoked"}', null, false) else d -> 'status' end,
        'intent', d -> 'intent',
        'code', hacs_core.later_object(d -> 'code', 'text'),
        'subject', hacs_core.later_object(d -> 'subject', 'reference'),
        'requester', hacs_core.later_object(d -> 'requester', 'reference'),
        'order_detail', hacs_core.later_order_detail(d -> 'order_detail'),
        'specimen', hacs_core.later_objects(d -> 'specimen', 'reference'),
        'body_site', hacs_core.later_objects(d -> 'body_site', 'text'),
        'patient_instruction', hacs_core.later_objects(d -> 'patient_instruction', 'instruction_markdown')
    );
end
$$;
comment on function hacs_core.later_columns_service_request_workflow(jsonb, boolean) is
    'The columns of a document of the later form ServiceRequest/workflow';

create or replace function hacs_core.later_document_service_request_workflow(c jsonb, o jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', c -> 'id',
        'resource_type', to_jsonb('ServiceRequest'::text),
        'created_at', hacs_core.former_instant(c -> 'created_at'),
        'updated_at', hacs_core.former_instant(c -> 'updated_at'),
        'identifier', hacs_core.former_objects(c -> 'identifier', 'value'),
        'status', c -> 'status',
        'intent', c -> 'intent',
        'code', case when c -> 'code' = jsonb_build_object('text', c -> 'code' -> 'text') then c -> 'code' -> 'text'
            else c -> 'code' end,
        'subject', hacs_core.former_object(c -> 'subject', 'reference'),
        'requester', hacs_core.former_object(c -> 'requester', 'reference'),
        'order_detail', hacs_core.former_order_detail(c -> 'order_detail', true),
        'specimen', hacs_core.former_objects(c -> 'specimen', 'reference'),
        'body_site', hacs_core.former_objects(c -> 'body_site', 'text'),
        'patient_instruction', hacs_core.former_objects(c -> 'patient_instruction', 'instruction_markdown')
    );
end
$$;
comment on function hacs_core.later_document_service_request_workflow(jsonb, jsonb) is
    'The document of the later form ServiceRequest/workflow, as far as columns say it';

create or replace function hacs_core.later_columns_family_member_history(d jsonb, substitute boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'resource_type', to_jsonb('FamilyMemberHistory'::text),
        'identifier', hacs_core.later_objects(d -> 'identifier', 'value'),
        'status', case when substitute then hacs_core.later_value(d -> 'status', '{partial, completed, entered-in-error,
            health-unknown}', '{}', '"partial"', true) else d -> 'status' end,
        'patient', hacs_core.later_object(d -> 'patient_ref', 'reference'),
        'relationship', case when substitute then coalesce(nullif(hacs_core.later_object(d -> 'relationship_text',
            'text'), 'null'), '{"text": "unknown"}') else hacs_core.later_object(d -> 'relationship_text', 'text') end,
        'name', d -> 'name',
        'sex', hacs_core.later_object(d -> 'sex', 'text'),
        'condition', case when jsonb_typeof(d -> 'condition_text') <> 'null'
            then jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('code',
            hacs_core.later_object(d -> 'condition_text', 'text'), 'outcome',
            hacs_core.later_object(d -> 'outcome_text', 'text'), 'contributed_to_death',
            d -> 'contributed_to_death'))) end
    );
end
$$;
comment on function hacs_core.later_columns_family_member_history(jsonb, boolean) is
    'The columns of a document of the later form FamilyMemberHistory';

create or replace function hacs_core.later_document_family_member_history(c jsonb, o jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', c -> 'id',
        'resource_type', to_jsonb('FamilyMemberHistory'::text),
        'created_at', hacs_core.former_instant(c -> 'created_at'),
        'updated_at', hacs_core.former_instant(c -> 'updated_at'),
        'identifier', hacs_core.former_objects(c -> 'identifier', 'value'),
        'status', c -> 'status',
        'patient_ref', hacs_core.former_object(c -> 'patient', 'reference'),
        'relationship_text', hacs_core.former_object(c -> 'relationship', 'text'),
        'name', c -> 'name',
        'sex', hacs_core.former_object(c -> 'sex', 'text'),
        'condition_text', c #> '{condition, 0, code, text}',
        'outcome_text', c #> '{condition, 0, outcome, text}',
        'contributed_to_death', c #> '{condition, 0, contributed_to_death}'
    );
end
$$;
comment on function hacs_core.later_document_family_member_history(jsonb, jsonb) is
    'The document of the later form FamilyMemberHistory, as far as columns say it';

create or replace function hacs_core.later_columns_plan_definition(d jsonb, substitute boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'resource_type', to_jsonb('PlanDefinition'::text),
        'identifier', coalesce(nullif(hacs_core.later_objects(d -> 'identifier', 'value'), 'null'), '[]'),
        'version', d -> 'version',
        'status', coalesce(nullif(case when substitute then hacs_core.later_value(d -> 'status', '{draft, active,
            retired, unknown}', '{"completed": "retired", "cancelled": "retired"}', '"unknown"', false)
            else d -> 'status' end, 'null'), '"draft"'),
        'agent_context', coalesce(nullif(d -> 'agent_context', 'null'), '{}'),
        'url', d -> 'url',
        'name', d -> 'name',
        'title', d -> 'title',
        'subtitle', d -> 'subtitle',
        'publisher', d -> 'publisher',
        'description', d -> 'description',
        'purpose', d -> 'purpose',
        'copyright', d -> 'copyright',
        'effective_period', d -> 'effective_period',
        'library', coalesce(nullif(d -> 'library', 'null'), '[]'),
        'experimental', coalesce(nullif(d -> 'experimental', 'null'), 'false'),
        'date', hacs_core.later_instant(d -> 'date'),
        'approval_date', hacs_core.later_instant(d -> 'approval_date'),
        'last_review_date', hacs_core.later_instant(d -> 'last_review_date'),
        'contact', coalesce(nullif(hacs_core.later_objects(d -> 'contact', 'name'), 'null'), '[]'),
        'author', coalesce(nullif(hacs_core.later_objects(d -> 'author', 'name'), 'null'), '[]'),
        'editor', coalesce(nullif(hacs_core.later_objects(d -> 'editor', 'name'), 'null'), '[]'),
        'reviewer', coalesce(nullif(hacs_core.later_objects(d -> 'reviewer', 'name'), 'null'), '[]'),
        'endorser', coalesce(nullif(hacs_core.later_objects(d -> 'endorser', 'name'), 'null'), '[]'),
        'use_context', coalesce(nullif(hacs_core.later_objects(d -> 'use_context', 'text'), 'null'), '[]'),
        'jurisdiction', coalesce(nullif(hacs_core.later_objects(d -> 'jurisdiction', 'text'), 'null'), '[]'),
        'topic', coalesce(nullif(hacs_core.later_objects(d -> 'topic', 'text'), 'null'), '[]'),
        'related_artifact', coalesce(nullif(hacs_core.later_objects(d -> 'related_artifact', 'display'), 'null'), '[]'),
        'goal', coalesce(nullif(d -> 'goal', 'null'), '[]'),
        'action', coalesce(nullif(hacs_core.later_each(d -> 'action', 'action'), 'null'), '[]')
    );
end
$$;
comment on function hacs_core.later_columns_plan_definition(jsonb, boolean) is
    'The columns of a document of the later form PlanDefinition';

create or replace function hacs_core.later_document_plan_definition(c jsonb, o jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', c -> 'id',
        'resource_type', to_jsonb('PlanDefinition'::text),
        'created_at', hacs_core.former_instant(c -> 'created_at'),
        'updated_at', hacs_core.former_instant(c -> 'updated_at'),
        'identifier', hacs_core.former_objects(c -> 'identifier', 'value'),
        'version', c -> 'version',
        'status', c -> 'status',
        'agent_context', c -> 'agent_context',
        'url', c -> 'url',
        'name', c -> 'name',
        'title', c -> 'title',
        'subtitle', c -> 'subtitle',
        'publisher', c -> 'publisher',
        'description', c -> 'description',
        'purpose', c -> 'purpose',
        'copyright', c -> 'copyright',
        'effective_period', c -> 'effective_period',
        'library', c -> 'library',
        'experimental', c -> 'experimental',
        'date', hacs_core.former_instant(c -> 'date'),
        'approval_date', hacs_core.former_instant(c -> 'approval_date'),
        'last_review_date', hacs_core.former_instant(c -> 'last_review_date'),
        'contact', hacs_core.former_objects(c -> 'contact', 'name'),
        'author', hacs_core.former_objects(c -> 'author', 'name'),
        'editor', hacs_core.former_objects(c -> 'editor', 'name'),
        'reviewer', hacs_core.former_objects(c -> 'reviewer', 'name'),
        'endorser', hacs_core.former_objects(c -> 'endorser', 'name'),
        'use_context', hacs_core.former_objects(c -> 'use_context', 'text'),
        'jurisdiction', hacs_core.former_objects(c -> 'jurisdiction', 'text'),
        'topic', hacs_core.former_objects(c -> 'topic', 'text'),
        'related_artifact', hacs_core.former_objects(c -> 'related_artifact', 'display'),
        'goal', c -> 'goal',
        'action', hacs_core.later_each(c -> 'action', 'former action')
    );
end
$$;
comment on function hacs_core.later_document_plan_definition(jsonb, jsonb) is
    'The document of the later form PlanDefinition, as far as columns say it';

create or replace function hacs_core.later_columns_plan_definition_workflow(d jsonb, substitute boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'resource_type', to_jsonb('PlanDefinition'::text),
        'identifier', coalesce(nullif(hacs_core.later_objects(d -> 'identifier', 'value'), 'null'), '[]'),
        'version', d -> 'version',
        'status', coalesce(nullif(case when substitute then hacs_core.later_value(d -> 'status', '{draft, active,
            retired, unknown}', '{"completed": "retired", "cancelled": "retired"}', '"unknown"', false)
            else d -> 'status' end, 'null'), '"draft"'),
        'agent_context', coalesce(nullif(d -> 'agent_context', 'null'), '{}'),
        'name', d -> 'name',
        'title', d -> 'title',
        'description', d -> 'description',
        'type_coding', hacs_core.later_object(d -> 'type', 'code'),
        'goal', coalesce(nullif(d -> 'goal', 'null'), '[]'),
        'action', coalesce(nullif(hacs_core.later_each(d -> 'action', 'action'), 'null'), '[]')
    );
end
$$;
comment on function hacs_core.later_columns_plan_definition_workflow(jsonb, boolean) is
    'The columns of a document of the later form PlanDefinition/workflow';

create or replace function hacs_core.later_document_plan_definition_workflow(c jsonb, o jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', c -> 'id',
        'resource_type', to_jsonb('PlanDefinition'::text),
        'created_at', hacs_core.former_instant(c -> 'created_at'),
        'updated_at', hacs_core.former_instant(c -> 'updated_at'),
        'identifier', hacs_core.former_objects(c -> 'identifier', 'value'),
        'version', c -> 'version',
        'status', c -> 'status',
        'agent_context', c -> 'agent_context',
        'name', c -> 'name',
        'title', c -> 'title',
        'description', c -> 'description',
        'type', hacs_core.former_object(c -> 'type_coding', 'code'),
        'goal', c -> 'goal',
        'action', hacs_core.later_each(c -> 'action', 'former action')
    );
end
$$;
comment on function hacs_core.later_document_plan_definition_workflow(jsonb, jsonb) is
    'The document of the later form PlanDefinition/workflow, as far as columns say it';

create or replace function hacs_core.later_columns_appointment(d jsonb, substitute boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'resource_type', to_jsonb('Appointment'::text),
        'identifier', hacs_core.later_objects(d -> 'identifier', 'value'),
        'status', case when substitute then hacs_core.later_value(d -> 'status', '{proposed, pending, booked, arrived,
            fulfilled, cancelled, noshow, entered-in-error, checked-in, waitlist}', '{}', '"proposed"', true)
            else d -> 'status' end,
        'description', d -> 'description',
        'start', case when hacs_core.later_instant_text(d -> 'start') = 'null'
            or hacs_core.later_instant_text(d -> 'end') = 'null' or hacs_core.later_instant_text(d -> 'end') is null
            then null else hacs_core.later_instant_text(d -> 'start') end,
        'end', case when hacs_core.later_instant_text(d -> 'end') = 'null'
            or hacs_core.later_instant_text(d -> 'start') = 'null' or hacs_core.later_instant_text(d -> 'start') is null
            then null else hacs_core.later_instant_text(d -> 'end') end,
        'subject', hacs_core.later_object(d -> 'patient_ref', 'reference'),
        'participant', hacs_core.later_appointment_participants(d -> 'participant_refs', d -> 'patient_ref'),
        'reason', case when jsonb_typeof(d -> 'reason_text') = 'string'
            then jsonb_build_array(jsonb_build_object('concept', jsonb_build_object('text', d -> 'reason_text')))
            else d -> 'reason_text' end
    );
end
$$;
comment on function hacs_core.later_columns_appointment(jsonb, boolean) is
    'The columns of a document of the later form Appointment';

create or replace function hacs_core.later_document_appointment(c jsonb, o jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', c -> 'id',
        'resource_type', to_jsonb('Appointment'::text),
        'created_at', hacs_core.former_instant(c -> 'created_at'),
        'updated_at', hacs_core.former_instant(c -> 'updated_at'),
        'identifier', hacs_core.former_objects(c -> 'identifier', 'value'),
        'status', c -> 'status',
        'description', c -> 'description',
        'start', hacs_core.former_instant(c -> 'start'),
        'end', hacs_core.former_instant(c -> 'end'),
        'patient_ref', hacs_core.former_object(c -> 'subject', 'reference'),
        'participant_refs', hacs_core.former_appointment_participants(c -> 'participant'),
        'reason_text', coalesce(c #> '{reason, 0, concept, text}', case when jsonb_typeof(c -> 'reason') <> 'array'
            then c -> 'reason' end)
    );
end
$$;
comment on function hacs_core.later_document_appointment(jsonb, jsonb) is
    'The document of the later form Appointment, as far as columns say it';

create or replace function hacs_core.later_columns_memory_block(d jsonb, substitute boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'resource_type', to_jsonb('Memory'::text),
        'memory_type', d -> 'memory_type',
        'content', d -> 'content',
        'importance', coalesce(nullif(hacs_core.later_number(d -> 'importance_score'), 'null'), '0.5'),
        'metadata', coalesce(nullif(d -> 'context_metadata', 'null'), '{}'),
        'last_accessed', hacs_core.later_instant(d -> 'last_accessed')
    );
end
$$;
comment on function hacs_core.later_columns_memory_block(jsonb, boolean) is
    'The columns of a document of the later form MemoryBlock';

create or replace function hacs_core.later_document_memory_block(c jsonb, o jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', c -> 'id',
        'resource_type', to_jsonb('MemoryBlock'::text),
        'created_at', hacs_core.former_instant(c -> 'created_at'),
        'updated_at', hacs_core.former_instant(c -> 'updated_at'),
        'memory_type', c -> 'memory_type',
        'content', c -> 'content',
        'importance_score', c -> 'importance',
        'context_metadata', c -> 'metadata',
        'last_accessed', hacs_core.former_instant(c -> 'last_accessed')
    );
end
$$;
comment on function hacs_core.later_document_memory_block(jsonb, jsonb) is
    'The document of the later form MemoryBlock, as far as columns say it';

create or replace function hacs_core.later_columns_agent_message(d jsonb, substitute boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'resource_type', to_jsonb('AgentMessage'::text),
        'content', hacs_core.later_content(d -> 'content'),
        'role', case when substitute then hacs_core.later_value(d -> 'role', '{user, assistant, system, tool, agent,
            physician, nurse, patient, caregiver}', '{"function": "tool"}', '"agent"', true) else d -> 'role' end,
        'message_type', coalesce(nullif(case when substitute then hacs_core.later_value(d -> 'message_type',
            '{clinical_note, assessment, plan, instruction, question, response, alert, reminder, recommendation,
            summary, handoff, tool_call, tool_result}',
            '{"function_call": "tool_call", "function_result": "tool_result", "error": "alert"}', '"response"', false)
            else d -> 'message_type' end, 'null'), '"response"'),
        'status', coalesce(nullif(case when substitute then hacs_core.later_value(d -> 'status', '{draft, sent,
            delivered, read, archived}', '{}', '"sent"', false) else d -> 'status' end, 'null'), '"sent"'),
        'tool_calls', coalesce(nullif(d -> 'tool_calls', 'null'), '[]')
    );
end
$$;
comment on function hacs_core.later_columns_agent_message(jsonb, boolean) is
    'The columns of a document of the later form AgentMessage';

create or replace function hacs_core.later_document_agent_message(c jsonb, o jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', c -> 'id',
        'resource_type', to_jsonb('AgentMessage'::text),
        'created_at', hacs_core.former_instant(c -> 'created_at'),
        'updated_at', hacs_core.former_instant(c -> 'updated_at'),
        'content', c -> 'content',
        'role', c -> 'role',
        'message_type', c -> 'message_type',
        'status', c -> 'status',
        'tool_calls', c -> 'tool_calls'
    );
end
$$;
comment on function hacs_core.later_document_agent_message(jsonb, jsonb) is
    'The document of the later form AgentMessage, as far as columns say it';

create or replace function hacs_core.later_columns_task_workflow(d jsonb, substitute boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'resource_type', to_jsonb('Task'::text),
        'identifier', hacs_core.later_objects(d -> 'identifier', 'value'),
        'code', hacs_core.later_object(d -> 'code', 'text'),
        'description', d -> 'description',
        'status', d -> 'status',
        'intent', d -> 'intent',
        'priority', d -> 'priority',
        'for_', hacs_core.later_object(d -> 'subject', 'reference'),
        'requester', hacs_core.later_object(d -> 'requester', 'reference'),
        'instantiates_canonical', case when jsonb_typeof(d -> 'instantiates_canonical') = 'array'
            then d -> 'instantiates_canonical' -> 0 else d -> 'instantiates_canonical' end,
        'part_of', hacs_core.later_objects(d -> 'part_of', 'reference'),
        'execution_period', hacs_core.later_object(d -> 'execution_period_end', 'end'),
        'last_modified', hacs_core.later_instant_text(d -> 'last_modified'),
        'note', hacs_core.later_object_in_list(d -> 'note', 'text'),
        'input', hacs_core.later_parameters(d -> 'input', 'input_name'),
        'output', hacs_core.later_parameters(d -> 'output', 'output_name')
    );
end
$$;
comment on function hacs_core.later_columns_task_workflow(jsonb, boolean) is
    'The columns of a document of the later form Task/workflow';

create or replace function hacs_core.later_document_task_workflow(c jsonb, o jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', c -> 'id',
        'resource_type', to_jsonb('Task'::text),
        'created_at', hacs_core.former_instant(c -> 'created_at'),
        'updated_at', hacs_core.former_instant(c -> 'updated_at'),
        'identifier', hacs_core.former_objects(c -> 'identifier', 'value'),
        'code', case when c -> 'code' = jsonb_build_object('text', c -> 'code' -> 'text') then c -> 'code' -> 'text'
            else c -> 'code' end,
        'description', c -> 'description',
        'status', c -> 'status',
        'intent', c -> 'intent',
        'priority', c -> 'priority',
        'subject', hacs_core.former_object(c -> 'for_', 'reference'),
        'requester', hacs_core.former_object(c -> 'requester', 'reference'),
        'instantiates_canonical', case when jsonb_typeof(c -> 'instantiates_canonical') = 'string'
            then jsonb_build_array(c -> 'instantiates_canonical') else c -> 'instantiates_canonical' end,
        'part_of', hacs_core.former_objects(c -> 'part_of', 'reference'),
        'execution_period_end', hacs_core.former_object(c -> 'execution_period', 'end'),
        'last_modified', hacs_core.former_instant(c -> 'last_modified'),
        'note', hacs_core.former_object_in_list(c -> 'note', 'text'),
        'input', hacs_core.former_parameters(c -> 'input', 'input_name'),
        'output', hacs_core.former_parameters(c -> 'output', 'output_name')
    );
end
$$;
comment on function hacs_core.later_document_task_workflow(jsonb, jsonb) is
    'The document of the later form Task/workflow, as far as columns say it';

create or replace function hacs_core.later_columns_activity_definition_workflow(d jsonb, substitute boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'resource_type', to_jsonb('ActivityDefinition'::text),
        'identifier', coalesce(nullif(hacs_core.later_objects(d -> 'identifier', 'value'), 'null'), '[]'),
        'version', d -> 'version',
        'agent_context', coalesce(nullif(d -> 'agent_context', 'null'), '{}'),
        'kind', d -> 'kind',
        'name', d -> 'name',
        'title', d -> 'title',
        'description', d -> 'description',
        'purpose', d -> 'purpose',
        'status', coalesce(nullif(case when substitute then hacs_core.later_value(d -> 'status', '{draft, active,
            retired, unknown}', '{"completed": "retired", "cancelled": "retired"}', '"unknown"', false)
            else d -> 'status' end, 'null'), '"draft"'),
        'code', hacs_core.later_object(d -> 'code', 'text'),
        'participant', coalesce(nullif(hacs_core.later_objects(d -> 'participant', 'text'), 'null'), '[]')
    );
end
$$;
comment on function hacs_core.later_columns_activity_definition_workflow(jsonb, boolean) is
    'The columns of a document of the later form ActivityDefinition/workflow';

create or replace function hacs_core.later_document_activity_definition_workflow(c jsonb, o jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', c -> 'id',
        'resource_type', to_jsonb('ActivityDefinition'::text),
        'created_at', hacs_core.former_instant(c -> 'created_at'),
        'updated_at', hacs_core.former_instant(c -> 'updated_at'),
        'identifier', hacs_core.former_objects(c -> 'identifier', 'value'),
        'version', c -> 'version',
        'agent_context', c -> 'agent_context',
        'kind', c -> 'kind',
        'name', c -> 'name',
        'title', c -> 'title',
        'description', c -> 'description',
        'purpose', c -> 'purpose',
        'status', c -> 'status',
        'code', case when c -> 'code' = jsonb_build_object('text', c -> 'code' -> 'text') then c -> 'code' -> 'text'
            else c -> 'code' end,
        'participant', hacs_core.former_objects(c -> 'participant', 'text')
    );
end
$$;
comment on function hacs_core.later_document_activity_definition_workflow(jsonb, jsonb) is
    'The document of the later form ActivityDefinition/workflow, as far as columns say it';

-- Of all forms. id and times are filled in where a document does not have them, and not said here then.
create or replace function hacs_core.later_columns(form text, document jsonb, substitute boolean)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return case form
        when 'Organization' then hacs_core.later_columns_organization(document, substitute)
        when 'OrganizationContact' then hacs_core.later_columns_organization_contact(document, substitute)
        when 'Patient' then hacs_core.later_columns_patient(document, substitute)
        when 'Encounter' then hacs_core.later_columns_encounter(document, substitute)
        when 'Observation' then hacs_core.later_columns_observation(document, substitute)
        when 'Condition' then hacs_core.later_columns_condition(document, substitute)
        when 'Medication' then hacs_core.later_columns_medication(document, substitute)
        when 'MedicationRequest' then hacs_core.later_columns_medication_request(document, substitute)
        when 'Procedure' then hacs_core.later_columns_procedure(document, substitute)
        when 'AllergyIntolerance' then hacs_core.later_columns_allergy_intolerance(document, substitute)
        when 'Goal' then hacs_core.later_columns_goal(document, substitute)
        when 'ServiceRequest' then hacs_core.later_columns_service_request(document, substitute)
        when 'ServiceRequest/workflow' then hacs_core.later_columns_service_request_workflow(document, substitute)
        when 'FamilyMemberHistory' then hacs_core.later_columns_family_member_history(document, substitute)
        when 'PlanDefinition' then hacs_core.later_columns_plan_definition(document, substitute)
        when 'PlanDefinition/workflow' then hacs_core.later_columns_plan_definition_workflow(document, substitute)
        when 'Appointment' then hacs_core.later_columns_appointment(document, substitute)
        when 'MemoryBlock' then hacs_core.later_columns_memory_block(document, substitute)
        when 'AgentMessage' then hacs_core.later_columns_agent_message(document, substitute)
        when 'Task/workflow' then hacs_core.later_columns_task_workflow(document, substitute)
        when 'ActivityDefinition/workflow' then hacs_core.later_columns_activity_definition_workflow(document,
            substitute)
    end || jsonb_strip_nulls(jsonb_build_object(
        'id', document -> 'id', 'created_at', hacs_core.later_instant(document -> 'created_at'),
        'updated_at', hacs_core.later_instant(document -> 'updated_at')
    ));
end
$$;
comment on function hacs_core.later_columns(text, jsonb, boolean) is
    'The columns of a document of a later form, by name; substitute: with what stands for what a rule asks and it '
    'does not say';

create or replace function hacs_core.later_document(form text, columns jsonb, kept jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return case form
        when 'Organization' then hacs_core.later_document_organization(columns, kept)
        when 'OrganizationContact' then hacs_core.later_document_organization_contact(columns, kept)
        when 'Patient' then hacs_core.later_document_patient(columns, kept)
        when 'Encounter' then hacs_core.later_document_encounter(columns, kept)
        when 'Observation' then hacs_core.later_document_observation(columns, kept)
        when 'Condition' then hacs_core.later_document_condition(columns, kept)
        when 'Medication' then hacs_core.later_document_medication(columns, kept)
        when 'MedicationRequest' then hacs_core.later_document_medication_request(columns, kept)
        when 'Procedure' then hacs_core.later_document_procedure(columns, kept)
        when 'AllergyIntolerance' then hacs_core.later_document_allergy_intolerance(columns, kept)
        when 'Goal' then hacs_core.later_document_goal(columns, kept)
        when 'ServiceRequest' then hacs_core.later_document_service_request(columns, kept)
        when 'ServiceRequest/workflow' then hacs_core.later_document_service_request_workflow(columns, kept)
        when 'FamilyMemberHistory' then hacs_core.later_document_family_member_history(columns, kept)
        when 'PlanDefinition' then hacs_core.later_document_plan_definition(columns, kept)
        when 'PlanDefinition/workflow' then hacs_core.later_document_plan_definition_workflow(columns, kept)
        when 'Appointment' then hacs_core.later_document_appointment(columns, kept)
        when 'MemoryBlock' then hacs_core.later_document_memory_block(columns, kept)
        when 'AgentMessage' then hacs_core.later_document_agent_message(columns, kept)
        when 'Task/workflow' then hacs_core.later_document_task_workflow(columns, kept)
        when 'ActivityDefinition/workflow' then hacs_core.later_document_activity_definition_workflow(columns, kept)
    end;
end
$$;
comment on function hacs_core.later_document(text, jsonb, jsonb) is
    'The document of a later form of its columns; kept: the document that they were made of, for what goes back in '
    'part';

-- Null into these, although they have a default: it would state what no document said.
create or replace function hacs_core.later_unset(form text)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select coalesce(jsonb_object_agg(u.name, null), '{}')
        from unnest(case form
            when 'Organization' then '{part_of_organization_name}'
            when 'Encounter' then '{priority, appointment, part_of, hospitalization}'
            when 'Observation' then '{code_text, effective_period, value_numeric, unit_text, subject_reference,
                normal_range_text, confidence, source}'
            when 'Condition' then '{condition_name, condition_description, condition_category, condition_severity,
                anatomical_location, chief_complaint, onset_description, duration_description, progression_status,
                current_status_description, treatment_response, functional_impact, quality_of_life_impact, prognosis,
                diagnosing_provider, managing_provider, condition_notes, patient_concerns, family_history_relevant}'
            when 'Medication' then '{medication_name, dosage_form, package_size, lot_number, expiration_date,
                drug_class, controlled_substance, controlled_substance_schedule, requires_prescription,
                over_the_counter, storage_requirements, typical_cost}'
            when 'MedicationRequest'
                then '{status_reason, status_note, prescription_type, medication_name, generic_name, brand_name,
                prescribed_by, performer_type, to_be_given_by, recorder, prescribed_for, prescribed_for_details,
                group_identifier, course_of_therapy_type, treatment_plan, instructions, pharmacy_notes, dosage, route,
                quantity_to_dispense, refills_remaining, days_supply, generic_substitution_allowed, prior_prescription,
                allergies_checked, cost_estimate, covered_by_insurance, therapeutic_goal, monitoring_required,
                monitoring_schedule}'
            when 'Procedure' then '{procedure_category, focus, occurrence_string, occurrence_age, occurrence_range,
                occurrence_timing, recorded, recorder, reported_boolean, reported_reference, procedure_name,
                procedure_description, indication, clinical_reasoning, anatomical_location, procedure_outcome,
                outcome_description, performing_physician, facility, urgency, follow_up_required, anesthesia_type,
                procedure_notes, consent_obtained, patient_satisfaction, estimated_cost}'
            when 'AllergyIntolerance'
                then '{allergy_type, allergen_name, allergen_description, onset_age, onset_period, onset_range,
                onset_string, started_when, recorded_date, reported_by, notes, severity_assessment, management_plan,
                emergency_action, carries_epinephrine}'
            when 'Goal' then '{continuous, goal_name, goal_description, goal_category, goal_priority, goal_timeframe,
                target_date, target_value, current_value, measurement_method, progress_description, percent_complete,
                success_criteria, barriers, patient_motivation, importance_to_patient, confidence_level,
                responsible_provider, review_frequency, achievement_date, final_result, lessons_learned, goal_notes,
                patient_feedback}'
            when 'ServiceRequest'
                then '{quantity_ratio, quantity_range, focus, occurrence_period, body_structure, service_name,
                service_description, urgency_level, expected_duration, preparation_required, preparation_instructions,
                clinical_indication, ordering_provider_name, performing_department, estimated_cost,
                requires_authorization, contraindications, expected_outcomes}'
            when 'ServiceRequest/workflow'
                then '{instantiates_canonical, instantiates_uri, based_on, replaces, requisition, category, priority,
                do_not_perform, quantity_quantity, quantity_ratio, quantity_range, focus, encounter,
                occurrence_date_time, occurrence_period, occurrence_timing, as_needed_boolean,
                as_needed_codeable_concept, authored_on, performer_type, performer, location, reason, insurance,
                supporting_info, body_structure, note, relevant_history, service_name, service_description,
                urgency_level, expected_duration, preparation_required, preparation_instructions, clinical_indication,
                ordering_provider_name, performing_department, estimated_cost, requires_authorization,
                contraindications, expected_outcomes}'
            when 'FamilyMemberHistory'
                then '{instantiates_canonical, instantiates_uri, data_absent_reason, date, participant, born_period,
                born_date, born_string, age_age, age_range, age_string, estimated_age, deceased_boolean, deceased_age,
                deceased_range, deceased_date, deceased_string, reason, note, procedure, family_member_name,
                relationship_description, current_age_display, birth_info_display, death_info_display,
                gender_description, living_status, has_significant_history, genetic_risk_factors, summary_description}'
            when 'PlanDefinition'
                then '{type_coding, plan_type, subject_codeable_concept, subject_reference, subject_canonical, usage,
                copyright_label}'
            when 'PlanDefinition/workflow'
                then '{url, subtitle, plan_type, subject_codeable_concept, subject_reference, subject_canonical, date,
                publisher, purpose, usage, copyright, copyright_label, approval_date, last_review_date,
                effective_period}'
            when 'Appointment' then '{cancellation_reason, class_, service_category, service_type, specialty,
                appointment_type, priority, replaces, virtual_service, supporting_information, previous_appointment,
                originating_appointment, minutes_duration, requested_period, slot, account, created, cancellation_date,
                note, patient_instruction, based_on, recurrence_id, occurrence_changed, recurrence_template,
                appointment_title, patient_name, provider_name, location_name, duration_minutes, is_virtual,
                is_recurring, urgency_level, preparation_required, confirmation_required, can_reschedule,
                estimated_cost, insurance_required}'
            when 'MemoryBlock' then '{actor_id}'
            when 'AgentMessage' then '{parent_message_id, in_reply_to, thread_id, summary, sender_id,
                response_deadline, patient_id}'
            when 'Task/workflow' then '{instantiates_uri, based_on, group_identifier, status_reason, business_status,
                do_not_perform, focus, encounter, requested_period, authored_on, requested_performer, owner, performer,
                location, reason, insurance, relevant_history, restriction, task_title, task_summary, assigned_to,
                created_by, urgency_level, completion_percentage, estimated_duration, actual_duration, workflow_stage,
                dependencies, deliverables, quality_requirements}'
            when 'ActivityDefinition/workflow'
                then '{url, subtitle, date, publisher, usage, copyright, copyright_label, approval_date,
                last_review_date, effective_period, profile, intent, priority, do_not_perform, timing_timing,
                timing_datetime, timing_age, timing_period, timing_range, timing_duration, location, product_reference,
                product_codeable_concept, quantity, transform}'
        end::text[]) as u (name)
    );
end
$$;
comment on function hacs_core.later_unset(text) is
    'The columns of which a later form says nothing, and that are not left to their default';

-- Where a key alone makes a column of the same name, nothing is said.
create or replace function hacs_core.later_entries(form text)
returns table (keys text[], columns text[])
language sql immutable parallel safe
begin atomic
    with entries (form, keys, columns) as (
        values
            ('Organization', '{type}'::text[], '{organization_type}'::text[]),
            ('Organization', '{telecom}'::text[], '{primary_email, primary_phone, website}'::text[]),
            ('Organization', '{address}'::text[], '{address_line, city, state, postal_code, country}'::text[]),
            ('Organization', '{part_of}'::text[], '{part_of_organization_id}'::text[]),
            ('Organization', '{contact}'::text[], '{contacts}'::text[]),
            ('Organization', '{endpoint}'::text[], '{endpoint_urls}'::text[]),
            ('OrganizationContact', '{name}'::text[], '{contact_name}'::text[]),
            ('OrganizationContact', '{telecom}'::text[], '{email, phone, fax}'::text[]),
            ('OrganizationContact', '{address}'::text[], '{address_line, city, state, postal_code, country}'::text[]),
            ('Patient', '{name}'::text[], '{given, family, prefix, suffix}'::text[]),
            ('Patient', '{deceased_boolean, deceased_date_time}'::text[], '{deceased, deceased_date}'::text[]),
            ('Patient', '{identifier}'::text[], '{identifiers}'::text[]),
            ('Patient', '{care_provider}'::text[], '{care_team}'::text[]),
            ('Patient', '{contact}'::text[], '{emergency_contact}'::text[]),
            ('Encounter', '{class_}'::text[], '{class_fhir}'::text[]),
            ('Encounter', '{participant}'::text[], '{participants}'::text[]),
            ('Encounter', '{period_start, period_end}'::text[], '{period}'::text[]),
            ('Observation', '{effective_date_time}'::text[], '{effective_datetime}'::text[]),
            ('Observation', '{note}'::text[], '{notes}'::text[]),
            ('Medication', '{code, generic_name, brand_name}'::text[], '{code, generic_name, brand_name}'::text[]),
            ('Procedure', '{performed_date_time, performed_period_start, performed_period_end}'::text[],
                '{occurrence_date_time, occurrence_period}'::text[]),
            ('Goal', '{expressed_by}'::text[], '{source}'::text[]),
            ('Goal', '{outcome_code, outcome_reference}'::text[], '{outcome}'::text[]),
            ('ServiceRequest', '{occurrence_datetime}'::text[], '{occurrence_date_time}'::text[]),
            ('ServiceRequest', '{location_code, location_reference}'::text[], '{location}'::text[]),
            ('ServiceRequest', '{reason_code, reason_reference}'::text[], '{reason}'::text[]),
            ('FamilyMemberHistory', '{patient_ref}'::text[], '{patient}'::text[]),
            ('FamilyMemberHistory', '{relationship_text}'::text[], '{relationship}'::text[]),
            ('FamilyMemberHistory', '{condition_text, outcome_text, contributed_to_death}'::text[],
                '{condition}'::text[]),
            ('PlanDefinition/workflow', '{type}'::text[], '{type_coding}'::text[]),
            ('Appointment', '{start, end}'::text[], '{start, end}'::text[]),
            ('Appointment', '{patient_ref, participant_refs}'::text[], '{subject, participant}'::text[]),
            ('Appointment', '{reason_text}'::text[], '{reason}'::text[]),
            ('MemoryBlock', '{importance_score}'::text[], '{importance}'::text[]),
            ('MemoryBlock', '{context_metadata}'::text[], '{metadata}'::text[]),
            ('Task/workflow', '{subject}'::text[], '{for_}'::text[]),
            ('Task/workflow', '{execution_period_end}'::text[], '{execution_period}'::text[])
    )
    select e.keys, e.columns from entries as e where e.form = later_entries.form
    union all
    select array[k.key], array[k.key]
    from jsonb_object_keys(hacs_core.later_document(later_entries.form, '{}', '{}')) as k (key)
    where not exists (select 1 from entries as e where e.form = later_entries.form and k.key = any (e.keys));
end;
comment on function hacs_core.later_entries(text) is 'Which keys of a later form make which columns together';

-------------------------------------------------------------------------------------------------------------------
-- How a document tells its form: by its keys, never by its version.
-------------------------------------------------------------------------------------------------------------------

-- only_later, only_former: keys that one of the generations alone has. shapes: where a document has neither, what a key
-- looks like that both have. A document that says nothing of either is one of 0.3: the columns are the same.
create or replace function hacs_core.later_signs()
returns table (later_type text, resource_type text, only_later text[], only_former text[], shapes jsonpath)
language sql immutable parallel safe
begin atomic
    values
        (
            'Organization', 'Organization',
            '{address, agent_context, agent_meta, anonymous, contact, contained, endpoint, extension, implicit_rules,
                language, meta_profile, meta_security, meta_source, meta_tag, modifier_extension, part_of, status,
                telecom, text, type, version}'::text[],
            '{address_line, city, contacts, country, endpoint_urls, organization_type, part_of_organization_id,
                part_of_organization_name, postal_code, primary_email, primary_phone, qualifications, state, tags,
                website}'::text[],
            'strict (exists($.identifier ? (@.type() == "array")[*] ? (@.type() == "object")))'::jsonpath
        ),
        (
            'OrganizationContact', 'OrganizationContact',
            '{address, agent_context, agent_meta, contained, extension, identifier, implicit_rules, language,
                meta_profile, meta_security, meta_source, meta_tag, modifier_extension, name, status, telecom, text,
                version}'::text[],
            '{address_line, city, contact_name, country, email, fax, phone, postal_code, state}'::text[],
            null::jsonpath
        ),
        (
            'Patient', 'Patient',
            '{agent_meta, anonymous, care_provider, communication_preference, contact, contained, deceased_boolean,
                deceased_date_time, extension, identifier, implicit_rules, link, meta_profile, meta_security,
                meta_source, meta_tag, modifier_extension, multiple_birth_boolean, multiple_birth_integer, name, photo,
                status, text, version}'::text[],
            '{care_team, deceased, deceased_date, emergency_contact, family, given, identifiers, prefix,
                suffix}'::text[],
            null::jsonpath
        ),
        (
            'Encounter', 'Encounter',
            '{agent_meta, class_, contained, extension, identifier, implicit_rules, language, meta_profile,
                meta_security, meta_source, meta_tag, modifier_extension, participant, period_end, period_start, text,
                version}'::text[],
            '{account, appointment, based_on, class_fhir, hospitalization, location, part_of, participants, period,
                priority, type}'::text[],
            null::jsonpath
        ),
        (
            'Observation', 'Observation',
            '{agent_context, agent_meta, contained, derived_from, device, effective_date_time, extension, has_member,
                identifier, implicit_rules, interpretation_detail, language, meta_profile, meta_security, meta_source,
                meta_tag, method, modifier_extension, performer, text, version}'::text[],
            '{code_text, component, confidence, effective_datetime, effective_period, normal_range_text, notes, source,
                subject_reference, unit_text, value_numeric}'::text[],
            'strict ($.data_absent_reason.type() == "object")'::jsonpath
        ),
        (
            'Condition', 'Condition',
            '{agent_context, agent_meta, asserter, contained, extension, implicit_rules, language, meta_profile,
                meta_security, meta_source, meta_tag, modifier_extension, recorder, status, text, version}'::text[],
            '{anatomical_location, chief_complaint, complications, condition_category, condition_description,
                condition_name, condition_notes, condition_severity, current_status_description, current_treatment,
                diagnosing_provider, duration_description, family_history_relevant, functional_impact,
                managing_provider, onset_description, participant, patient_concerns, presenting_symptoms, prognosis,
                progression_status, quality_of_life_impact, related_conditions, risk_factors,
                treatment_response}'::text[],
            'strict ($.subject.type() == "string") || ($.encounter.type() == "string")
                || (exists($.note ? (@.type() == "array")[*] ? (@.type() == "string")))'::jsonpath
        ),
        (
            'Medication', 'Medication',
            '{agent_context, agent_meta, category, contained, extension, implicit_rules, language, meta_profile,
                meta_security, meta_source, meta_tag, modifier_extension, ndc, schedule, special_handling,
                strength_description, text, version}'::text[],
            '{active_ingredients, alternatives, contraindications, controlled_substance, controlled_substance_schedule,
                dosage_form, drug_class, expiration_date, inactive_ingredients, indications, lot_number,
                medication_name, over_the_counter, package_size, requires_prescription, side_effects,
                storage_requirements, typical_cost, warnings}'::text[],
            'strict (exists($.identifier ? (@.type() == "array")[*] ? (@.type() == "string")))'::jsonpath
        ),
        (
            'MedicationRequest', 'MedicationRequest',
            '{agent_context, agent_meta, contained, extension, implicit_rules, language, meta_profile, meta_security,
                meta_source, meta_tag, modifier_extension, text, version}'::text[],
            '{allergies_checked, based_on, brand_name, contraindications, cost_estimate, course_of_therapy_type,
                covered_by_insurance, days_supply, detected_issue, dosage, drug_interactions, event_history,
                generic_name, generic_substitution_allowed, group_identifier, instantiates_canonical, instantiates_uri,
                instructions, insurance, medication_name, monitoring_required, monitoring_schedule, performer_type,
                pharmacy_notes, prescribed_by, prescribed_for, prescribed_for_details, prescription_type,
                prior_prescription, quantity_to_dispense, recorder, refills_remaining, route, status_note,
                status_reason, supporting_information, therapeutic_goal, to_be_given_by, treatment_plan}'::text[],
            'strict (exists($.identifier ? (@.type() == "array")[*] ? (@.type() == "string")))
                || (exists($.note ? (@.type() == "array")[*] ? (@.type() == "string")))'::jsonpath
        ),
        (
            'Procedure', 'Procedure',
            '{agent_context, agent_meta, complication_detail, contained, extension, implicit_rules, language,
                meta_profile, meta_security, meta_source, meta_tag, modifier_extension, performed_date_time,
                performed_period_end, performed_period_start, text, used_code, version}'::text[],
            '{anatomical_location, anesthesia_type, based_on, clinical_reasoning, complications, consent_obtained,
                equipment_used, estimated_cost, facility, focus, follow_up_instructions, follow_up_required, indication,
                instantiates_canonical, instantiates_uri, occurrence_age, occurrence_date_time, occurrence_period,
                occurrence_range, occurrence_string, occurrence_timing, outcome_description, part_of,
                patient_satisfaction, performing_physician, procedure_category, procedure_description, procedure_name,
                procedure_notes, procedure_outcome, reason, recorded, recorder, reported_boolean, reported_reference,
                supporting_info, urgency, used}'::text[],
            'strict (exists($.identifier ? (@.type() == "array")[*] ? (@.type() == "string")))
                || ($.category.type() == "object") || ($.subject.type() == "string")
                || ($.encounter.type() == "string") || ($.location.type() == "string")
                || (exists($.reason_reference ? (@.type() == "array")[*] ? (@.type() == "string")))
                || (exists($.report ? (@.type() == "array")[*] ? (@.type() == "string")))
                || (exists($.note ? (@.type() == "array")[*] ? (@.type() == "string")))
                || (exists($.used_reference ? (@.type() == "array")[*] ? (@.type() == "string")))'::jsonpath
        ),
        (
            'AllergyIntolerance', 'AllergyIntolerance',
            '{agent_context, agent_meta, contained, extension, implicit_rules, language, meta_profile, meta_security,
                meta_source, meta_tag, modifier_extension, status, text, version}'::text[],
            '{allergen_description, allergen_name, allergy_type, carries_epinephrine, emergency_action, management_plan,
                notes, onset_age, onset_period, onset_range, onset_string, recorded_date, reported_by,
                severity_assessment, started_when}'::text[],
            'strict (exists($.identifier ? (@.type() == "array")[*] ? (@.type() == "string")))
                || ($.note.type() == "string")'::jsonpath
        ),
        (
            'Goal', 'Goal',
            '{agent_context, agent_meta, contained, expressed_by, extension, implicit_rules, language, meta_profile,
                meta_security, meta_source, meta_tag, modifier_extension, outcome_code, outcome_reference, status, text,
                version}'::text[],
            '{achievement_date, action_steps, barriers, confidence_level, continuous, current_value, final_result,
                goal_category, goal_description, goal_name, goal_notes, goal_priority, goal_timeframe,
                importance_to_patient, lessons_learned, measurement_method, monitoring_method, outcome,
                patient_feedback, patient_motivation, percent_complete, progress_description, related_conditions,
                related_medications, responsible_provider, review_frequency, source, success_criteria, support_needed,
                target_date, target_value, team_members}'::text[],
            'strict ($.subject.type() == "string") || ($.achievement_status.type() == "object")
                || (exists($.addresses ? (@.type() == "array")[*] ? (@.type() == "string")))
                || (exists($.note ? (@.type() == "array")[*] ? (@.type() == "string")))'::jsonpath
        ),
        (
            'ServiceRequest', 'ServiceRequest',
            '{agent_context, agent_meta, contained, extension, implicit_rules, language, location_code,
                location_reference, meta_profile, meta_security, meta_source, meta_tag, modifier_extension,
                occurrence_datetime, reason_code, reason_reference, text, version}'::text[],
            '{body_structure, clinical_indication, contraindications, estimated_cost, expected_duration,
                expected_outcomes, focus, location, occurrence_date_time, ordering_provider_name, performing_department,
                preparation_instructions, preparation_required, reason, requires_authorization, service_description,
                service_name, urgency_level}'::text[],
            'strict (exists($.identifier ? (@.type() == "array")[*] ? (@.type() == "string")))
                || (exists($.based_on ? (@.type() == "array")[*] ? (@.type() == "string")))
                || (exists($.replaces ? (@.type() == "array")[*] ? (@.type() == "string")))
                || ($.requisition.type() == "string") || ($.quantity_ratio.type() == "string")
                || ($.quantity_range.type() == "string") || ($.subject.type() == "string")
                || ($.encounter.type() == "string") || ($.occurrence_period.type() == "string")
                || ($.occurrence_timing.type() == "string") || ($.requester.type() == "string")
                || (exists($.performer ? (@.type() == "array")[*] ? (@.type() == "string")))
                || (exists($.insurance ? (@.type() == "array")[*] ? (@.type() == "string")))
                || (exists($.supporting_info ? (@.type() == "array")[*] ? (@.type() == "string")))
                || (exists($.specimen ? (@.type() == "array")[*] ? (@.type() == "string")))
                || (exists($.note ? (@.type() == "array")[*] ? (@.type() == "string")))
                || (exists($.patient_instruction ? (@.type() == "array")[*] ? (@.type() == "string")))
                || ($.patient_instruction.type() == "string")
                || (exists($.relevant_history ? (@.type() == "array")[*] ? (@.type() == "string")))'::jsonpath
        ),
        (
            'FamilyMemberHistory', 'FamilyMemberHistory',
            '{agent_context, agent_meta, condition_text, contained, contributed_to_death, extension, implicit_rules,
                language, meta_profile, meta_security, meta_source, meta_tag, modifier_extension, outcome_text,
                patient_ref, relationship_text, text, version}'::text[],
            '{age_age, age_range, age_string, birth_info_display, born_date, born_period, born_string, condition,
                current_age_display, data_absent_reason, date, death_info_display, deceased_age, deceased_boolean,
                deceased_date, deceased_range, deceased_string, estimated_age, family_member_name, gender_description,
                genetic_risk_factors, has_significant_history, instantiates_canonical, instantiates_uri, living_status,
                note, participant, patient, procedure, reason, relationship, relationship_description,
                summary_description}'::text[],
            'strict (exists($.identifier ? (@.type() == "array")[*] ? (@.type() == "string")))
                || ($.sex.type() == "string")'::jsonpath
        ),
        (
            'PlanDefinition', 'PlanDefinition',
            '{agent_meta, contained, extension, implicit_rules, language, meta_profile, meta_security, meta_source,
                meta_tag, modifier_extension, text, type, type_}'::text[],
            '{copyright_label, execution_metadata, plan_type, subject_canonical, type_coding}'::text[],
            'strict (exists($.identifier ? (@.type() == "array")[*] ? (@.type() == "string")))
                || (exists($.contact ? (@.type() == "array")[*] ? (@.type() == "string")))
                || (exists($.use_context ? (@.type() == "array")[*] ? (@.type() == "string")))
                || (exists($.jurisdiction ? (@.type() == "array")[*] ? (@.type() == "string")))
                || (exists($.topic ? (@.type() == "array")[*] ? (@.type() == "string")))
                || (exists($.author ? (@.type() == "array")[*] ? (@.type() == "string")))
                || (exists($.editor ? (@.type() == "array")[*] ? (@.type() == "string")))
                || (exists($.reviewer ? (@.type() == "array")[*] ? (@.type() == "string")))
                || (exists($.endorser ? (@.type() == "array")[*] ? (@.type() == "string")))
                || (exists($.related_artifact ? (@.type() == "array")[*] ? (@.type() == "string")))'::jsonpath
        ),
        (
            'Appointment', 'Appointment',
            '{agent_context, agent_meta, contained, extension, implicit_rules, language, meta_profile, meta_security,
                meta_source, meta_tag, modifier_extension, participant_refs, patient_ref, reason_text, text,
                version}'::text[],
            '{account, appointment_title, appointment_type, based_on, can_reschedule, cancellation_date,
                cancellation_reason, class_, confirmation_required, created, duration_minutes, estimated_cost,
                insurance_required, is_recurring, is_virtual, location_name, minutes_duration, note, occurrence_changed,
                originating_appointment, participant, patient_instruction, patient_name, preparation_required,
                previous_appointment, priority, provider_name, reason, recurrence_id, recurrence_template, replaces,
                requested_period, service_category, service_type, slot, specialty, subject, supporting_information,
                urgency_level, virtual_service}'::text[],
            'strict (exists($.identifier ? (@.type() == "array")[*] ? (@.type() == "string")))'::jsonpath
        ),
        (
            'MemoryBlock', 'Memory',
            '{access_count, agent_context, agent_meta, confidence_score, context_metadata, identifier, implicit_rules,
                importance_score, language, last_accessed_at, last_summarized, meta_profile, meta_security, meta_source,
                meta_tag, related_memories, summary, tags, vector_id, version}'::text[],
            '{actor_id, importance, metadata}'::text[],
            null::jsonpath
        ),
        (
            'AgentMessage', 'AgentMessage',
            '{additional_kwargs, agent_context, agent_meta, attachments, category, description, event_code,
                event_system, experimental, identifier, implicit_rules, language, meta_profile, meta_security,
                meta_source, meta_tag, name, publisher, purpose, response_metadata, title, url, version}'::text[],
            '{action_items, clinical_context, confidence_score, evidence_references, in_reply_to, memory_handles,
                metadata, parent_message_id, patient_id, priority, provenance, reasoning_trace, recipient_ids,
                related_to, requires_response, response_deadline, sender_id, summary, tags, thread_id}'::text[],
            'strict ($.content.type() == "array")'::jsonpath
        ),
        (
            'Task', 'Task',
            '{agent_context, agent_meta, execution_period_end, implicit_rules, language, meta_profile, meta_security,
                meta_source, meta_tag, subject, version}'::text[],
            '{actual_duration, assigned_to, authored_on, based_on, business_status, completion_percentage, created_by,
                deliverables, dependencies, do_not_perform, encounter, estimated_duration, execution_period, focus,
                for_, group_identifier, instantiates_uri, insurance, location, owner, performer, quality_requirements,
                reason, relevant_history, requested_performer, requested_period, restriction, status_reason,
                task_summary, task_title, urgency_level, workflow_stage}'::text[],
            'strict (exists($.identifier ? (@.type() == "array")[*] ? (@.type() == "string")))
                || (exists($.instantiates_canonical ? (@.type() == "array")[*] ? (@.type() == "string")))
                || (exists($.part_of ? (@.type() == "array")[*] ? (@.type() == "string")))
                || ($.code.type() == "string") || ($.requester.type() == "string")
                || ($.note.type() == "string")'::jsonpath
        ),
        (
            'ActivityDefinition', 'ActivityDefinition',
            '{agent_meta, implicit_rules, language, meta_profile, meta_security, meta_source, meta_tag}'::text[],
            '{approval_date, author, body_site, contact, copyright, copyright_label, date, do_not_perform, dosage,
                dynamic_value, editor, effective_period, endorser, execution_metadata, experimental, intent,
                jurisdiction, last_review_date, library, location, observation_requirement,
                observation_result_requirement, priority, product_codeable_concept, product_reference, profile,
                publisher, quantity, related_artifact, reviewer, specimen_requirement, subtitle, timing_age,
                timing_datetime, timing_duration, timing_period, timing_range, timing_timing, topic, transform, url,
                usage, use_context}'::text[],
            'strict (exists($.identifier ? (@.type() == "array")[*] ? (@.type() == "string")))
                || ($.code.type() == "string") || (exists($.participant[*] ? (@.type() != "object")))'::jsonpath
        );
end;
comment on function hacs_core.later_signs() is 'What tells a later document of a type from one of 0.3';
-- The form of a document that may be a later one (its type's condition in put says so): null where it is one of 0.3,
-- and "unclear" where its keys are of both.
create or replace function hacs_core.later_form(document jsonb, of_type text)
returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    signs record;
    is_later boolean;
begin
    select s.* into signs from hacs_core.later_signs() as s where s.later_type = of_type;
    if document ? 'hacs:generation' then
        return 'unclear';
    elsif not found then
        return null;
    end if;
    is_later := document ?| signs.only_later;
    if is_later and document ?| signs.only_former then
        return 'unclear';
    elsif not is_later and (document ?| signs.only_former or (document @@ signs.shapes) is not true) then
        return null;
    end if;
    return case
        when of_type in ('Task', 'ActivityDefinition') then of_type || '/workflow'
        -- a variant of its own, without the keys of every resource of a domain
        when of_type = 'ServiceRequest' and not document ?| '{contained, modifier_extension, category, priority}'
            and jsonb_typeof(coalesce(document -> 'code', 'null')) in ('string', 'null') then 'ServiceRequest/workflow'
        when of_type = 'PlanDefinition' and not document ?| '{contained, modifier_extension, url, subtitle}'
            then 'PlanDefinition/workflow'
        else of_type
    end;
end
$$;
comment on function hacs_core.later_form(jsonb, text) is
    'The form of a document that may be a later one: null for 0.3, unclear for keys of both';

create or replace function hacs_core.unclear_form(document jsonb, of_type text)
returns hacs_core.fault
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    fault hacs_core.fault;
    signs record;
    later text;
    former text;
begin
    select s.* into signs from hacs_core.later_signs() as s where s.later_type = of_type;
    select min(k) into later from unnest(signs.only_later) as k where document ? k;
    select min(k) into former from unnest(signs.only_former) as k where document ? k;
    fault.code := '22023';
    fault.column_name := case when document ? 'hacs:generation' then 'hacs:generation' else later end;
    fault.message := case when document ? 'hacs:generation'
        then format('%s has the key hacs:generation, which is not a document''s', of_type)
        else format('%s has keys of two generations: %s is of 0.3, %s of 0.4', of_type, former, later) end;
    return fault;
end
$$;
comment on function hacs_core.unclear_form(jsonb, text) is 'Why nobody can say of which generation a document is';

-------------------------------------------------------------------------------------------------------------------
-- There and back, whole documents.
-------------------------------------------------------------------------------------------------------------------

-- columns: the document in the form of 0.3; kept: what goes into extra beside it.
create or replace function hacs_core.from_later(
    document jsonb, form text, substitute boolean default true, out columns jsonb, out kept jsonb
)
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    back jsonb;
    absent jsonb;
begin
    if document ? 'resourceType' then
        document := document - 'resourceType'
            || jsonb_build_object('resource_type', coalesce(document -> 'resource_type', document -> 'resourceType'));
    end if;
    columns := hacs_core.later_columns(form, document, substitute);
    back := hacs_core.later_document(form, columns, '{}');
    select jsonb_object_agg(d.key, d.value) into kept
    from jsonb_each(document) as d
    where (back -> d.key is distinct from d.value or jsonb_typeof(d.value) = 'number'
        and back ->> d.key <> d.value #>> '{}')
        and not (d.value = 'null' and d.key in ('id', 'created_at', 'updated_at'));
    select coalesce(jsonb_agg(b.key), '[]') into absent
    from jsonb_object_keys(back) as b (key)
    where not document ? b.key and b.key <> 'id';
    -- a part says by itself whose it is, in both generations
    if form = 'OrganizationContact' and document ? 'organization_id' then
        columns := columns || jsonb_build_object('organization_id', document -> 'organization_id');
        kept := kept - 'organization_id';
    end if;
    columns := columns || hacs_core.later_unset(form);
    kept := coalesce(kept, '{}') || jsonb_build_object('hacs:generation', jsonb_build_object(
        'model', '0.4', 'type', form, 'absent', absent
    ));
end
$$;
comment on function hacs_core.from_later(jsonb, text, boolean) is
    'A later document in the form of 0.3, and what is kept of it in extra: what does not come back from the columns '
    'exactly';

-- What is kept counts while the columns are what it was turned into; what was changed since, counts.
create or replace function hacs_core.to_later(columns jsonb, extra jsonb)
returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    form constant text := extra #>> '{hacs:generation,type}';
    absent constant text[] := array(select jsonb_array_elements_text(extra #> '{hacs:generation,absent}'));
    kept constant jsonb := extra - 'hacs:generation';
    back constant jsonb := hacs_core.later_document(form, columns, kept);
    document jsonb := (back - absent) || kept;
    made jsonb;
    entry record;
begin
    if back is null then
        return columns || extra;
    end if;
    made := hacs_core.later_columns(form, document, true);
    if hacs_core.holds_columns(columns, made)
        or hacs_core.holds_columns(columns, hacs_core.later_columns(form, document, false)) then
        return document || hacs_core.filled_in(columns, document, absent);
    end if;
    for entry in select * from hacs_core.later_entries(form) loop
        if not hacs_core.holds_columns(
            columns, (select jsonb_object_agg(c, made -> c) from unnest(entry.columns) as c where made ? c)
        ) then
            document := document || (select jsonb_object_agg(k, back -> k) from unnest(entry.keys) as k);
        end if;
    end loop;
    return document || hacs_core.filled_in(columns, document, absent);
end
$$;
comment on function hacs_core.to_later(jsonb, jsonb) is
    'A row, as the fields of 0.3 and extra, in the later form in which it came, with what was changed since';

create or replace function hacs_core.holds_columns(columns jsonb, made jsonb)
returns boolean
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    -- the contacts of an organization are rows, of which more is known
    return made is null or columns || (made - 'contacts') = columns and (not made ? 'contacts'
        or jsonb_array_length(columns -> 'contacts') = jsonb_array_length(made -> 'contacts') and not exists (
            select 1
            from jsonb_array_elements(made -> 'contacts') with ordinality as m (value, place)
            where (columns -> 'contacts' -> (m.place - 1)::integer)
                || m.value <> columns -> 'contacts' -> (m.place - 1)::integer
        ));
end
$$;
comment on function hacs_core.holds_columns(jsonb, jsonb) is
    'Whether columns still are what a later document was turned into';

create or replace function hacs_core.filled_in(columns jsonb, document jsonb, absent text[])
returns jsonb
language sql immutable parallel safe
return jsonb_strip_nulls(jsonb_build_object(
    'id', columns -> 'id',
    'created_at', case when coalesce(document -> 'created_at', 'null') = 'null' and 'created_at' <> all (absent)
        then hacs_core.former_instant(columns -> 'created_at') end,
    'updated_at', case when coalesce(document -> 'updated_at', 'null') = 'null' and 'updated_at' <> all (absent)
        then hacs_core.former_instant(columns -> 'updated_at') end
));
comment on function hacs_core.filled_in(jsonb, jsonb, text[]) is
    'What the database has given a document that did not have it';

-- For each type, SQL that tells of a document that it may be of a later form, and that nobody can say of which. A
-- column that a table was given since is no sign of the later form. MemoryBlock has no table of its own.
create or replace function hacs_core.later_conditions()
returns table (type text, resource_type text, condition text, unclear text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
        select s.type, t.resource_type,
            concat_ws(
                ' or ', format('document ?| %L', s.later || 'hacs:generation'::text),
                case when s.shapes is not null
                    then format('not document ?| %L and document @@ %L', s.former, s.shapes) end
            ),
            concat_ws(
                ' or ', 'document ? ''hacs:generation''',
                case when s.later <> '{}' then format('document ?| %L and document ?| %L', s.later, s.former) end
            )
        from hacs_core.document_tables() as t
        cross join lateral (
            select l.later_type as type, l.only_former as former, l.shapes, array(
                select k from unnest(l.only_later) as k
                except all
                select c.name from hacs_core.document_columns(t.target) as c where l.later_type = t.resource_type
            ) as later
            from hacs_core.later_signs() as l
            where l.resource_type = t.resource_type
            union all
            select t.resource_type, '{}', null, '{}'
            where t.resource_type not in (select l.later_type from hacs_core.later_signs() as l)
        ) as s
        order by s.type collate "C";
end
$$;
comment on function hacs_core.later_conditions() is 'How put tells a document of each type that may be of a later form';

create or replace function hacs_core.read_later(
    document jsonb, of_type text, substitute boolean, inout kept jsonb, out columns jsonb
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    form constant text := hacs_core.later_form(document, of_type);
    fault hacs_core.fault;
begin
    if form = 'unclear' then
        fault := hacs_core.raise_fault(hacs_core.unclear_form(document, of_type));
    elsif form is null then
        columns := document;
    else
        select f.columns, read_later.kept || f.kept into columns, kept
        from hacs_core.from_later(document, form, substitute) as f;
    end if;
end
$$;
comment on function hacs_core.read_later(jsonb, text, boolean, jsonb) is
    'As from_later, for a document that may be of a later form; an error where it is of two generations';

-- In the staging table of import, all documents of a type at once. Whoever stages documents of 0.3 that have other keys
-- as well says so with kept, {} or more. A document is taken out of its compression once, not for each key.
create or replace function hacs_core.turn_staged(
    type text, resource_type text, condition text, unclear text, substitute boolean
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    staged constant text := hacs_core.staged(case when type = resource_type then type end);
    others constant text := case when type = resource_type then 'true'
        else format('document ->> ''resource_type'' = %L', type) end;
begin
    execute format(
        'with gone as (delete from %s as s where %s and s.kept is null and (%s) returning s.line, s.document) '
        'insert into pg_temp.hacs_refused '
        'select g.line, %L, g.document ->> ''id'', (f).code, (f).column_name, null, (f).message, g.document '
        'from gone as g cross join lateral hacs_core.unclear_form(g.document, %4$L) as f', staged, others, unclear, type
    );
    if type = resource_type then
        execute format(
            'update %s as s set (document, kept) = ('
            '    select l.columns, l.kept from hacs_core.read_later(s.document || ''{}'', %L, %L, ''{}'') as l'
            ') where s.kept is null and (%s)', staged, type, substitute, condition
        );
    else
        execute format(
            'with gone as (delete from %s as s where %s and s.kept is null and (%s) returning s.line, s.document) '
            'insert into pg_temp.hacs_staged '
            'select g.line, l.columns, l.kept '
            'from gone as g cross join lateral hacs_core.read_later(g.document || ''{}'', %L, %L, ''{}'') as l',
            staged, others, condition, type, substitute
        );
    end if;
end
$$;
comment on function hacs_core.turn_staged(text, text, text, text, boolean) is
    'Turns the staged documents of a type that are of a later form into those of 0.3';

select hacs_core.choose_documents();
select hacs_core.keep_functions();
