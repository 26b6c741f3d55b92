-- HACS core: the shared vocabulary of all later files, then patients, encounters, observations and organizations.
--
-- Every file of this directory may be run again by hand (psql -f) without harm: what exists is kept.

-------------------------------------------------------------------------------------------------------------------
-- Documents are Unicode: a database in another encoding would refuse some of them, one day, in the middle of work.
-------------------------------------------------------------------------------------------------------------------

do $$
begin
    if current_setting('server_encoding') <> 'UTF8' then
        raise exception 'this database is encoded in %', current_setting('server_encoding')
            using hint = 'Create it anew: create database … encoding ''UTF8'' template template0.';
    end if;
end
$$;

-------------------------------------------------------------------------------------------------------------------
-- Schemas. All six are made first, so that a privilege for a schema can be granted before its tables exist.
-------------------------------------------------------------------------------------------------------------------

create schema if not exists hacs_core;
create schema if not exists hacs_clinical;
create schema if not exists hacs_registry;
create schema if not exists hacs_agents;
create schema if not exists hacs_admin;
create schema if not exists hacs_audit;

comment on schema hacs_core is 'People, visits, findings and organizations, and the rules that all HACS tables share';
comment on schema hacs_clinical is 'Clinical records, orders and workflow';
comment on schema hacs_registry is 'Knowledge and reusable templates';
comment on schema hacs_agents is 'What agents remember and tell each other';
comment on schema hacs_admin is 'Migration history and configuration of this database';
comment on schema hacs_audit is 'Who changed what, and when: written by triggers, never by hand';

-------------------------------------------------------------------------------------------------------------------
-- Shapes. One function per idea. Their standard bodies are bound when they are created, so that no search path can
-- redirect them, and the planner inlines them into each CHECK. Each answers null for null, which a CHECK lets pass.
-- (That a value is an object needs no function: jsonb_typeof says so.)
--
-- PostgreSQL prepares every CHECK anew for each statement. So a list of values is one constant, status = any ('{…}'):
-- an IN list would be folded each time, which takes twice as long as all the rest of such a CHECK.
-------------------------------------------------------------------------------------------------------------------

-- jsonpath in lax mode looks into nested lists where a filter is applied, but not where .type() is: hence this form.
create or replace function hacs_core.is_list(value jsonb)
returns boolean
language sql immutable parallel safe
return value @@ '$.type() == "array" && !($[*].type() != "object")';
comment on function hacs_core.is_list(jsonb) is 'A JSON list of which every element is an object';

create or replace function hacs_core.is_text_map(value jsonb)
returns boolean
language sql immutable parallel safe
return value @@ '$.type() == "object" && !($.*.type() != "string")';
comment on function hacs_core.is_text_map(jsonb) is
    'A flat JSON object of texts, such as {"code": "prov", "display": "Provider"}';

create or replace function hacs_core.is_text_map_list(value jsonb)
returns boolean
language sql immutable parallel safe
return value @@ '$.type() == "array" && !($[*].type() != "object") && !($[*].*.type() != "string")';
comment on function hacs_core.is_text_map_list(jsonb) is 'A JSON list of flat objects of texts';

create or replace function hacs_core.is_concept(value jsonb)
returns boolean
language sql immutable parallel safe
return value @@ '$.type() == "object"
    && (!exists($.coding) || $.coding.type() == "array" && !($.coding[*].type() != "object"))';
comment on function hacs_core.is_concept(jsonb) is
    'An object whose coding, if it has one, is a list of objects (FHIR CodeableConcept)';

-- The class lists the spaces that Python strips, since HACS strips before it asks; \s depends on the collation.
create or replace function hacs_core.is_blank(value text)
returns boolean
language sql immutable parallel safe
return value !~ '[^\x09-\x0d\x1c-\x20\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]';
comment on function hacs_core.is_blank(text) is 'Empty, or nothing but white space';

-- A B-tree takes no key of more than a third of a page. What a reference cannot end in is no end of an id: see
-- reference_id.
create or replace function hacs_core.is_id(value text)
returns boolean
language sql immutable parallel safe
return octet_length(value) <= 2048
    and value !~ '^[\x09-\x0d\x1c-\x20\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$'
        '|/$|(?:^|/)_history(?:/|$)';
comment on function hacs_core.is_id(text) is
    'Not blank, short enough for a key, and without what a reference would lose: / at its end, _history between '
    'slashes';

-------------------------------------------------------------------------------------------------------------------
-- Digits are [0-9] here, and nowhere a class such as backslash and d: in a database with ICU it means those of all
-- scripts.
--
-- Dates inside JSON. They may be partial (1985, 1985-03), carry any offset, or be no date at all: a comparison must
-- neither fail on them nor refuse them. Casting would do both, and would read "now" and "infinity" as dates.
-------------------------------------------------------------------------------------------------------------------

create or replace function hacs_core.instant(written text)
returns timestamp
language plpgsql immutable parallel safe strict
set search_path = pg_catalog, pg_temp
as $$
declare
    clock constant text := substr(written, 12);
    zone constant text := substring(clock from '[+-].*$');
    month_start timestamp;
    day integer;
begin
    -- No captures: they would cost ten times the match.
    if written !~ (
        '^(?!0000)[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])'
        || '(?:[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?'
        || '(?:[Zz]|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?)?$'
    ) then
        return null;
    end if;
    -- Counted from the first day there is: make_date would raise an error on 30 February.
    month_start := timestamp '0001-01-01'
        + make_interval(years => substr(written, 1, 4)::integer - 1, months => substr(written, 6, 2)::integer - 1);
    day := substr(written, 9, 2)::integer;
    if day > 28 and day > extract(day from month_start + interval '1 month - 1 day') then
        return null;
    end if;
    return month_start
        + make_interval(days => day - 1)
        + coalesce(nullif(rtrim(left(clock, length(clock) - coalesce(length(zone), 0)), 'Zz'), ''), '00:00')::interval
        - case
            when zone is null then interval '0'
            else make_interval(
                mins => (left(zone, 1) || '1')::integer
                    * (substr(zone, 2, 2)::integer * 60
                        + case when length(zone) > 3 then right(zone, 2)::integer else 0 end)
            )
        end;
end
$$;
comment on function hacs_core.instant(text) is
    'The UTC time of a complete ISO 8601 date or date-time; null for partial dates and for anything else. Without an '
    'offset it is UTC';

-- The first half is inlined, and true for all dates but those at the end of a month.
create or replace function hacs_core.is_instant(written text)
returns boolean
language sql immutable parallel safe
return written ~ (
        '^(?!0000)[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])'
        || 'T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])$'
    )
    or hacs_core.instant(written) is not null;
comment on function hacs_core.is_instant(text) is 'A complete ISO 8601 date or date-time';

create or replace function hacs_core.is_period(value jsonb)
returns boolean
language plpgsql immutable parallel safe strict
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_typeof(value) = 'object'
        and (hacs_core.instant(value ->> 'end') < hacs_core.instant(value ->> 'start')) is not true;
end
$$;
comment on function hacs_core.is_period(jsonb) is
    'An object whose end is not before its start, where both are complete dates (FHIR per-1)';

create or replace function hacs_core.is_period_list(value jsonb)
returns boolean
language plpgsql immutable parallel safe strict
set search_path = pg_catalog, pg_temp
as $$
begin
    return hacs_core.is_list(value)
        and not exists (select 1 from jsonb_array_elements(value) as v (period) where not hacs_core.is_period(period));
end
$$;
comment on function hacs_core.is_period_list(jsonb) is 'A list of objects, each a period (FHIR per-1)';

create or replace function hacs_core.period_range(period jsonb)
returns tsrange
language plpgsql immutable parallel safe strict
set search_path = pg_catalog, pg_temp
as $$
declare
    first constant timestamp := hacs_core.instant(period ->> 'start');
    last constant timestamp := hacs_core.instant(period ->> 'end');
begin
    return case when last < first then 'empty' else tsrange(first, last, '[]') end;
end
$$;
comment on function hacs_core.period_range(jsonb) is
    'The UTC times of a period, both ends included; open where an end is missing or partial, empty where it ends '
    'before it starts';

-------------------------------------------------------------------------------------------------------------------
-- Parts with a model of their own. nested_model says which keys are required, which may not be null, and of what kind
-- each key is: a JSON type (string, number, boolean, object), list (of objects), strings, integers,
-- integer, instant, instants, period, map (of texts), email, "from..to" (a number), in a|b|c, one <model>,
-- each <model>. Unknown keys are nobody's business.
-------------------------------------------------------------------------------------------------------------------

create or replace function hacs_core.nested_model(model text)
returns jsonb
language sql immutable parallel safe
return case model
    when 'OrganizationContact' then jsonb '{
        "required": [],
        "not_null": ["resource_type", "address_line"],
        "kinds": {
            "id": "string", "resource_type": "in OrganizationContact", "created_at": "instant",
            "updated_at": "instant", "purpose": "map", "contact_name": "string", "email": "email", "phone": "string",
            "fax": "string", "address_line": "strings", "city": "string", "state": "string", "postal_code": "string",
            "country": "string"
        }
    }'
    when 'OrganizationQualification' then jsonb '{
        "required": ["code"],
        "not_null": ["resource_type", "identifier", "code"],
        "kinds": {
            "id": "string", "resource_type": "in OrganizationQualification", "created_at": "instant",
            "updated_at": "instant", "identifier": "strings", "code": "map", "status": "map",
            "period_start": "string", "period_end": "string", "issuer_organization_id": "string",
            "issuer_name": "string"
        }
    }'
    when 'AllergyIntoleranceReaction' then jsonb '{
        "required": [],
        "not_null": ["resource_type", "manifestation", "symptoms", "note"],
        "kinds": {
            "id": "string", "resource_type": "in AllergyIntoleranceReaction", "created_at": "instant",
            "updated_at": "instant", "substance": "object", "substance_name": "string", "manifestation": "list",
            "symptoms": "strings", "description": "string", "onset": "instant", "severity": "in mild|moderate|severe",
            "exposure_route": "object", "how_exposed": "string", "note": "list"
        }
    }'
    when 'ServiceRequestOrderDetail' then jsonb '{
        "required": ["parameter"],
        "not_null": ["parameter"],
        "kinds": {
            "parameter_focus": "object", "parameter": "each ServiceRequestParameter", "detail_description": "string",
            "special_instructions": "string"
        }
    }'
    when 'ServiceRequestParameter' then jsonb '{
        "required": ["code"],
        "not_null": ["code"],
        "kinds": {
            "code": "object", "value_quantity": "object", "value_ratio": "object", "value_range": "object",
            "value_boolean": "boolean", "value_codeable_concept": "object", "value_string": "string",
            "value_period": "period", "parameter_name": "string", "parameter_value_display": "string"
        }
    }'
    when 'ServiceRequestPatientInstruction' then jsonb '{
        "required": [],
        "not_null": [],
        "kinds": {
            "instruction_markdown": "string", "instruction_reference": "object", "instruction_summary": "string",
            "is_critical": "boolean"
        }
    }'
    when 'FamilyMemberHistoryParticipant' then jsonb '{
        "required": ["actor"],
        "not_null": ["actor"],
        "kinds": {
            "function": "object", "actor": "object", "participant_name": "string", "participant_role": "string"
        }
    }'
    when 'FamilyMemberCondition' then jsonb '{
        "required": ["code"],
        "not_null": ["code"],
        "kinds": {
            "code": "object", "outcome": "object", "contributed_to_death": "boolean", "onset_age": "object",
            "onset_range": "object", "onset_period": "period", "onset_string": "string", "note": "list",
            "condition_name": "string", "severity": "string", "age_at_onset": "string",
            "outcome_description": "string", "is_fatal": "boolean"
        }
    }'
    when 'FamilyMemberProcedure' then jsonb '{
        "required": ["code"],
        "not_null": ["code"],
        "kinds": {
            "code": "object", "outcome": "object", "contributed_to_death": "boolean", "performed_age": "object",
            "performed_range": "object", "performed_period": "period", "performed_string": "string",
            "performed_date_time": "instant", "note": "list", "procedure_name": "string",
            "age_at_procedure": "string", "outcome_description": "string", "was_successful": "boolean"
        }
    }'
    when 'RiskAssessmentPrediction' then jsonb '{
        "required": [],
        "not_null": [],
        "kinds": {
            "outcome": "object", "probability_decimal": "between 0..100", "probability_range": "object",
            "qualitative_risk": "object", "relative_risk": "between 0..", "when_period": "period",
            "when_range": "object", "rationale": "string", "outcome_name": "string", "risk_level": "string",
            "probability_display": "string", "timeframe_display": "string", "risk_significance": "string",
            "confidence_level": "string"
        }
    }'
    when 'PlanDefinitionAction' then jsonb '{
        "required": [],
        "not_null": [
            "resource_type", "condition", "input", "output", "related_action", "participant", "dynamic_value", "action"
        ],
        "kinds": {
            "id": "string", "resource_type": "in PlanDefinitionAction", "created_at": "instant",
            "updated_at": "instant", "prefix": "string", "title": "string", "description": "string",
            "text_equivalent": "string", "priority": "string",
            "selection_behavior": "in any|all|all-or-none|exactly-one|at-most-one|one-or-more",
            "required_behavior": "in must|could|must-unless-documented", "precheck_behavior": "in yes|no",
            "cardinality_behavior": "in single|multiple", "condition": "list", "input": "list", "output": "list",
            "related_action": "list", "timing_datetime": "instant", "timing_age": "object", "timing_period": "period",
            "timing_duration": "object", "timing_range": "object", "timing_timing": "object", "participant": "list",
            "type_coding": "object", "definition_canonical": "string", "definition_uri": "string",
            "transform": "string", "dynamic_value": "list", "action": "each PlanDefinitionAction"
        }
    }'
    when 'TaskPerformer' then jsonb '{
        "required": ["actor"],
        "not_null": ["actor"],
        "kinds": {
            "function": "object", "actor": "object", "performer_name": "string", "performer_role": "string"
        }
    }'
    when 'TaskRestriction' then jsonb '{
        "required": [],
        "not_null": [],
        "kinds": {
            "repetitions": "between 1.. integer", "period": "period", "recipient": "list",
            "restriction_summary": "string", "is_time_limited": "boolean"
        }
    }'
    when 'TaskParameter' then jsonb '{
        "required": ["type"],
        "not_null": ["type"],
        "kinds": {
            "type": "object", "value_base64_binary": "string", "value_boolean": "boolean",
            "value_canonical": "string", "value_code": "string", "value_date": "instant",
            "value_date_time": "instant", "value_decimal": "number", "value_id": "string", "value_instant": "instant",
            "value_integer": "integer", "value_integer64": "integer", "value_markdown": "string",
            "value_oid": "string", "value_positive_int": "between 1.. integer", "value_string": "string",
            "value_time": "string", "value_unsigned_int": "between 0.. integer", "value_uri": "string",
            "value_url": "string", "value_uuid": "string", "value_address": "object", "value_age": "object",
            "value_annotation": "object", "value_attachment": "object", "value_codeable_concept": "object",
            "value_codeable_reference": "object", "value_coding": "object", "value_contact_point": "object",
            "value_count": "object", "value_distance": "object", "value_duration": "object",
            "value_human_name": "object", "value_identifier": "object", "value_money": "object",
            "value_period": "period", "value_quantity": "object", "value_range": "object", "value_ratio": "object",
            "value_ratio_range": "object", "value_reference": "object", "value_sampled_data": "object",
            "value_signature": "object", "value_timing": "object", "value_contact_detail": "object",
            "value_data_requirement": "object", "value_expression": "object", "value_parameter_definition": "object",
            "value_related_artifact": "object", "value_trigger_definition": "object", "value_usage_context": "object",
            "value_availability": "object", "value_extended_contact_detail": "object", "value_dosage": "object",
            "value_meta": "object", "input_name": "string", "input_value_display": "string", "is_required": "boolean",
            "output_name": "string", "output_value_display": "string", "is_final_result": "boolean"
        }
    }'
    when 'VirtualServiceDetail' then jsonb '{
        "required": [],
        "not_null": [],
        "kinds": {
            "channel_type": "object", "address_url": "string", "address_string": "string",
            "address_contact_point": "object", "address_extended_contact_detail": "object",
            "additional_info": "strings", "max_participants": "integer", "session_key": "string"
        }
    }'
    when 'AppointmentParticipant' then jsonb '{
        "required": ["status"],
        "not_null": ["status"],
        "kinds": {
            "type": "list", "period": "period", "actor": "object", "required": "boolean",
            "status": "in accepted|declined|tentative|needs-action", "participant_name": "string",
            "participant_role": "string", "is_required": "boolean", "contact_info": "string"
        }
    }'
    when 'RecurrenceTemplate' then jsonb '{
        "required": ["recurrence_type"],
        "not_null": ["recurrence_type"],
        "kinds": {
            "timezone": "object", "recurrence_type": "in daily|weekly|monthly|yearly",
            "last_occurrence_date": "instant", "occurrence_count": "between 1.. integer",
            "occurrence_date": "instants", "weekly_template": "one WeeklyTemplate",
            "monthly_template": "one MonthlyTemplate", "yearly_template": "one YearlyTemplate",
            "excluding_date": "instants", "excluding_recurrence_id": "integers"
        }
    }'
    when 'WeeklyTemplate' then jsonb '{
        "required": [],
        "not_null": [],
        "kinds": {
            "monday": "boolean", "tuesday": "boolean", "wednesday": "boolean", "thursday": "boolean",
            "friday": "boolean", "saturday": "boolean", "sunday": "boolean", "week_interval": "between 1.. integer"
        }
    }'
    when 'MonthlyTemplate' then jsonb '{
        "required": [],
        "not_null": ["month_interval"],
        "kinds": {
            "day_of_month": "between 1..31 integer", "nth_week_of_month": "in first|second|third|fourth|last",
            "day_of_week": "in monday|tuesday|wednesday|thursday|friday|saturday|sunday",
            "month_interval": "between 1.. integer"
        }
    }'
    when 'YearlyTemplate' then jsonb '{
        "required": [],
        "not_null": ["year_interval"],
        "kinds": {
            "year_interval": "between 1.. integer"
        }
    }'
end;
comment on function hacs_core.nested_model(text) is
    'The keys of the HACS models that occur only inside a resource, and their kinds';

-- One query for the whole list: to start one for each part costs more than to look at it.
create or replace function hacs_core.each_conforms(parts jsonb, model text)
returns boolean
language plpgsql immutable parallel safe strict
set search_path = pg_catalog, pg_temp
as $$
declare
    spec constant jsonb := hacs_core.nested_model(model);
    required constant jsonb := spec -> 'required';
    not_null constant jsonb := spec -> 'not_null';
    kinds constant jsonb := spec -> 'kinds';
begin
    return hacs_core.is_list(parts)
        and not exists (
            select 1
            from jsonb_array_elements(parts) as p (part)
            where exists (select 1 from jsonb_array_elements_text(required) as r (key) where not part ? key)
                or exists (
                    select 1
                    from jsonb_each(part) as f (key, value)
                    -- is_kind would know all of this; it is called for what is rare
                    where case
                        when value = 'null' then not_null ? key
                        else case kinds ->> key
                            when jsonb_typeof(value) then false
                            when 'list' then not hacs_core.is_list(value)
                            when 'strings' then not value @@ '$.type() == "array" && !($[*].type() != "string")'
                            when 'map' then not hacs_core.is_text_map(value)
                            when 'instant'
                                then jsonb_typeof(value) <> 'string' or not hacs_core.is_instant(value #>> '{}')
                            else not hacs_core.is_kind(value, kinds ->> key)
                        end
                    end
                )
        );
end
$$;
comment on function hacs_core.each_conforms(jsonb, text) is
    'A list of objects, each of which has what a nested model requires, and each known key in its kind';

create or replace function hacs_core.conforms(part jsonb, model text)
returns boolean
language plpgsql immutable parallel safe strict
set search_path = pg_catalog, pg_temp
as $$
begin
    return hacs_core.each_conforms(jsonb_build_array(part), model);
end
$$;
comment on function hacs_core.conforms(jsonb, text) is
    'An object that has what a nested model requires, and each known key in its kind';

create or replace function hacs_core.is_kind(value jsonb, kind text)
returns boolean
language plpgsql immutable parallel safe strict
set search_path = pg_catalog, pg_temp
as $$
declare
    type constant text := jsonb_typeof(value);
    name constant text := split_part(kind, ' ', 1);
    detail constant text := split_part(kind, ' ', 2);
begin
    case name
        when 'string', 'number', 'boolean', 'object' then
            return type = name;
        when 'integer' then
            return type = 'number' and value::numeric = trunc(value::numeric);
        when 'between' then
            return type = 'number'
                and value::numeric >= coalesce(nullif(split_part(detail, '..', 1), '')::numeric, value::numeric)
                and value::numeric <= coalesce(nullif(split_part(detail, '..', 2), '')::numeric, value::numeric)
                and (kind not like '% integer' or value::numeric = trunc(value::numeric));
        when 'instant' then
            return type = 'string' and hacs_core.is_instant(value #>> '{}');
        when 'period' then
            return hacs_core.is_period(value);
        when 'list' then
            return hacs_core.is_list(value);
        when 'map' then
            return hacs_core.is_text_map(value);
        when 'email' then
            return type = 'string' and hacs_core.is_email(value #>> '{}');
        when 'in' then
            return type = 'string' and value #>> '{}' = any (string_to_array(detail, '|'));
        when 'one' then
            return hacs_core.conforms(value, detail);
        when 'each' then
            return hacs_core.each_conforms(value, detail);
        when 'strings', 'integers', 'instants' then
            return type = 'array'
                and not exists (
                    select 1 from jsonb_array_elements(value) as v (element)
                    where not hacs_core.is_kind(element, rtrim(name, 's'))
                );
    end case;
end
$$;
comment on function hacs_core.is_kind(jsonb, text) is 'Whether a JSON value is of a kind, in the words of nested_model';

-------------------------------------------------------------------------------------------------------------------
-- Values that tell by themselves what is wrong with them.
-------------------------------------------------------------------------------------------------------------------

-- Local part: atoms with single dots between them, or a quoted text. Domain: labels, one alone is enough, or [address].
-- The classes exclude ASCII by code, because [[:alnum:]] would mean something else in each collation; the groups
-- capture nothing, because a capture costs a hundred times the match.
create or replace function hacs_core.is_email(value text)
returns boolean
language sql immutable parallel safe
return value = ''
    or length(value) <= 254
        and value ~ (
            '^(?:[^\x01-\x20"(),.:-<>@\x5b-\x5d\x7f-\u00a0]+(?:\.[^\x01-\x20"(),.:-<>@\x5b-\x5d\x7f-\u00a0]+)*'
            || '|"(?:[^\x01-\x1f"\\\x7f-\u009f]|\\[^\x01-\x1f\x7f-\u009f])*")'
            || '@(?:[^\x01-/:-@[-`{-\u00a0](?:[^\x01-,./:-@[-`{-\u00a0]*[^\x01-/:-@[-`{-\u00a0])?'
            || '(?:\.[^\x01-/:-@[-`{-\u00a0](?:[^\x01-,./:-@[-`{-\u00a0]*[^\x01-/:-@[-`{-\u00a0])?)*'
            || '|\[[0-9A-Za-z.:-]+\])$'
        );
comment on function hacs_core.is_email(text) is
    'The shape of an address in RFC 5321 and 5322; an empty text counts as none';

do $$
begin
    create domain hacs_core.email as text
        constraint email_rfc_5322 check (hacs_core.is_email(value));
exception
    when duplicate_object then null;
end
$$;
comment on domain hacs_core.email is 'An e-mail address, or an empty text for none';

-- A domain, not 75 constraints: only what is inside the list can be wrong, since PostgreSQL itself names the column
-- of a value that is no list.
do $$
begin
    create domain hacs_core.texts as text[]
        constraint texts_without_nulls check (array_position(value, null) is null)
        constraint texts_flat check (array_ndims(value) = 1);
exception
    when duplicate_object then null;
end
$$;
comment on domain hacs_core.texts is 'A flat list of texts without nulls; it may be empty';

-- NaN sorts above every number, so the upper bound refuses it.
do $$
begin
    create domain hacs_core.score as double precision
        constraint score_between_0_and_1 check (value between 0 and 1);
exception
    when duplicate_object then null;
end
$$;
comment on domain hacs_core.score is 'A share or probability from 0 to 1';

-------------------------------------------------------------------------------------------------------------------
-- References. HACS writes them as texts or objects: Patient/123, Patient/123/_history/2, a bare 123, an absolute URL,
-- urn:uuid:…. Only the first three can point into this database. The rest is kept as it is and answers null here.
-------------------------------------------------------------------------------------------------------------------

-- Written so that there is nothing to fold, and little to read: PostgreSQL prepares the expressions of generated
-- columns anew for each INSERT, and this one stands behind 45 of them. After its type a reference has the id, whatever
-- that holds, and perhaps a version.
create or replace function hacs_core.reference_id(reference text, target text, bare boolean default true)
returns text
language sql immutable parallel safe
return case
    when bare and reference ~ '^[^/:?#]+$' then reference
    when split_part(reference, '/', 1) = target
    then nullif(regexp_replace(substr(reference, length(target) + 2), '(?:^|/)(?:_history(?:/.*)?)?$', ''), '')
end;
comment on function hacs_core.reference_id(text, text, boolean) is
    'The local id of a reference to the given type; null for absolute URLs, urn: and other types, and for a bare id '
    'where that may mean several types';

create or replace function hacs_core.reference_id(reference jsonb, target text, bare boolean default true)
returns text
language sql immutable parallel safe
return hacs_core.reference_id(reference ->> 'reference', target, coalesce(reference ->> 'type' = target, bare));
comment on function hacs_core.reference_id(jsonb, text, boolean) is
    'As for a text; where the Reference object has a type, that says what a bare id means';

-- A document says it under one of these names. A bare id there may mean another type; a patient_id may not.
create or replace function hacs_core.patient_of(document jsonb)
returns text
language sql immutable parallel safe
return coalesce(
    hacs_core.reference_id(document ->> 'patient_id', 'Patient'),
    case jsonb_typeof(document -> 'patient')
        when 'string' then hacs_core.reference_id(document ->> 'patient', 'Patient', bare => false)
        when 'object' then hacs_core.reference_id(document -> 'patient', 'Patient', bare => false)
    end,
    case jsonb_typeof(document -> 'subject')
        when 'string' then hacs_core.reference_id(document ->> 'subject', 'Patient', bare => false)
        when 'object' then hacs_core.reference_id(document -> 'subject', 'Patient', bare => false)
    end,
    case jsonb_typeof(document -> 'beneficiary')
        when 'object' then hacs_core.reference_id(document -> 'beneficiary', 'Patient', bare => false)
    end
);
comment on function hacs_core.patient_of(jsonb) is
    'The local id of the patient to whom a document of any type belongs, by its patient_id, patient, subject or '
    'beneficiary; null where it does not say';

-------------------------------------------------------------------------------------------------------------------
-- Modification time. A document keeps its own updated_at when it is stored; an UPDATE that does not bring a new one
-- gets the time of its transaction.
-------------------------------------------------------------------------------------------------------------------

create or replace function hacs_core.touch_updated_at()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    new.updated_at := pg_catalog.now();
    return new;
end
$$;
comment on function hacs_core.touch_updated_at() is 'Trigger: sets updated_at where an UPDATE left it as it was';

-- Resources are counted as well, whatever the UPDATE says of the number: who read version 3 can tell that it is still
-- so. An UPDATE that counts by itself means what it says of the time: hacs_core.put stores what the document says.
create or replace function hacs_core.touch_resource()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if new.updated_at is not distinct from old.updated_at and new.version_id is not distinct from old.version_id then
        new.updated_at := pg_catalog.now();
    end if;
    new.version_id := old.version_id + 1;
    return new;
end
$$;
comment on function hacs_core.touch_resource() is
    'Trigger of a table of resources: as touch_updated_at, and the next version_id';

-- What the audit does not list and what no document has: generated columns, which say what their source says, and where
-- resources are counted, the count and the place of a part in the document of its whole.
create or replace function hacs_core.own_columns(target regclass)
returns text[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select coalesce(array_agg(a.attname::text order by a.attnum), '{}')
        from pg_catalog.pg_attribute as a
        where a.attrelid = target and a.attnum > 0 and not a.attisdropped
            and (
                a.attgenerated <> ''
                or a.attname = any ('{version_id, position}') and exists (
                    select 1 from pg_catalog.pg_trigger as t
                    where t.tgrelid = target and t.tgfoid = 'hacs_core.touch_resource()'::regprocedure
                )
            )
    );
end
$$;
comment on function hacs_core.own_columns(regclass) is
    'Columns that the database keeps for itself: no fields of a document, and none of the audit';

-------------------------------------------------------------------------------------------------------------------
-- Resources without a table of their own: whole documents, any HACS or FHIR type that the other tables do not hold.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_core.resources (
    id text not null default gen_random_uuid()::text,
    resource_type text not null,
    data jsonb not null constraint resources_data_object check (jsonb_typeof(data) = 'object'),
    version_id bigint not null default 1,
    created_by text,
    updated_by text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),

    patient_id text generated always as (hacs_core.patient_of(data)) stored,

    -- HACS ids are unique within a type at best
    constraint resources_pkey primary key (resource_type, id),
    constraint resources_resource_type_valid check (
        resource_type ~ '^[A-Z][A-Za-z0-9]{0,63}$'
        and resource_type <> all (
            '{Organization, OrganizationContact, OrganizationQualification, Patient, Encounter, Observation, Condition,
              Medication, MedicationRequest, Procedure, AllergyIntolerance, Goal, ServiceRequest, FamilyMemberHistory,
              RiskAssessment, PlanDefinition, ActivityDefinition, Library, GuidanceResponse, EvidenceVariable, Task,
              Appointment, KnowledgeItem, Memory, AgentMessage, Template, SystemConfig}'
        )
    ),
    constraint resources_data_identity check (
        coalesce(data ->> 'id', id) = id
        and coalesce(data ->> 'resource_type', data ->> 'resourceType', resource_type) = resource_type
    ),
    constraint resources_id_form check (hacs_core.is_id(id)),
    constraint resources_times_finite check (
        least(created_at, updated_at) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at) < '10000-01-01 00:00+00'
    )
);

comment on table hacs_core.resources is
    'One row is one document of a resource type that has no table of its own, kept whole';
comment on column hacs_core.resources.id is 'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_core.resources.resource_type is
    'Type of the document, such as Practitioner or CarePlan (FHIR resourceType)';
comment on column hacs_core.resources.data is 'The whole document';
comment on column hacs_core.resources.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';
comment on column hacs_core.resources.created_by is 'Person or agent who stored the document first';
comment on column hacs_core.resources.updated_by is 'Person or agent who stored the present version';
comment on column hacs_core.resources.created_at is 'When the document was stored first';
comment on column hacs_core.resources.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';

comment on column hacs_core.resources.patient_id is
    'Patient to whom the document belongs, as far as it names one of this database';

comment on constraint resources_resource_type_valid on hacs_core.resources is
    'A type name, and none of those that have a table of their own';
comment on constraint resources_data_identity on hacs_core.resources is
    'The document does not contradict the id and type of its row';
comment on constraint resources_id_form on hacs_core.resources is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint resources_times_finite on hacs_core.resources is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';

create or replace trigger resources_touch_updated_at
    before update on hacs_core.resources
    for each row execute function hacs_core.touch_resource();

-------------------------------------------------------------------------------------------------------------------
-- Patients: the people to whom clinical records belong.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_core.patients (
    id text primary key default gen_random_uuid()::text,
    resource_type text not null default 'Patient'
        constraint patients_resource_type_valid check (resource_type = 'Patient'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    given hacs_core.texts,
    family text,
    full_name text,
    prefix hacs_core.texts not null default '{}',
    suffix hacs_core.texts not null default '{}',
    gender text constraint patients_gender_valid check (gender = any ('{male, female, other, unknown}')),
    birth_date date,
    age integer constraint patients_age_range check (age between 0 and 150),
    deceased boolean not null default false,
    deceased_date date,
    identifiers jsonb not null default '[]'
        constraint patients_identifiers_list check (hacs_core.is_list(identifiers)),
    telecom jsonb not null default '[]' constraint patients_telecom_list check (hacs_core.is_list(telecom)),
    phone text,
    email hacs_core.email,
    address jsonb not null default '[]' constraint patients_address_list check (hacs_core.is_list(address)),
    address_text text,
    marital_status text,
    communication jsonb not null default '[]'
        constraint patients_communication_list check (hacs_core.is_list(communication)),
    language text,
    agent_context jsonb not null default '{}'
        constraint patients_agent_context_object check (jsonb_typeof(agent_context) = 'object'),
    care_team hacs_core.texts not null default '{}',
    emergency_contact jsonb not null default '[]'
        constraint patients_emergency_contact_list check (hacs_core.is_list(emergency_contact)),
    active boolean not null default true,
    extra jsonb not null default '{}' constraint patients_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,

    constraint patients_id_form check (hacs_core.is_id(id)),
    constraint patients_times_finite check (
        least(created_at, updated_at) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at) < '10000-01-01 00:00+00'
        and least(birth_date, deceased_date) >= '0001-01-01'
        and greatest(birth_date, deceased_date) < '10000-01-01'
    ),
    constraint patients_name_present check (
        coalesce(cardinality(given), 0) > 0 or coalesce(family, '') <> '' or coalesce(full_name, '') <> ''
    ),
    constraint patients_identifiers_value check (
        identifiers @@ '!exists($[*] ? (
            !(@.value.type() == "string")
            || @.value like_regex "^[\t-\r\u001c- \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$"
        ))'
    ),
    constraint patients_deceased_date_deceased check (deceased_date is null or deceased),
    constraint patients_deceased_date_order check (deceased_date >= birth_date)
);

comment on table hacs_core.patients is
    'One row is a person receiving care: names, demographics, contact data and care team, to which clinical records '
    'point (FHIR Patient)';
comment on column hacs_core.patients.id is 'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_core.patients.resource_type is 'Always Patient (FHIR resourceType)';
comment on column hacs_core.patients.created_at is 'When the resource was made; stays as the document says';
comment on column hacs_core.patients.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_core.patients.given is
    'First and middle names in the order they are spoken (FHIR Patient.name.given)';
comment on column hacs_core.patients.family is
    'Surname used for sorting and matching the patient (FHIR Patient.name.family)';
comment on column hacs_core.patients.full_name is
    'Whole name in one string, a convenience form from which prefix, given, family and suffix are parsed';
comment on column hacs_core.patients.prefix is
    'Titles put before the name, such as Dr. or Ms. (FHIR Patient.name.prefix)';
comment on column hacs_core.patients.suffix is
    'Parts put after the name, such as Jr. or an academic degree (FHIR Patient.name.suffix)';
comment on column hacs_core.patients.gender is
    'Gender for administrative use; not a statement on anatomy or gender identity (FHIR Patient.gender)';
comment on column hacs_core.patients.birth_date is
    'Calendar day of birth; January 1 may be an estimate when only the age was known (FHIR Patient.birthDate)';
comment on column hacs_core.patients.age is
    'Age in completed years as stated at entry, 0 to 150; a convenience form of birth_date that does not advance';
comment on column hacs_core.patients.deceased is
    'True if the patient is known to have died; see deceased_date for the day (FHIR Patient.deceased[x])';
comment on column hacs_core.patients.deceased_date is
    'Calendar day of death, where known; only makes sense with deceased set to true (FHIR Patient.deceased[x])';
comment on column hacs_core.patients.identifiers is
    'Record, insurance and national numbers, each an object with use, type, system and value (FHIR Patient.identifier)';
comment on column hacs_core.patients.telecom is
    'Every phone, email and other contact point as objects with system, value and use (FHIR Patient.telecom)';
comment on column hacs_core.patients.phone is
    'Main phone number as plain text, a convenience form of the phone entry in telecom';
comment on column hacs_core.patients.email is
    'Main email address as plain text, a convenience form of the email entry in telecom';
comment on column hacs_core.patients.address is
    'Structured postal and visiting addresses, each with use, lines, city, postal code and country (FHIR '
    'Patient.address)';
comment on column hacs_core.patients.address_text is
    'One-line address as typed, a plain-text form that is parsed into address when that is empty';
comment on column hacs_core.patients.marital_status is
    'Civil status as a short code, such as M for married or S for single (FHIR Patient.maritalStatus)';
comment on column hacs_core.patients.communication is
    'Languages the patient can be spoken to in, with a mark on the preferred one (FHIR Patient.communication)';
comment on column hacs_core.patients.language is
    'Main language as a name or tag, a convenience form of the preferred entry in communication';
comment on column hacs_core.patients.agent_context is
    'Working notes of AI agents about this patient, such as last interaction; a free-form convenience store, not '
    'clinical fact';
comment on column hacs_core.patients.care_team is
    'HACS list of those looking after the patient: Practitioner/<id>, bare ids or URLs';
comment on column hacs_core.patients.emergency_contact is
    'People to call in an emergency, each with relationship, name and phone or email (FHIR Patient.contact)';
comment on column hacs_core.patients.active is
    'False once the record is withdrawn from use, for example after a merge; unrelated to being alive (FHIR '
    'Patient.active)';
comment on column hacs_core.patients.extra is 'Top-level keys of the document that have no column of their own';
comment on column hacs_core.patients.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';

comment on constraint patients_id_form on hacs_core.patients is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint patients_times_finite on hacs_core.patients is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';
comment on constraint patients_name_present on hacs_core.patients is
    'A patient has a given name, a family name or a full name';
comment on constraint patients_identifiers_value on hacs_core.patients is
    'Every identifier has a value that is not blank';
comment on constraint patients_deceased_date_deceased on hacs_core.patients is
    'Only a deceased patient has a date of death';
comment on constraint patients_deceased_date_order on hacs_core.patients is 'Nobody dies before being born';

create index if not exists patients_identifiers_idx on hacs_core.patients using gin (identifiers jsonb_path_ops);
-- SP-GiST: a name may be longer than what a B-tree takes, and prefixes are found whatever the collation.
create index if not exists patients_family_idx on hacs_core.patients using spgist (lower(family));
create index if not exists patients_birth_date_idx on hacs_core.patients (birth_date);

-- Documents without a table of their own are older than patients: only now can they be tied to them.
do $$
begin
    alter table hacs_core.resources
        add constraint resources_patient_id_fkey foreign key (patient_id)
        references hacs_core.patients deferrable initially immediate;
exception
    when duplicate_object then null;
end
$$;
create index if not exists resources_patient_id_idx on hacs_core.resources (patient_id) where patient_id is not null;

create or replace trigger patients_touch_updated_at
    before update on hacs_core.patients
    for each row execute function hacs_core.touch_resource();

-------------------------------------------------------------------------------------------------------------------
-- Organizations: hospitals, departments, insurers, forming a tree.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_core.organizations (
    id text primary key default gen_random_uuid()::text,
    resource_type text not null default 'Organization'
        constraint organizations_resource_type_valid check (resource_type = 'Organization'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    identifier hacs_core.texts not null default '{}',
    active boolean not null default true,
    organization_type jsonb not null default '[]'
        constraint organizations_organization_type_text_map_list check (hacs_core.is_text_map_list(organization_type)),
    name text,
    alias hacs_core.texts not null default '{}',
    description text,
    part_of_organization_id text,
    part_of_organization_name text,
    primary_email hacs_core.email,
    primary_phone text,
    website text,
    address_line hacs_core.texts not null default '{}',
    city text,
    state text,
    postal_code text,
    country text,
    contacts jsonb not null default '[]'
        constraint organizations_contacts_conforms check (hacs_core.each_conforms(contacts, 'OrganizationContact')),
    qualifications jsonb not null default '[]'
        constraint organizations_qualifications_conforms
            check (hacs_core.each_conforms(qualifications, 'OrganizationQualification')),
    endpoint_urls hacs_core.texts not null default '{}',
    tags hacs_core.texts not null default '{}',
    extra jsonb not null default '{}' constraint organizations_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,

    part_of_id text generated always as (hacs_core.reference_id(part_of_organization_id, 'Organization')) stored
        constraint organizations_part_of_id_fkey references hacs_core.organizations deferrable initially immediate,

    constraint organizations_id_form check (hacs_core.is_id(id)),
    constraint organizations_times_finite check (
        least(created_at, updated_at) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at) < '10000-01-01 00:00+00'
    ),
    constraint organizations_org_1 check (coalesce(name, '') <> '' or cardinality(identifier) > 0)
);

comment on table hacs_core.organizations is
    'One row is a hospital, clinic, department, payer or other body involved in care, with its main contact details '
    'and accreditations (FHIR Organization)';
comment on column hacs_core.organizations.id is 'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_core.organizations.resource_type is 'Always Organization (FHIR resourceType)';
comment on column hacs_core.organizations.created_at is 'When the resource was made; stays as the document says';
comment on column hacs_core.organizations.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_core.organizations.identifier is
    'Business numbers the body is known by in other systems, such as a provider or tax number, as plain strings (FHIR '
    'Organization.identifier)';
comment on column hacs_core.organizations.active is
    'True while the record is in use; false once the organization is retired and should not be picked any more (FHIR '
    'Organization.active)';
comment on column hacs_core.organizations.organization_type is
    'Kinds of organization, each an object with code, display and system, for example provider or department (FHIR '
    'Organization.type)';
comment on column hacs_core.organizations.name is
    'Official or main name under which users find the organization (FHIR Organization.name)';
comment on column hacs_core.organizations.alias is
    'Other names, short forms and former names, so that searches by an old name still match (FHIR Organization.alias)';
comment on column hacs_core.organizations.description is
    'Free text for readers on what the organization does, beyond what its name tells (FHIR Organization.description)';
comment on column hacs_core.organizations.part_of_organization_id is
    'Parent in the hierarchy: bare id of the organization this one is a unit of (FHIR Organization.partOf)';
comment on column hacs_core.organizations.part_of_organization_name is
    'Display name of the parent organization, a plain-text companion of part_of_organization_id';
comment on column hacs_core.organizations.primary_email is
    'General mailbox of the whole organization; mailboxes for one purpose go in contacts (FHIR Organization.telecom)';
comment on column hacs_core.organizations.primary_phone is
    'Switchboard or main number of the whole organization; department lines go in contacts (FHIR Organization.telecom)';
comment on column hacs_core.organizations.website is
    'Public web page for people to read; machine interfaces go in endpoint_urls (FHIR Organization.telecom)';
comment on column hacs_core.organizations.address_line is
    'Street lines of the main site, top line first (FHIR Organization.address.line)';
comment on column hacs_core.organizations.city is
    'Town or city where the main site stands (FHIR Organization.address.city)';
comment on column hacs_core.organizations.state is
    'State, province or region of the main site, as a code or a name (FHIR Organization.address.state)';
comment on column hacs_core.organizations.postal_code is
    'Postal or ZIP code of the main site, kept as text so leading zeros survive (FHIR Organization.address.postalCode)';
comment on column hacs_core.organizations.country is
    'Country of the main site, as a code or a name (FHIR Organization.address.country)';
comment on column hacs_core.organizations.contacts is
    'Contact points for particular purposes such as billing or press, as OrganizationContact objects (FHIR '
    'Organization.contact)';
comment on column hacs_core.organizations.qualifications is
    'Licences, accreditations and certificates held, as OrganizationQualification objects (FHIR '
    'Organization.qualification)';
comment on column hacs_core.organizations.endpoint_urls is
    'Addresses of technical interfaces run for the organization, for example a FHIR base URL (FHIR '
    'Organization.endpoint)';
comment on column hacs_core.organizations.tags is
    'Free keywords added by HACS for grouping and searching organizations; they carry no coded meaning';
comment on column hacs_core.organizations.extra is 'Top-level keys of the document that have no column of their own';
comment on column hacs_core.organizations.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';
comment on column hacs_core.organizations.part_of_id is
    'Local Organization that part_of_organization_id points to; null where part_of_organization_id is absent or points '
    'elsewhere';

comment on constraint organizations_id_form on hacs_core.organizations is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint organizations_times_finite on hacs_core.organizations is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';
comment on constraint organizations_org_1 on hacs_core.organizations is
    'An organization has a name or an identifier (FHIR org-1)';

create index if not exists organizations_part_of_id_idx on hacs_core.organizations (part_of_id)
    where part_of_id is not null;

create or replace trigger organizations_touch_updated_at
    before update on hacs_core.organizations
    for each row execute function hacs_core.touch_resource();

-- No organization may be part of itself, however long the way round. Two sessions could each close one half of a circle
-- without seeing the other: who moves an organization takes an advisory lock, so that movers pass one at a time. A new
-- one with nothing below it closes no circle, takes no lock, and waits for nobody.
create or replace function hacs_core.check_organization_tree()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    -- In these isolation levels the rows that are seen are those of the beginning; so each is locked, which fails if it
    -- was changed since. Nobody waits for such a lock: who does while holding the advisory one would wait in a circle.
    old_rows constant boolean := current_setting('transaction_isolation') <> 'read committed';
    ancestor text;
    seen text[] := array[new.id];
begin
    if tg_op = 'UPDATE' then
        if new.part_of_id is not distinct from old.part_of_id and new.id = old.id then
            return null;
        end if;
    end if;
    if tg_op = 'INSERT' and not exists (select 1 from hacs_core.organizations as o where o.part_of_id = new.id) then
        return null;
    end if;
    perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('hacs_core.organizations.part_of_id', 0));
    -- Not the row as it was changed: when the check is deferred, it may have been mended since.
    select o.part_of_id into ancestor from hacs_core.organizations as o where o.id = new.id;
    while ancestor is not null loop
        if ancestor = any (seen) then
            raise exception 'organization % would be part of itself', new.id
                using errcode = 'check_violation',
                    schema = 'hacs_core',
                    table = 'organizations',
                    column = 'part_of_organization_id',
                    constraint = 'organizations_part_of_acyclic',
                    detail = pg_catalog.format(
                        'It is reached again by way of %s.', pg_catalog.array_to_string(seen || ancestor, ' -> ')
                    ),
                    hint = 'Give one of these organizations another parent, or none.';
        end if;
        seen := seen || ancestor;
        if old_rows then
            select o.part_of_id into ancestor from hacs_core.organizations as o where o.id = ancestor for share nowait;
            if not found then
                raise exception
                    'organization % was made by another transaction after this one had begun', seen[cardinality(seen)]
                    using errcode = 'serialization_failure', hint = 'Try the transaction again.';
            end if;
        else
            select o.part_of_id into ancestor from hacs_core.organizations as o where o.id = ancestor;
        end if;
    end loop;
    return null;
exception
    when lock_not_available then
        raise exception 'another transaction is changing an organization above %', new.id
            using errcode = 'serialization_failure', hint = 'Try the transaction again.';
end
$$;
comment on function hacs_core.check_organization_tree() is 'Trigger: refuses a circle of organizations';

do $$
begin
    create constraint trigger organizations_part_of_acyclic
        after insert or update of id, part_of_organization_id on hacs_core.organizations
        deferrable initially immediate
        for each row when (new.part_of_id is not null)
        execute function hacs_core.check_organization_tree();
exception
    when duplicate_object then null;
end
$$;

-------------------------------------------------------------------------------------------------------------------
-- Contacts of an organization. HACS nests them in their organization; here each is also a row of its own.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_core.organization_contacts (
    id text primary key default gen_random_uuid()::text,
    organization_id text not null
        constraint organization_contacts_organization_id_fkey references hacs_core.organizations
        on delete cascade deferrable initially immediate,
    resource_type text not null default 'OrganizationContact'
        constraint organization_contacts_resource_type_valid check (resource_type = 'OrganizationContact'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    purpose jsonb constraint organization_contacts_purpose_text_map check (hacs_core.is_text_map(purpose)),
    contact_name text,
    email hacs_core.email,
    phone text,
    fax text,
    address_line hacs_core.texts not null default '{}',
    city text,
    state text,
    postal_code text,
    country text,
    extra jsonb not null default '{}'
        constraint organization_contacts_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,
    position integer,

    constraint organization_contacts_id_form check (hacs_core.is_id(id)),
    constraint organization_contacts_times_finite check (
        least(created_at, updated_at) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at) < '10000-01-01 00:00+00'
    )
);

comment on table hacs_core.organization_contacts is
    'One row is a person or desk to reach at an organization for one purpose, such as billing or press, with phone, '
    'mail and address (FHIR Organization.contact)';
comment on column hacs_core.organization_contacts.id is
    'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_core.organization_contacts.organization_id is
    'Organization that this belongs to, and with which it is deleted; in HACS documents it is nested there';
comment on column hacs_core.organization_contacts.resource_type is 'Always OrganizationContact (FHIR resourceType)';
comment on column hacs_core.organization_contacts.created_at is
    'When the resource was made; stays as the document says';
comment on column hacs_core.organization_contacts.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_core.organization_contacts.purpose is
    'What this contact is for, as one object with code and display, e.g. administration or payer (FHIR '
    'Organization.contact.purpose)';
comment on column hacs_core.organization_contacts.contact_name is
    'Person, desk or department to ask for when getting in touch (FHIR Organization.contact.name)';
comment on column hacs_core.organization_contacts.email is
    'Mailbox of this contact, as opposed to the general mailbox of the organization (FHIR '
    'Organization.contact.telecom)';
comment on column hacs_core.organization_contacts.phone is
    'Direct phone number for this purpose, as opposed to the main switchboard (FHIR Organization.contact.telecom)';
comment on column hacs_core.organization_contacts.fax is
    'Fax number for documents meant for this contact (FHIR Organization.contact.telecom)';
comment on column hacs_core.organization_contacts.address_line is
    'Street lines for visits or mail to this contact, top line first (FHIR Organization.contact.address.line)';
comment on column hacs_core.organization_contacts.city is
    'Town or city of the contact, which may differ from the main site (FHIR Organization.contact.address.city)';
comment on column hacs_core.organization_contacts.state is
    'State, province or region in the address of the contact, code or name (FHIR Organization.contact.address.state)';
comment on column hacs_core.organization_contacts.postal_code is
    'Postal or ZIP code for mail to the contact, kept as text (FHIR Organization.contact.address.postalCode)';
comment on column hacs_core.organization_contacts.country is
    'Country in the address of the contact, as a code or a name (FHIR Organization.contact.address.country)';
comment on column hacs_core.organization_contacts.extra is
    'Top-level keys of the document that have no column of their own';
comment on column hacs_core.organization_contacts.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';
comment on column hacs_core.organization_contacts.position is
    'Place in the list of contacts of its organization, from 1; no field of the document';

comment on constraint organization_contacts_id_form on hacs_core.organization_contacts is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint organization_contacts_times_finite on hacs_core.organization_contacts is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';

create index if not exists organization_contacts_organization_id_idx
    on hacs_core.organization_contacts (organization_id, position);

create or replace trigger organization_contacts_touch_updated_at
    before update on hacs_core.organization_contacts
    for each row execute function hacs_core.touch_resource();

-------------------------------------------------------------------------------------------------------------------
-- Certificates, accreditations and licences of an organization.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_core.organization_qualifications (
    id text primary key default gen_random_uuid()::text,
    organization_id text not null
        constraint organization_qualifications_organization_id_fkey references hacs_core.organizations
        on delete cascade deferrable initially immediate,
    resource_type text not null default 'OrganizationQualification'
        constraint organization_qualifications_resource_type_valid check (resource_type = 'OrganizationQualification'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    identifier hacs_core.texts not null default '{}',
    code jsonb not null constraint organization_qualifications_code_text_map check (hacs_core.is_text_map(code)),
    status jsonb constraint organization_qualifications_status_text_map check (hacs_core.is_text_map(status)),
    period_start text,
    period_end text,
    issuer_organization_id text,
    issuer_name text,
    extra jsonb not null default '{}'
        constraint organization_qualifications_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,
    position integer,

    -- No foreign key: who accredits hospitals is seldom one of them.
    issuer_id text generated always as (hacs_core.reference_id(issuer_organization_id, 'Organization')) stored,

    constraint organization_qualifications_id_form check (hacs_core.is_id(id)),
    constraint organization_qualifications_times_finite check (
        least(created_at, updated_at) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at) < '10000-01-01 00:00+00'
    ),
    constraint organization_qualifications_per_1 check (
        (hacs_core.instant(period_end) < hacs_core.instant(period_start)) is not true
    )
);

comment on table hacs_core.organization_qualifications is
    'One row is a licence, accreditation or certificate held by an organization, with its validity dates and issuer '
    '(FHIR Organization.qualification)';
comment on column hacs_core.organization_qualifications.id is
    'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_core.organization_qualifications.organization_id is
    'Organization that this belongs to, and with which it is deleted; in HACS documents it is nested there';
comment on column hacs_core.organization_qualifications.resource_type is
    'Always OrganizationQualification (FHIR resourceType)';
comment on column hacs_core.organization_qualifications.created_at is
    'When the resource was made; stays as the document says';
comment on column hacs_core.organization_qualifications.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_core.organization_qualifications.identifier is
    'Licence, certificate or accreditation numbers as printed by the issuer (FHIR '
    'Organization.qualification.identifier)';
comment on column hacs_core.organization_qualifications.code is
    'Which qualification it is, as one object with code, display and system (FHIR Organization.qualification.code)';
comment on column hacs_core.organization_qualifications.status is
    'Where the qualification stands, e.g. active or pending, as an object with code and display (FHIR '
    'Organization.qualification.status)';
comment on column hacs_core.organization_qualifications.period_start is
    'First day the qualification is valid, text in the form YYYY-MM-DD (FHIR Organization.qualification.period.start)';
comment on column hacs_core.organization_qualifications.period_end is
    'Last day of validity, text in the form YYYY-MM-DD; empty if open-ended (FHIR '
    'Organization.qualification.period.end)';
comment on column hacs_core.organization_qualifications.issuer_organization_id is
    'Body that grants and supervises the qualification: bare id of an organization (FHIR '
    'Organization.qualification.issuer)';
comment on column hacs_core.organization_qualifications.issuer_name is
    'Display name of the issuing body, a plain-text companion of issuer_organization_id';
comment on column hacs_core.organization_qualifications.extra is
    'Top-level keys of the document that have no column of their own';
comment on column hacs_core.organization_qualifications.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';
comment on column hacs_core.organization_qualifications.position is
    'Place in the list of qualifications of its organization, from 1; no field of the document';
comment on column hacs_core.organization_qualifications.issuer_id is
    'Organization that issuer_organization_id points to, if it is here; null where issuer_organization_id is absent or '
    'points elsewhere';

comment on constraint organization_qualifications_id_form on hacs_core.organization_qualifications is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint organization_qualifications_times_finite on hacs_core.organization_qualifications is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';
comment on constraint organization_qualifications_per_1 on hacs_core.organization_qualifications is
    'A qualification does not end before it starts, where both dates are complete (FHIR per-1)';

create index if not exists organization_qualifications_organization_id_idx
    on hacs_core.organization_qualifications (organization_id, position);

create or replace trigger organization_qualifications_touch_updated_at
    before update on hacs_core.organization_qualifications
    for each row execute function hacs_core.touch_resource();

-------------------------------------------------------------------------------------------------------------------
-- Encounters: visits, stays and calls.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_core.encounters (
    id text primary key default gen_random_uuid()::text,
    resource_type text not null default 'Encounter'
        constraint encounters_resource_type_valid check (resource_type = 'Encounter'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    status text not null
        constraint encounters_status_valid check (status = any (
            '{planned, arrived, triaged, in-progress, onleave, finished, cancelled, entered-in-error, unknown}'
        )),
    class_fhir text not null
        constraint encounters_class_fhir_valid check (class_fhir = any (
            '{AMB, EMER, FLD, HH, IMP, ACUTE, NONAC, OBSENC, PRENC, SS, VR}'
        )),
    type jsonb not null default '[]' constraint encounters_type_list check (hacs_core.is_list(type)),
    priority jsonb constraint encounters_priority_object check (jsonb_typeof(priority) = 'object'),
    subject text not null,
    participants jsonb not null default '[]'
        constraint encounters_participants_list check (hacs_core.is_list(participants)),
    period jsonb not null constraint encounters_period_object check (jsonb_typeof(period) = 'object'),
    length jsonb constraint encounters_length_object check (jsonb_typeof(length) = 'object'),
    reason_code jsonb not null default '[]'
        constraint encounters_reason_code_list check (hacs_core.is_list(reason_code)),
    reason_reference hacs_core.texts not null default '{}',
    diagnosis jsonb not null default '[]' constraint encounters_diagnosis_list check (hacs_core.is_list(diagnosis)),
    location jsonb not null default '[]' constraint encounters_location_list check (hacs_core.is_list(location)),
    service_provider text,
    agent_context jsonb not null default '{}'
        constraint encounters_agent_context_object check (jsonb_typeof(agent_context) = 'object'),
    appointment text,
    based_on hacs_core.texts not null default '{}',
    part_of text,
    account hacs_core.texts not null default '{}',
    hospitalization jsonb
        constraint encounters_hospitalization_object check (jsonb_typeof(hospitalization) = 'object'),
    extra jsonb not null default '{}' constraint encounters_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,

    patient_id text generated always as (hacs_core.reference_id(subject, 'Patient')) stored
        constraint encounters_patient_id_fkey references hacs_core.patients deferrable initially immediate,
    service_provider_id text generated always as (hacs_core.reference_id(service_provider, 'Organization')) stored
        constraint encounters_service_provider_id_fkey
            references hacs_core.organizations deferrable initially immediate,
    appointment_id text generated always as (hacs_core.reference_id(appointment, 'Appointment')) stored,
    part_of_id text generated always as (hacs_core.reference_id(part_of, 'Encounter')) stored
        constraint encounters_part_of_id_fkey references hacs_core.encounters deferrable initially immediate,

    constraint encounters_id_form check (hacs_core.is_id(id)),
    constraint encounters_part_of_other check (part_of_id <> id),
    constraint encounters_times_finite check (
        least(created_at, updated_at) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at) < '10000-01-01 00:00+00'
    ),
    constraint encounters_subject_present check (not hacs_core.is_blank(subject)),
    constraint encounters_period_start check (period ? 'start'),
    constraint encounters_period_per_1 check (
        (hacs_core.instant(period ->> 'end') < hacs_core.instant(period ->> 'start')) is not true
    ),
    constraint encounters_enc_1 check (
        participants @@ '$.type() != "array" || $[*].type() != "object"
            || !exists($[*] ? (!exists(@.type ? (@ != null)) && !exists(@.individual ? (@ != null))))'
    )
);

comment on table hacs_core.encounters is
    'One row is a visit, stay or virtual contact between a patient and care providers, from planning to discharge '
    '(FHIR Encounter)';
comment on column hacs_core.encounters.id is 'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_core.encounters.resource_type is 'Always Encounter (FHIR resourceType)';
comment on column hacs_core.encounters.created_at is 'When the resource was made; stays as the document says';
comment on column hacs_core.encounters.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_core.encounters.status is
    'How far the visit has got, from planning to its end; drives worklists of open visits (FHIR Encounter.status)';
comment on column hacs_core.encounters.class_fhir is
    'Setting of the visit as an ActCode, such as ambulatory or inpatient; named class in JSON (FHIR Encounter.class)';
comment on column hacs_core.encounters.type is
    'Finer kind of visit as coded concepts, for example a check-up (FHIR Encounter.type)';
comment on column hacs_core.encounters.priority is
    'Urgency of the visit as a coded concept, e.g. routine or emergency (FHIR Encounter.priority)';
comment on column hacs_core.encounters.subject is
    'Who is being seen: Patient/<id>, a bare id or a URL (FHIR Encounter.subject)';
comment on column hacs_core.encounters.participants is
    'Who takes part, each with role, period and individual: a Practitioner or Patient reference (FHIR '
    'Encounter.participant)';
comment on column hacs_core.encounters.period is
    'Object with the start and, once known, the end of the visit as UTC instants (FHIR Encounter.period)';
comment on column hacs_core.encounters.length is
    'How long the visit lasted, a quantity object carrying its own unit, usually minutes (FHIR Encounter.length)';
comment on column hacs_core.encounters.reason_code is
    'Why the patient came, as coded concepts such as headache (FHIR Encounter.reasonCode)';
comment on column hacs_core.encounters.reason_reference is
    'Recorded causes of the visit: Condition/<id> or Procedure/<id>, bare ids or URLs (FHIR Encounter.reasonReference)';
comment on column hacs_core.encounters.diagnosis is
    'Diagnoses tied to the visit, each with a condition reference, its role and its rank (FHIR Encounter.diagnosis)';
comment on column hacs_core.encounters.location is
    'Places where the patient stayed, each with a location reference, status and period (FHIR Encounter.location)';
comment on column hacs_core.encounters.service_provider is
    'Accountable institution: Organization/<id>, a bare id or a URL (FHIR Encounter.serviceProvider)';
comment on column hacs_core.encounters.agent_context is
    'Working data of AI agents for this visit, such as handoffs and status history; a convenience store outside the '
    'clinical record';
comment on column hacs_core.encounters.appointment is
    'Booking that led to the visit: Appointment/<id>, a bare id or a URL (FHIR Encounter.appointment)';
comment on column hacs_core.encounters.based_on is
    'Orders or plans the visit fulfils: ServiceRequest/<id> or CarePlan/<id>, bare ids or URLs (FHIR '
    'Encounter.basedOn)';
comment on column hacs_core.encounters.part_of is
    'Larger visit this one belongs to: Encounter/<id>, a bare id or a URL (FHIR Encounter.partOf)';
comment on column hacs_core.encounters.account is
    'Billing accounts the costs may be charged to: Account/<id>, bare ids or URLs (FHIR Encounter.account)';
comment on column hacs_core.encounters.hospitalization is
    'Admission and discharge details, such as origin, admit source and discharge destination (FHIR '
    'Encounter.hospitalization)';
comment on column hacs_core.encounters.extra is 'Top-level keys of the document that have no column of their own';
comment on column hacs_core.encounters.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';
comment on column hacs_core.encounters.patient_id is
    'Local Patient that subject points to; null where subject is absent or points elsewhere';
comment on column hacs_core.encounters.service_provider_id is
    'Local Organization that service_provider points to; null where service_provider is absent or points elsewhere';
comment on column hacs_core.encounters.appointment_id is
    'Local Appointment that appointment points to; null where appointment is absent or points elsewhere';
comment on column hacs_core.encounters.part_of_id is
    'Local Encounter that part_of points to; null where part_of is absent or points elsewhere';

comment on constraint encounters_id_form on hacs_core.encounters is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint encounters_times_finite on hacs_core.encounters is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';
comment on constraint encounters_part_of_other on hacs_core.encounters is 'A visit is not part of itself';
comment on constraint encounters_subject_present on hacs_core.encounters is 'The subject is not blank';
comment on constraint encounters_period_start on hacs_core.encounters is 'The period has a start, of whatever form';
comment on constraint encounters_period_per_1 on hacs_core.encounters is
    'A visit does not end before it starts, where both are complete dates (FHIR per-1)';
comment on constraint encounters_enc_1 on hacs_core.encounters is
    'Every participant has a type or an individual (FHIR enc-1)';

create index if not exists encounters_patient_id_idx on hacs_core.encounters (patient_id);
create index if not exists encounters_period_idx on hacs_core.encounters using gist (hacs_core.period_range(period));
create index if not exists encounters_service_provider_id_idx on hacs_core.encounters (service_provider_id)
    where service_provider_id is not null;
create index if not exists encounters_appointment_id_idx on hacs_core.encounters (appointment_id)
    where appointment_id is not null;
create index if not exists encounters_part_of_id_idx on hacs_core.encounters (part_of_id) where part_of_id is not null;

create or replace trigger encounters_touch_updated_at
    before update on hacs_core.encounters
    for each row execute function hacs_core.touch_resource();

-------------------------------------------------------------------------------------------------------------------
-- Observations: measurements, laboratory results, findings.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_core.observations (
    id text primary key default gen_random_uuid()::text,
    resource_type text not null default 'Observation'
        constraint observations_resource_type_valid check (resource_type = 'Observation'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    status text not null default 'final'
        constraint observations_status_valid check (status = any (
            '{registered, preliminary, final, amended, corrected, cancelled, entered-in-error, unknown}'
        )),
    category jsonb not null default '[]' constraint observations_category_list check (hacs_core.is_list(category)),
    code jsonb constraint observations_code_concept check (hacs_core.is_concept(code)),
    code_text text,
    subject text not null,
    encounter text,
    effective_datetime timestamptz,
    effective_period jsonb
        constraint observations_effective_period_object check (jsonb_typeof(effective_period) = 'object'),
    issued timestamptz,
    value_quantity jsonb
        constraint observations_value_quantity_object check (jsonb_typeof(value_quantity) = 'object'),
    value_codeable_concept jsonb
        constraint observations_value_codeable_concept_object check (jsonb_typeof(value_codeable_concept) = 'object'),
    value_string text,
    value_boolean boolean,
    value_integer integer,
    value_range jsonb constraint observations_value_range_object check (jsonb_typeof(value_range) = 'object'),
    value_numeric double precision,
    unit_text text,
    subject_reference text,
    normal_range_text text,
    data_absent_reason text
        constraint observations_data_absent_reason_valid check (data_absent_reason = any (
            '{unknown, asked-unknown, temp-unknown, not-asked, asked-declined, masked, not-applicable, unsupported,
              as-text, error, not-a-number, negative-infinity, positive-infinity, not-performed, not-permitted}'
        )),
    reference_range jsonb not null default '[]'
        constraint observations_reference_range_list check (hacs_core.is_list(reference_range)),
    component jsonb not null default '[]' constraint observations_component_list check (hacs_core.is_list(component)),
    confidence hacs_core.score,
    source text,
    notes text,
    extra jsonb not null default '{}' constraint observations_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,

    patient_id text generated always as (hacs_core.reference_id(subject, 'Patient')) stored
        constraint observations_patient_id_fkey references hacs_core.patients deferrable initially immediate,
    encounter_id text generated always as (hacs_core.reference_id(encounter, 'Encounter')) stored
        constraint observations_encounter_id_fkey references hacs_core.encounters deferrable initially immediate,
    subject_reference_id text generated always as (hacs_core.reference_id(subject_reference, 'Patient')) stored
        constraint observations_subject_reference_id_fkey references hacs_core.patients deferrable initially immediate,

    constraint observations_id_form check (hacs_core.is_id(id)),
    constraint observations_times_finite check (
        least(created_at, updated_at, effective_datetime, issued) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at, effective_datetime, issued) < '10000-01-01 00:00+00'
    ),
    constraint observations_effective_period_per_1 check (hacs_core.is_period(effective_period)),
    constraint observations_subject_present check (not hacs_core.is_blank(subject)),
    constraint observations_value_choice check (
        num_nonnulls(
            value_quantity, value_codeable_concept, value_string, value_boolean, value_integer, value_range
        ) <= 1
    ),
    constraint observations_value_or_reason check (
        (
        data_absent_reason is not null
        or value_quantity <> '{}'
        or value_codeable_concept <> '{}'
        or value_string <> ''
        or value_boolean is not null
        or value_integer is not null
        or value_range <> '{}'
        or component <> '[]'
    ) is true
    ),
    constraint observations_effective_choice check (num_nonnulls(effective_datetime, effective_period) <= 1),
    constraint observations_obs_3 check (
        reference_range @@ '$.type() != "array" || $[*].type() != "object"
            || !exists($[*] ? (
                !exists(@.low ? (@ != null)) && !exists(@.high ? (@ != null)) && !exists(@.text ? (@ != null))
            ))'
    )
);

comment on table hacs_core.observations is
    'One row is a measurement, lab result, vital sign or other finding about a patient, with value, time and reference '
    'range (FHIR Observation)';
comment on column hacs_core.observations.id is 'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_core.observations.resource_type is 'Always Observation (FHIR resourceType)';
comment on column hacs_core.observations.created_at is 'When the resource was made; stays as the document says';
comment on column hacs_core.observations.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_core.observations.status is
    'How far the result can be relied on, from registered to final or corrected (FHIR Observation.status)';
comment on column hacs_core.observations.category is
    'Broad groups such as vital signs or laboratory, as coded concepts for filtering (FHIR Observation.category)';
comment on column hacs_core.observations.code is
    'What was measured or asked, as a coded concept, usually LOINC or SNOMED CT (FHIR Observation.code)';
comment on column hacs_core.observations.code_text is
    'Plain-text name of what was measured, a shortcut from which code is built when that is missing';
comment on column hacs_core.observations.subject is
    'Whose measurement this is: Patient/<id>, a bare id or a URL (FHIR Observation.subject)';
comment on column hacs_core.observations.encounter is
    'Visit in which the finding was made: Encounter/<id>, a bare id or a URL (FHIR Observation.encounter)';
comment on column hacs_core.observations.effective_datetime is
    'UTC instant at which the value was true for the patient, not when it was reported (FHIR Observation.effective[x])';
comment on column hacs_core.observations.effective_period is
    'Start and end when the finding covers a span, such as a 24 hour collection (FHIR Observation.effective[x])';
comment on column hacs_core.observations.issued is
    'UTC instant at which this version of the result was released to readers (FHIR Observation.issued)';
comment on column hacs_core.observations.value_quantity is
    'Measured amount as an object with value, unit, system and unit code (FHIR Observation.value[x])';
comment on column hacs_core.observations.value_codeable_concept is
    'Result given as a coded answer, for example positive or a blood group (FHIR Observation.value[x])';
comment on column hacs_core.observations.value_string is
    'Result given in words where no number or code fits (FHIR Observation.value[x])';
comment on column hacs_core.observations.value_boolean is
    'Result of a yes or no question about the patient (FHIR Observation.value[x])';
comment on column hacs_core.observations.value_integer is
    'Result as a whole number without a unit, such as a count or a score (FHIR Observation.value[x])';
comment on column hacs_core.observations.value_range is
    'Result known only as lying between a low and a high quantity (FHIR Observation.value[x])';
comment on column hacs_core.observations.value_numeric is
    'Bare number of the result, a convenience form of value_quantity; its unit stands in unit_text';
comment on column hacs_core.observations.unit_text is
    'Unit that belongs to value_numeric, such as mmHg or mg/dL, the plain-text form of the quantity unit';
comment on column hacs_core.observations.subject_reference is
    'Typed shortcut Patient/<id> for the person measured, a convenience form that is copied into subject';
comment on column hacs_core.observations.normal_range_text is
    'Expected range in words with its unit, e.g. 120-140 mmHg, a plain-text form of reference_range';
comment on column hacs_core.observations.data_absent_reason is
    'Why there is no value, needed when none of the value columns is filled (FHIR Observation.dataAbsentReason)';
comment on column hacs_core.observations.reference_range is
    'Normal or target limits for judging the value, objects with low, high and text (FHIR Observation.referenceRange)';
comment on column hacs_core.observations.component is
    'Parts of a combined finding, each with code and value, e.g. systolic and diastolic (FHIR Observation.component)';
comment on column hacs_core.observations.confidence is
    'How sure the recording person or agent is of the finding, score 0 to 1, added by HACS for agents';
comment on column hacs_core.observations.source is
    'Where the value came from, such as a device or manual entry; a plain-text origin label added by HACS';
comment on column hacs_core.observations.notes is
    'Remarks on the finding as one plain string, without author or time (FHIR Observation.note)';
comment on column hacs_core.observations.extra is 'Top-level keys of the document that have no column of their own';
comment on column hacs_core.observations.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';
comment on column hacs_core.observations.patient_id is
    'Local Patient that subject points to; null where subject is absent or points elsewhere';
comment on column hacs_core.observations.encounter_id is
    'Local Encounter that encounter points to; null where encounter is absent or points elsewhere';
comment on column hacs_core.observations.subject_reference_id is
    'Local Patient that subject_reference points to; null where subject_reference is absent or points elsewhere';

comment on constraint observations_id_form on hacs_core.observations is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint observations_times_finite on hacs_core.observations is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';
comment on constraint observations_effective_period_per_1 on hacs_core.observations is
    'It does not end before it starts, where both are complete dates (FHIR per-1)';
comment on constraint observations_subject_present on hacs_core.observations is 'The subject is not blank';
comment on constraint observations_value_choice on hacs_core.observations is
    'At most one value; value_numeric does not count, HACS copies it into value_quantity (FHIR Observation.value[x])';
comment on constraint observations_value_or_reason on hacs_core.observations is
    'There is a value, or the reason why there is none, or components that have theirs; an empty text or object is no '
    'value';
comment on constraint observations_effective_choice on hacs_core.observations is
    'At most one form of the effective time (FHIR Observation.effective[x])';
comment on constraint observations_obs_3 on hacs_core.observations is
    'Every reference range has a low, a high or a text (FHIR obs-3)';

create index if not exists observations_patient_id_idx on hacs_core.observations (patient_id, effective_datetime);
create index if not exists observations_effective_datetime_idx on hacs_core.observations (effective_datetime);
-- For a code whoever the patient is.
create index if not exists observations_code_idx on hacs_core.observations using gin (code jsonb_path_ops);
-- What changed lately lies together, or nearly so.
create index if not exists observations_updated_at_idx on hacs_core.observations using brin (updated_at);
create index if not exists observations_encounter_id_idx on hacs_core.observations (encounter_id)
    where encounter_id is not null;
create index if not exists observations_subject_reference_id_idx on hacs_core.observations (subject_reference_id)
    where subject_reference_id is not null;

create or replace trigger observations_touch_updated_at
    before update on hacs_core.observations
    for each row execute function hacs_core.touch_resource();
