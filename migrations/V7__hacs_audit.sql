-- The audit trail: what was changed, by whom, and proof that nobody has changed the trail since.

-------------------------------------------------------------------------------------------------------------------
-- One row for each change of a row, in partitions by month. It is written by triggers alone, and never changed.
-------------------------------------------------------------------------------------------------------------------

do $$
begin
    create domain hacs_audit.operation as text
        constraint operation_valid check (value = any ('{INSERT, UPDATE, DELETE, TRUNCATE}'));
exception
    when duplicate_object then null;
end
$$;
comment on domain hacs_audit.operation is 'What can be done to a row, and the truncation of a table';

create or replace function hacs_audit.is_change(
    operation text,
    key text,
    key_before text,
    fields text[],
    old_values jsonb,
    new_values jsonb
)
returns boolean
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return (key is null) = (operation = 'TRUNCATE')
        and (old_values is null) = (operation in ('INSERT', 'TRUNCATE'))
        and (new_values is null) = (operation <> 'UPDATE')
        and (fields is null) = (new_values is null)
        and (key_before is null or operation = 'UPDATE');
end
$$;
comment on function hacs_audit.is_change(text, text, text, text[], jsonb, jsonb) is 'Whether a row of the trail is a sentence: what each operation has and has not';

-- Not an identity column: partitioned tables have them only from PostgreSQL 17 on.
create sequence if not exists hacs_audit.change_ids as bigint;
comment on sequence hacs_audit.change_ids is 'Numbers of changes; a change that is rolled back leaves a gap';

create table if not exists hacs_audit.resource_changes (
    change_id bigint not null default nextval('hacs_audit.change_ids'),
    changed_at timestamptz not null default clock_timestamp(),
    transaction_at timestamptz not null default now(),
    transaction_id xid8 not null default pg_current_xact_id(),
    operation hacs_audit.operation not null,
    schema_name text not null,
    table_name text not null,
    resource_type text not null,
    resource_id text,
    previous_id text,
    patient_id text,
    changed_fields text[],
    old_values jsonb,
    new_values jsonb,
    actor_id text,
    purpose text,
    request_id text,
    session_role text not null default session_user,
    acting_role text not null default coalesce(nullif(current_setting('role'), 'none'), session_user),
    client_address inet default inet_client_addr(),
    application_name text default nullif(current_setting('application_name'), ''),

    constraint resource_changes_pkey primary key (change_id, changed_at),
    -- In a function, since a CHECK is prepared anew for every row that a trigger writes: spelled out here it cost more
    -- than all the rest of the audit.
    constraint resource_changes_grammar check (
        hacs_audit.is_change(operation, resource_id, previous_id, changed_fields, old_values, new_values)
    )
) partition by range (changed_at);

comment on table hacs_audit.resource_changes is 'One row is one change of one row in an audited table, or one truncation of such a table';
comment on column hacs_audit.resource_changes.change_id is 'Number of the change; within a transaction in the order of events';
comment on column hacs_audit.resource_changes.changed_at is 'When it happened, by the clock of the server; also decides the partition';
comment on column hacs_audit.resource_changes.transaction_at is 'When its transaction began';
comment on column hacs_audit.resource_changes.transaction_id is 'Transaction that made it; the numbers start again when a dump is restored elsewhere';
comment on column hacs_audit.resource_changes.operation is 'What was done: INSERT, UPDATE, DELETE or TRUNCATE';
comment on column hacs_audit.resource_changes.schema_name is 'Schema of the audited table, as it was attached';
comment on column hacs_audit.resource_changes.table_name is 'Name of the audited table, as it was attached; the same for all its partitions';
comment on column hacs_audit.resource_changes.resource_type is 'Type of the resource, such as Patient; for a truncation of several types, the name of the table';
comment on column hacs_audit.resource_changes.resource_id is 'Key of the row; the new one where the key itself was changed; null for a truncation';
comment on column hacs_audit.resource_changes.previous_id is 'Key before the change, where the key itself was changed';
comment on column hacs_audit.resource_changes.patient_id is 'Patient to whom the row belongs, for the accounting of disclosures; the old one where that was changed';
comment on column hacs_audit.resource_changes.changed_fields is 'Columns that an UPDATE changed';
comment on column hacs_audit.resource_changes.old_values is 'Values before: of an UPDATE those that changed, of a DELETE all';
comment on column hacs_audit.resource_changes.new_values is 'Values after: of an UPDATE those that changed';
comment on column hacs_audit.resource_changes.actor_id is 'Person or agent on whose behalf it was done, as the application told by set_actor';
comment on column hacs_audit.resource_changes.purpose is 'What it was done for, such as treatment, as the application told (FHIR AuditEvent.purposeOfEvent)';
comment on column hacs_audit.resource_changes.request_id is 'Request of the application, to find its other traces';
comment on column hacs_audit.resource_changes.session_role is 'Role that was logged in';
comment on column hacs_audit.resource_changes.acting_role is 'Role that the session had taken by SET ROLE, else the one that was logged in; not the owner of a function on the way';
comment on column hacs_audit.resource_changes.client_address is 'Address from which the session came; null for a unix socket';
comment on column hacs_audit.resource_changes.application_name is 'Name that the application gave itself';

comment on constraint resource_changes_grammar on hacs_audit.resource_changes is
    'A DELETE has old values, an UPDATE old and new ones and the names of its fields, an INSERT none, a TRUNCATE not even a key';

-- The questions: what happened to this resource, to the records of this patient, and by this actor. None is partial,
-- although most actors and previous keys are null: a predicate is prepared anew for every row as well.
create index if not exists resource_changes_resource_idx on hacs_audit.resource_changes (resource_id);
create index if not exists resource_changes_previous_idx on hacs_audit.resource_changes (previous_id);
create index if not exists resource_changes_patient_idx on hacs_audit.resource_changes (patient_id);
create index if not exists resource_changes_actor_idx on hacs_audit.resource_changes (actor_id);

-------------------------------------------------------------------------------------------------------------------
-- Append-only. The triggers fire for everybody, the owner and replication included; only who may alter the table can
-- take them away, and the seals show what is done then.
-------------------------------------------------------------------------------------------------------------------

create or replace function hacs_audit.refuse_change()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception '% of hacs_audit.% is refused: the audit trail is append-only', tg_op, tg_argv[0]
        using errcode = 'insufficient_privilege',
            hint = 'To let old months go, detach their partitions: hacs_audit.detach_month.';
end
$$;
comment on function hacs_audit.refuse_change() is 'Trigger: refuses UPDATE, DELETE and TRUNCATE; argument: the logical table';

-- A TRUNCATE of a partition does not fire the trigger of its parent: ensure_partitions gives each its own.
create or replace trigger append_only
    before update or delete on hacs_audit.resource_changes
    for each row execute function hacs_audit.refuse_change('resource_changes');
create or replace trigger append_only_truncate
    before truncate on hacs_audit.resource_changes
    for each statement execute function hacs_audit.refuse_change('resource_changes');
alter table hacs_audit.resource_changes enable always trigger append_only;
alter table hacs_audit.resource_changes enable always trigger append_only_truncate;

-------------------------------------------------------------------------------------------------------------------
-- Partitions, one a month, and a default one that loses nothing when nobody has made them in time.
-------------------------------------------------------------------------------------------------------------------

create or replace function hacs_audit.guard_partition(partition regclass)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    undo text;
begin
    -- What somebody else put there, and what default privileges gave away.
    for undo in
        select format('drop trigger %I on %s', t.tgname, partition)
        from pg_trigger as t
        where t.tgrelid = partition and not t.tgisinternal and t.tgparentid = 0 and t.tgname <> 'append_only_truncate'
        union all
        select format('drop rule %I on %s', r.rulename, partition) from pg_rewrite as r where r.ev_class = partition
        union all
        select format(
            'revoke all on %s from %s', partition,
            case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end
        )
        from pg_class as c
        cross join lateral aclexplode(c.relacl) as a
        where c.oid = partition and a.grantee <> c.relowner
    loop
        execute undo;
    end loop;
    execute format(
        'create or replace trigger append_only_truncate before truncate on %s '
        'for each statement execute function hacs_audit.refuse_change(%L)',
        partition, 'resource_changes'
    );
    -- A partition inherits the guard of its rows, but not that it is always on.
    execute format('alter table %s enable always trigger append_only', partition);
    execute format('alter table %s enable always trigger append_only_truncate', partition);
end
$$;
comment on function hacs_audit.guard_partition(regclass) is
    'Makes a partition of resource_changes append-only, also where its guards were dropped or turned off';

create or replace function hacs_audit.add_partition(name text, bounds text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    execute format('create table hacs_audit.%I partition of hacs_audit.resource_changes %s', name, bounds);
    perform hacs_audit.guard_partition(format('hacs_audit.%I', name)::regclass);
end
$$;
comment on function hacs_audit.add_partition(text, text) is 'Makes a partition of resource_changes with its guards';

create or replace function hacs_audit.ensure_partitions(months_ahead integer default 3)
returns integer
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
    wanted date[];
    first_day date;
    stray boolean;
begin
    if months_ahead not between 0 and 120 then
        raise exception 'months_ahead must be from 0 to 120, not %', months_ahead
            using errcode = 'invalid_parameter_value';
    end if;
    wanted := array(
        select month::date
        from generate_series(date_trunc('month', now()), now() + make_interval(months => months_ahead), '1 month') as s (month)
        where to_regclass('hacs_audit.' || to_char(month, '"resource_changes_"YYYY_MM')) is null
    );
    if to_regclass('hacs_audit.resource_changes_default') is not null then
        execute 'select exists (select from hacs_audit.resource_changes_default)' into stray;
        if cardinality(wanted) = 0 and not stray then
            return 0;
        end if;
    end if;
    -- Two callers at once would both make the same month.
    perform pg_advisory_xact_lock(hashtextextended('hacs_audit.ensure_partitions', 0));
    if to_regclass('hacs_audit.resource_changes_default') is null then
        perform hacs_audit.add_partition('resource_changes_default', 'default');
    end if;
    -- Rows of a month that was late lie in the default partition, and PostgreSQL does not make a month over them.
    -- They cannot be deleted there, so the default partition itself is replaced.
    execute 'select exists (select from hacs_audit.resource_changes_default)' into stray;
    if stray then
        lock table hacs_audit.resource_changes in access exclusive mode;
        wanted := wanted || array(
            select distinct date_trunc('month', changed_at)::date from hacs_audit.resource_changes_default
        );
        alter table hacs_audit.resource_changes detach partition hacs_audit.resource_changes_default;
        alter table hacs_audit.resource_changes_default rename to resource_changes_stray;
        alter index hacs_audit.resource_changes_default_pkey rename to resource_changes_stray_pkey;
        perform hacs_audit.add_partition('resource_changes_default', 'default');
    end if;
    foreach first_day in array wanted loop
        if to_regclass('hacs_audit.' || to_char(first_day, '"resource_changes_"YYYY_MM')) is null then
            perform hacs_audit.add_partition(
                to_char(first_day, '"resource_changes_"YYYY_MM'),
                format('for values from (%L) to (%L)', first_day::timestamptz, (first_day + interval '1 month')::timestamptz)
            );
        end if;
    end loop;
    if stray then
        insert into hacs_audit.resource_changes select * from hacs_audit.resource_changes_stray;
        drop table hacs_audit.resource_changes_stray;
    end if;
    return cardinality(wanted);
end
$$;
comment on function hacs_audit.ensure_partitions(integer) is
    'Makes the partitions of this month and the next ones, and empties the default partition into its months; gives their number';

select hacs_audit.ensure_partitions();

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
    if exists (select from hacs_admin.system_config where key = 'audit.require_actor' and value = 'true') then
        raise exception 'this transaction has no actor, and audit.require_actor is set'
            using errcode = 'insufficient_privilege',
                hint = 'Begin the transaction with: select hacs_audit.set_actor(''practitioner/42'', purpose => ''treatment'').';
    end if;
end
$$;
comment on function hacs_audit.require_actor() is 'Refuses to go on without an actor, where system_config asks for one';

-------------------------------------------------------------------------------------------------------------------
-- The triggers. Their arguments carry the logical table, so that partitions and copies are recorded under its name.
-- Each table has a function of its own, which attach writes: to compare the columns by name costs a tenth of turning
-- both rows into JSON.
--
-- An INSERT keeps no image: the row itself is one, and when it goes, the DELETE keeps it. So every past state can be
-- rebuilt backwards, and the most frequent change costs the least.
-------------------------------------------------------------------------------------------------------------------

create or replace function hacs_audit.trigger_source(audited regclass, key_column text, patient_column text)
returns text
language sql stable
-- so that the text, with which coverage compares, is the same for everybody
set quote_all_identifiers = off
begin atomic
    select format(
        $source$
declare
    actor constant text := nullif(btrim(current_setting('hacs_audit.actor_id', true)), '');
    key text;
    key_before text;
    patient text;
    type text := tg_argv[2];
    fields text[];
    old_values jsonb;
    new_values jsonb;
begin
    if actor is null then
        perform hacs_audit.require_actor();
    end if;
    if tg_op = 'INSERT' then
        key := new.%1$I;
        patient := %2$s;
        %4$s
    elsif tg_op = 'DELETE' then
        key := old.%1$I;
        patient := %3$s;
        %5$s
        old_values := to_jsonb(old);
    else
        old_values := '{}';
        new_values := '{}';
%6$s        if fields is null or fields = '{updated_at}' then
            return null;
        end if;
        key := new.%1$I;
        if old.%1$I <> key then
            key_before := old.%1$I;
        end if;
        patient := coalesce(%3$s, %2$s);
        %5$s
    end if;
    insert into hacs_audit.resource_changes (
        operation, schema_name, table_name, resource_type, resource_id, previous_id, patient_id,
        changed_fields, old_values, new_values, actor_id, purpose, request_id
    )
    values (
        tg_op, tg_argv[0], tg_argv[1], type, key, key_before, patient,
        fields, old_values, new_values, actor,
        nullif(current_setting('hacs_audit.purpose', true), ''), nullif(current_setting('hacs_audit.request_id', true), '')
    );
    return null;
end
$source$,
        key_column,
        case patient_column when '' then 'null' else format('new.%I', patient_column) end,
        case patient_column when '' then 'null' else format('old.%I', patient_column) end,
        case when has_type then 'type := coalesce(nullif(type, ''''), new.resource_type);' else '' end,
        case when has_type then 'type := coalesce(nullif(type, ''''), old.resource_type);' else '' end,
        comparisons
    )
    from (
        select
            bool_or(a.attname = 'resource_type') as has_type,
            string_agg(
                format(
                    case
                        -- these types have no equality
                        when t.typname in ('json', 'xml') or t.typcategory = 'G'
                            then e'        if new.%1$I::text is distinct from old.%1$I::text then\n'
                        else e'        if new.%1$I is distinct from old.%1$I then\n'
                    end
                    || e'            fields := fields || %2$L::text;\n'
                    || e'            old_values := old_values || jsonb_build_object(%2$L, old.%1$I);\n'
                    || e'            new_values := new_values || jsonb_build_object(%2$L, new.%1$I);\n'
                    || e'        end if;\n',
                    a.attname, a.attname
                ),
                '' order by a.attnum
            ) as comparisons
        from pg_catalog.pg_attribute as a
        join pg_catalog.pg_type as t on t.oid = a.atttypid
        -- a generated column says nothing that its source does not say
        where a.attrelid = audited and a.attnum > 0 and not a.attisdropped
            and a.attname <> all (hacs_core.own_columns(audited))
    ) as c;
end;
comment on function hacs_audit.trigger_source(regclass, text, text) is 'The body of the audit trigger of a table, for its columns as they are now';

create or replace function hacs_audit.record_truncate()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if current_setting('hacs_audit.allow_truncate', true) is distinct from 'on' then
        raise exception 'TRUNCATE of %.% is refused: it would not tell what it removes', tg_argv[0], tg_argv[1]
            using errcode = 'insufficient_privilege',
                hint = 'Delete the rows instead; or allow it for this transaction: set local hacs_audit.allow_truncate = ''on''.';
    end if;
    if coalesce(btrim(current_setting('hacs_audit.actor_id', true)), '') = '' then
        perform hacs_audit.require_actor();
    end if;
    -- No row goes without its image, and then the event itself is told.
    execute format(
        'insert into hacs_audit.resource_changes ('
        '    operation, schema_name, table_name, resource_type, resource_id, patient_id, old_values, actor_id, purpose, request_id'
        ') '
        'select ''DELETE'', $1, $2, coalesce(nullif($3, ''''), j ->> ''resource_type''), j ->> $4, j ->> $5, j, $6, $7, $8 '
        'from %I.%I as t, to_jsonb(t) as j '
        'union all '
        'select ''TRUNCATE'', $1, $2, coalesce(nullif($3, ''''), $2), null, null, null, $6, $7, $8',
        tg_table_schema, tg_table_name
    )
    using tg_argv[0], tg_argv[1], tg_argv[2], tg_argv[3], tg_argv[4],
        nullif(btrim(current_setting('hacs_audit.actor_id', true)), ''),
        nullif(current_setting('hacs_audit.purpose', true), ''),
        nullif(current_setting('hacs_audit.request_id', true), '');
    return null;
end
$$;
comment on function hacs_audit.record_truncate() is
    'Trigger: refuses TRUNCATE, or writes it down with all rows where the transaction allows it; arguments: schema, table, resource type, key column, patient column';

create or replace function hacs_audit.attach(
    audited regclass,
    resource_type text default '',
    key_column text default 'id',
    patient_column text default ''
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    schema_name name;
    table_name name;
    recorder text;
    arguments text;
begin
    select n.nspname, c.relname into schema_name, table_name
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.oid = audited;
    if resource_type = '' and not exists (
        select from pg_attribute where attrelid = audited and attname = 'resource_type' and not attisdropped
    ) then
        raise exception '% has no column resource_type', audited
            using hint = 'Name the type: hacs_audit.attach(''…'', resource_type => ''Ward'').';
    end if;
    recorder := format('hacs_audit.%I', 'record_' || schema_name || '_' || table_name);
    arguments := format('%L, %L, %L, %L, %L', schema_name, table_name, resource_type, key_column, patient_column);
    execute format(
        'create or replace function %s() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as %L',
        recorder, hacs_audit.trigger_source(audited, key_column, patient_column)
    );
    execute format('comment on function %s() is %L', recorder, format('Trigger: writes down the change of a row of %s.%s', schema_name, table_name));
    execute format('revoke all on function %s() from public', recorder);
    execute format(
        'create or replace trigger audit after insert or update or delete on %s for each row execute function %s(%s)',
        audited, recorder, arguments
    );
    execute format(
        'create or replace trigger audit_truncate before truncate on %s '
        'for each statement execute function hacs_audit.record_truncate(%s)',
        audited, arguments
    );
    -- "always": a session that replays changes, as a subscriber does, is audited as well
    execute format('alter table %s enable always trigger audit', audited);
    execute format('alter table %s enable always trigger audit_truncate', audited);
end
$$;
comment on function hacs_audit.attach(regclass, text, text, text) is
    'Attaches the audit to a table, anew after its columns changed; without a resource type, each row has its own in the column resource_type';

-- One row for each table that holds resources or settings. A column that was added since makes its audit "altered".
create or replace view hacs_audit.coverage as
select
    n.nspname::text as schema_name,
    c.relname::text as table_name,
    case
        when row_trigger.tgfoid is null or truncate_trigger.tgfoid is null then 'missing'
        when row_trigger.tgenabled <> 'A' or truncate_trigger.tgenabled <> 'A' then 'disabled'
        -- 29: after insert, update or delete, for each row; 34: before truncate, for each statement
        when row_trigger.tgtype <> 29 or truncate_trigger.tgtype <> 34
            or row_trigger.tgqual is not null or row_trigger.tgattr <> ''
            or row_trigger.tgargs <> truncate_trigger.tgargs
            or truncate_trigger.tgfoid <> 'hacs_audit.record_truncate'::regproc
            or arguments.list[1] <> n.nspname or arguments.list[2] <> c.relname
            or not recorder.prosecdef
            or recorder.proowner <> trail.relowner
            or recorder.proconfig is distinct from '{"search_path=pg_catalog, pg_temp"}'
            or recorder.prosrc <> hacs_audit.trigger_source(c.oid::regclass, arguments.list[4], arguments.list[5])
            then 'altered'
        else 'complete'
    end as audit
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
left join pg_catalog.pg_trigger as row_trigger on row_trigger.tgrelid = c.oid and row_trigger.tgname = 'audit'
left join pg_catalog.pg_proc as recorder on recorder.oid = row_trigger.tgfoid
left join pg_catalog.pg_trigger as truncate_trigger on truncate_trigger.tgrelid = c.oid and truncate_trigger.tgname = 'audit_truncate'
left join lateral (
    select string_to_array(encode(row_trigger.tgargs, 'escape'), '\000') as list
) as arguments on true
join pg_catalog.pg_class as trail on trail.oid = 'hacs_audit.resource_changes'::regclass
where c.relkind in ('r', 'p')
    and not c.relispartition
    and n.nspname in ('hacs_core', 'hacs_clinical', 'hacs_registry', 'hacs_agents', 'hacs_admin')
    -- written by the migration tool, which has a history of its own
    and (n.nspname, c.relname) <> ('hacs_admin', 'migrations');

comment on view hacs_audit.coverage is 'One row is one table that should be audited, and whether it is';
comment on column hacs_audit.coverage.schema_name is 'Schema of the table';
comment on column hacs_audit.coverage.table_name is 'Name of the table';
comment on column hacs_audit.coverage.audit is 'complete, missing, disabled, or altered';

-------------------------------------------------------------------------------------------------------------------
-- Seals: digests over all rows since the seal before, chained. Writers pay nothing for them. Who alters, removes or
-- adds a sealed row, with whatever rights, would have to make all later seals anew; keep a copy of the last digest
-- elsewhere, and not even that helps.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_audit.seals (
    seal_id bigint primary key,
    sealed_at timestamptz not null default clock_timestamp(),
    month date not null,
    change_ids int8multirange not null,
    changes bigint not null constraint seals_changes_range check (changes > 0),
    horizon xid8 not null,
    next_transaction xid8 not null,
    last_change_id bigint not null,
    system_identifier bigint not null,
    previous_digest bytea,
    digest bytea not null constraint seals_digest_sha256 check (length(digest) = 32),
    detached_at timestamptz,

    constraint seals_chain check ((seal_id = 1) = (previous_digest is null))
);

comment on table hacs_audit.seals is 'One row is a digest over a set of changes, chained to the seal before it';
comment on column hacs_audit.seals.seal_id is 'Number of the seal, without gaps';
comment on column hacs_audit.seals.sealed_at is 'When it was made';
comment on column hacs_audit.seals.month is 'Month of its changes; a seal never spans two';
comment on column hacs_audit.seals.change_ids is 'The changes that it covers';
comment on column hacs_audit.seals.changes is 'How many they are';
comment on column hacs_audit.seals.horizon is 'Every transaction before this one had ended: its changes are sealed here or before';
comment on column hacs_audit.seals.next_transaction is 'No transaction from this one on had begun';
comment on column hacs_audit.seals.last_change_id is 'The last number that hacs_audit.change_ids had given';
comment on column hacs_audit.seals.system_identifier is 'Cluster in which it was made; transaction numbers mean nothing in another';
comment on column hacs_audit.seals.previous_digest is 'Digest of the seal before; null for the first';
comment on column hacs_audit.seals.digest is 'SHA-256 over the seal and its changes';
comment on column hacs_audit.seals.detached_at is 'When its month was detached; the changes are no longer here';

comment on constraint seals_digest_sha256 on hacs_audit.seals is 'A SHA-256 digest has 32 bytes';
comment on constraint seals_chain on hacs_audit.seals is 'Only the first seal has none before it';

create or replace function hacs_audit.refuse_seal_change()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'UPDATE' then
        -- the one change that detach_month makes
        if old.detached_at is null and to_jsonb(new) - 'detached_at' = to_jsonb(old) - 'detached_at' then
            return new;
        end if;
    end if;
    raise exception '% of hacs_audit.seals is refused: seals are append-only', tg_op
        using errcode = 'insufficient_privilege';
end
$$;
comment on function hacs_audit.refuse_seal_change() is 'Trigger: refuses UPDATE, DELETE and TRUNCATE of seals, but for the detachment of a month';

create or replace trigger append_only
    before update or delete on hacs_audit.seals
    for each row execute function hacs_audit.refuse_seal_change();
create or replace trigger append_only_truncate
    before truncate on hacs_audit.seals
    for each statement execute function hacs_audit.refuse_seal_change();
alter table hacs_audit.seals enable always trigger append_only;
alter table hacs_audit.seals enable always trigger append_only_truncate;

-- Each value in a form that no setting of a session changes.
create or replace function hacs_audit.row_digest(change hacs_audit.resource_changes)
returns bytea
language sql immutable parallel safe
return sha256(convert_to(jsonb_build_array(
    (change).change_id,
    extract(epoch from (change).changed_at),
    extract(epoch from (change).transaction_at),
    (change).transaction_id::text,
    (change).operation,
    (change).schema_name,
    (change).table_name,
    (change).resource_type,
    (change).resource_id,
    (change).previous_id,
    (change).patient_id,
    (change).changed_fields,
    (change).old_values,
    (change).new_values,
    (change).actor_id,
    (change).purpose,
    (change).request_id,
    (change).session_role,
    (change).acting_role,
    host((change).client_address),
    (change).application_name
)::text, 'UTF8'));
comment on function hacs_audit.row_digest(hacs_audit.resource_changes) is 'SHA-256 over one change';

create or replace function hacs_audit.seal_digest(seal hacs_audit.seals, row_digests bytea)
returns bytea
language sql immutable parallel safe
return sha256(
    coalesce((seal).previous_digest, '')
    || convert_to(jsonb_build_array(
        (seal).seal_id,
        extract(epoch from (seal).sealed_at),
        extract(epoch from (seal).month::timestamp),
        (seal).change_ids::text,
        (seal).changes,
        (seal).horizon::text,
        (seal).next_transaction::text,
        (seal).last_change_id,
        (seal).system_identifier
    )::text, 'UTF8')
    || row_digests
);
comment on function hacs_audit.seal_digest(hacs_audit.seals, bytea) is 'SHA-256 over a seal and the digests of its changes';

create or replace function hacs_audit.seal()
returns integer
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
    most constant integer := 100000;
    before hacs_audit.seals;
    seal hacs_audit.seals;
    sealed int8multirange;
    since bigint;
    digests bytea;
    made integer := 0;
begin
    -- One at a time: each needs the digest of the one before.
    lock table hacs_audit.seals in share row exclusive mode;
    select s.* into before from hacs_audit.seals as s order by s.seal_id desc limit 1;

    seal.sealed_at := clock_timestamp();
    seal.horizon := pg_snapshot_xmin(pg_current_snapshot());
    seal.next_transaction := pg_snapshot_xmax(pg_current_snapshot());
    select s.system_identifier into seal.system_identifier from pg_control_system() as s;
    select q.last_value into seal.last_change_id from hacs_audit.change_ids as q;

    -- What the last seal left open belongs to transactions at or after its horizon. None of them had drawn a number
    -- before the last seal at which they had not even begun.
    select coalesce(max(s.last_change_id), 0) into since
    from hacs_audit.seals as s
    where s.system_identifier = seal.system_identifier and s.next_transaction <= before.horizon;
    select coalesce(range_agg(r.range), '{}') into sealed
    from hacs_audit.seals as s, unnest(s.change_ids) as r (range)
    where upper(r.range) > since;

    loop
        select min(date_trunc('month', c.changed_at))::date into seal.month
        from hacs_audit.resource_changes as c
        where c.change_id > since
            and not c.change_id <@ sealed
            -- numbers from the future are those of another cluster, from which this one was restored
            and (c.transaction_id < seal.horizon or c.transaction_id >= seal.next_transaction);
        exit when seal.month is null;

        select range_agg(int8range(c.change_id, c.change_id + 1)), count(*), string_agg(hacs_audit.row_digest(c), '' order by c.change_id)
        into seal.change_ids, seal.changes, digests
        from (
            select r.*
            from hacs_audit.resource_changes as r
            where r.change_id > since
                and not r.change_id <@ sealed
                and (r.transaction_id < seal.horizon or r.transaction_id >= seal.next_transaction)
                and r.changed_at >= seal.month
                and r.changed_at < seal.month + interval '1 month'
            order by r.change_id
            limit most
        ) as c;
        seal.seal_id := coalesce(before.seal_id, 0) + 1;
        seal.previous_digest := before.digest;
        seal.digest := hacs_audit.seal_digest(seal, digests);
        insert into hacs_audit.seals select seal.*;
        sealed := sealed + seal.change_ids;
        before := seal;
        made := made + 1;
    end loop;
    return made;
end
$$;
comment on function hacs_audit.seal() is 'Seals every change of ended transactions that is not sealed yet; gives the number of seals made';

create or replace function hacs_audit.verify_seals()
returns table (seal_id bigint, sealed_at timestamptz, problem text)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
    seal hacs_audit.seals;
    expected_id bigint := 1;
    before bytea;
    found_changes bigint;
    digests bytea;
    added bigint;
    system bigint;
    all_sealed int8multirange;
begin
    for seal in select s.* from hacs_audit.seals as s order by s.seal_id loop
        seal_id := expected_id;
        sealed_at := seal.sealed_at;
        if seal.seal_id <> expected_id then
            problem := 'the seal itself was removed';
            sealed_at := null;
            return next;
            return;
        end if;
        if seal.previous_digest is distinct from before then
            problem := 'it does not continue the seal before it';
            return next;
            return;
        end if;
        if seal.detached_at is null then
            select count(*), coalesce(string_agg(hacs_audit.row_digest(c), '' order by c.change_id), '')
            into found_changes, digests
            from hacs_audit.resource_changes as c
            -- the bounds let the planner use the index and skip months
            where c.change_id <@ seal.change_ids
                and c.change_id between lower(seal.change_ids) and upper(seal.change_ids)
                and c.changed_at >= seal.month and c.changed_at < seal.month + interval '1 month';
            problem := case
                when found_changes < seal.changes then format('%s of its changes were removed or moved to another time', seal.changes - found_changes)
                when found_changes > seal.changes then format('%s changes were added to it', found_changes - seal.changes)
                when hacs_audit.seal_digest(seal, digests) <> seal.digest then 'its changes, or the seal itself, were altered'
            end;
            if problem is not null then
                return next;
                return;
            end if;
        end if;
        before := seal.digest;
        expected_id := expected_id + 1;
    end loop;

    -- What claims to be older than the last horizon would have been sealed.
    select s.system_identifier into system from pg_control_system() as s;
    select range_agg(r.range) into all_sealed from hacs_audit.seals as s, unnest(s.change_ids) as r (range);
    select s.* into seal from hacs_audit.seals as s where s.system_identifier = system order by s.seal_id desc limit 1;
    select count(*) into added
    from hacs_audit.resource_changes as c
    where not c.change_id <@ all_sealed and c.transaction_id < seal.horizon;
    if added > 0 then
        seal_id := seal.seal_id;
        sealed_at := seal.sealed_at;
        problem := format('%s changes were added that claim to be older than it', added);
        return next;
    end if;
end
$$;
comment on function hacs_audit.verify_seals() is 'The first seal whose changes were altered, removed or added, and how; no row where all are intact';

create or replace function hacs_audit.detach_month(month date)
returns text
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
    partition constant text := to_char(month, '"resource_changes_"YYYY_MM');
    unsealed bigint;
    sealed int8multirange;
begin
    if to_regclass('hacs_audit.' || partition) is null then
        raise exception 'there is no partition for %', to_char(month, 'YYYY-MM') using errcode = 'undefined_table';
    end if;
    lock table hacs_audit.seals in share row exclusive mode;
    select coalesce(range_agg(r.range), '{}') into sealed
    from hacs_audit.seals as s, unnest(s.change_ids) as r (range)
    where s.month = date_trunc('month', detach_month.month);
    execute format('select count(*) from hacs_audit.%I where not change_id <@ $1', partition) into unsealed using sealed;
    if unsealed > 0 then
        raise exception '% changes of % are not sealed yet', unsealed, to_char(month, 'YYYY-MM')
            using errcode = 'object_not_in_prerequisite_state', hint = 'Run hacs_audit.seal() first.';
    end if;
    execute format('alter table hacs_audit.resource_changes detach partition hacs_audit.%I', partition);
    update hacs_audit.seals as s set detached_at = now()
    where s.month = date_trunc('month', detach_month.month) and s.detached_at is null;
    return 'hacs_audit.' || partition;
end
$$;
comment on function hacs_audit.detach_month(date) is
    'Detaches a sealed month and marks its seals; gives the name of the table, which is then yours to archive and drop';

-------------------------------------------------------------------------------------------------------------------
-- What people ask of the trail.
-------------------------------------------------------------------------------------------------------------------

create or replace function hacs_audit.history(resource_type text, id text)
returns setof hacs_audit.resource_changes
language sql stable
begin atomic
    -- A resource whose key was changed has its earlier life under the earlier key.
    with recursive life as (
        select c.* from hacs_audit.resource_changes as c
        where c.resource_id = history.id and c.resource_type = history.resource_type
        union
        select e.*
        from life
        join hacs_audit.resource_changes as e
            on e.resource_id = life.previous_id and e.resource_type = life.resource_type and e.change_id < life.change_id
        where life.previous_id is not null
    )
    select * from life order by change_id;
end;
comment on function hacs_audit.history(text, text) is 'All changes of a resource, the oldest first, through changes of its key';

create or replace function hacs_audit.key_column(schema_name text, table_name text)
returns text
language sql stable
begin atomic
    select (string_to_array(encode(t.tgargs, 'escape'), '\000'))[4]
    from pg_catalog.pg_trigger as t
    where t.tgname = 'audit' and t.tgrelid = to_regclass(format('%I.%I', schema_name, table_name));
end;
comment on function hacs_audit.key_column(text, text) is 'The key column of an audited table';

-- Backwards: from the row as it is, or as it was when it was deleted, over each later UPDATE to the moment asked for.
create or replace function hacs_audit.as_of(resource_type text, id text, moment timestamptz)
returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    last_change hacs_audit.resource_changes;
    later hacs_audit.resource_changes;
    key text := id;
    row_then jsonb;
    undo jsonb[] := '{}';
    undone jsonb;
    generated text[];
begin
    -- The last thing that happened under this key; the key may have been given up since.
    select c.* into last_change
    from hacs_audit.resource_changes as c
    where c.resource_type = as_of.resource_type
        and (c.resource_id = as_of.id or c.previous_id = as_of.id)
        and c.changed_at <= moment
    order by c.change_id desc
    limit 1;
    if last_change.change_id is null or last_change.operation = 'DELETE' or last_change.resource_id <> as_of.id then
        return null;
    end if;

    -- Onwards to the end of this life, through changes of the key.
    loop
        select c.* into later
        from hacs_audit.resource_changes as c
        where c.resource_type = as_of.resource_type
            and (c.resource_id = key and c.previous_id is null or c.previous_id = key)
            and c.change_id > coalesce(later.change_id, last_change.change_id)
        order by c.change_id
        limit 1;
        exit when later.change_id is null or later.operation <> 'UPDATE';
        undo := later.old_values || undo;
        key := later.resource_id;
    end loop;
    if later.operation = 'DELETE' then
        row_then := later.old_values;
    else
        execute format(
            'select to_jsonb(t) from %1$I.%2$I as t where t.%3$I = $1 and coalesce(to_jsonb(t) ->> ''resource_type'', $2) = $2',
            last_change.schema_name, last_change.table_name,
            hacs_audit.key_column(last_change.schema_name, last_change.table_name)
        )
        into row_then using key, as_of.resource_type;
        if row_then is null then
            raise warning '%/% is gone, and the trail does not tell how', as_of.resource_type, key;
            return null;
        end if;
    end if;
    foreach undone in array undo loop
        row_then := row_then || undone;
    end loop;

    -- As a document: without the columns that only this database has, and with its unknown keys in their place.
    generated := hacs_core.own_columns(to_regclass(format('%I.%I', last_change.schema_name, last_change.table_name)));
    return (row_then - generated - 'extra') || coalesce(nullif(row_then -> 'extra', 'null'), '{}');
end
$$;
comment on function hacs_audit.as_of(text, text, timestamptz) is 'The document as it was at a moment; null where it did not exist';

create or replace function hacs_audit.changed_by(actor text, since timestamptz, until timestamptz)
returns setof hacs_audit.resource_changes
language sql stable
begin atomic
    select c.*
    from hacs_audit.resource_changes as c
    where c.actor_id = actor and c.changed_at >= since and c.changed_at < until
    order by c.change_id;
end;
comment on function hacs_audit.changed_by(text, timestamptz, timestamptz) is 'What an actor changed in a span of time, its end excluded';

create or replace function hacs_audit.disclosures(patient text, since timestamptz, until timestamptz)
returns setof hacs_audit.resource_changes
language sql stable
begin atomic
    select c.*
    from hacs_audit.resource_changes as c
    where c.patient_id = patient and c.changed_at >= since and c.changed_at < until
    order by c.change_id;
end;
comment on function hacs_audit.disclosures(text, timestamptz, timestamptz) is
    'Who changed the records of a patient in a span of time, its end excluded';

create or replace view hacs_audit.audit_event as
select
    c.change_id,
    c.changed_at,
    jsonb_strip_nulls(jsonb_build_object(
        'resourceType', 'AuditEvent',
        'id', c.change_id::text,
        'type', jsonb_build_object('system', 'http://terminology.hl7.org/CodeSystem/audit-event-type', 'code', 'rest'),
        'subtype', jsonb_build_array(jsonb_build_object(
            'system', 'http://hl7.org/fhir/restful-interaction',
            'code', case c.operation when 'INSERT' then 'create' when 'UPDATE' then 'update' else 'delete' end
        )),
        'action', case c.operation when 'INSERT' then 'C' when 'UPDATE' then 'U' else 'D' end,
        'recorded', to_char(c.changed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'outcome', '0',
        'purposeOfEvent', case when c.purpose is not null then jsonb_build_array(jsonb_build_object('text', c.purpose)) end,
        'agent', jsonb_build_array(jsonb_build_object(
            'who', case when c.actor_id is not null
                then jsonb_build_object('identifier', jsonb_build_object('value', c.actor_id), 'display', c.actor_id) end,
            'altId', c.acting_role,
            'name', c.application_name,
            'requestor', true,
            'network', case when c.client_address is not null
                then jsonb_build_object('address', host(c.client_address), 'type', '2') end
        )),
        'source', jsonb_build_object('observer', jsonb_build_object('display', format('PostgreSQL database %s', current_database()))),
        'entity', jsonb_build_array(
            jsonb_build_object(
                'what', case when c.resource_id is not null
                    then jsonb_build_object('reference', format('%s/%s', c.resource_type, c.resource_id)) end,
                'type', jsonb_build_object('system', 'http://terminology.hl7.org/CodeSystem/audit-entity-type', 'code', '2'),
                'name', format('%s.%s', c.schema_name, c.table_name),
                'detail', case when c.request_id is not null
                    then jsonb_build_array(jsonb_build_object('type', 'request', 'valueString', c.request_id)) end
            )
        ) || case when c.patient_id is not null
            then jsonb_build_array(jsonb_build_object(
                'what', jsonb_build_object('reference', format('Patient/%s', c.patient_id)),
                'type', jsonb_build_object('system', 'http://terminology.hl7.org/CodeSystem/audit-entity-type', 'code', '1'),
                'role', jsonb_build_object('system', 'http://terminology.hl7.org/CodeSystem/object-role', 'code', '1')
            ))
            else '[]'
        end
    )) as resource
from hacs_audit.resource_changes as c;

comment on view hacs_audit.audit_event is 'Each change as a FHIR R4 AuditEvent';
comment on column hacs_audit.audit_event.change_id is 'Number of the change';
comment on column hacs_audit.audit_event.changed_at is 'When it happened';
comment on column hacs_audit.audit_event.resource is 'The AuditEvent (FHIR AuditEvent)';

-------------------------------------------------------------------------------------------------------------------
-- Nobody has a right on the trail but its owner, until somebody is given one.
-------------------------------------------------------------------------------------------------------------------

revoke all on all functions in schema hacs_audit from public;
