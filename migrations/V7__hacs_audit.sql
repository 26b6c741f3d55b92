-- The audit trail: what was changed, by whom, and proof that nobody has changed the trail since.

-------------------------------------------------------------------------------------------------------------------
-- One row for each change of a row, and for each access that an application tells of. It is written by triggers alone
-- (V8), and never changed.
-------------------------------------------------------------------------------------------------------------------

-- Not an identity column: partitioned tables have them only from PostgreSQL 17 on.
create sequence if not exists hacs_audit.change_ids as bigint;
comment on sequence hacs_audit.change_ids is 'Numbers of changes; a change that is rolled back leaves a gap';

-- No CHECK and no domain: each would be prepared anew for every statement that is written down. The triggers write
-- sentences, and verify_seals names a row that is none.
create table if not exists hacs_audit.resource_changes (
    change_id bigint not null default nextval('hacs_audit.change_ids'),
    changed_at timestamptz not null default clock_timestamp(),
    transaction_at timestamptz not null default now(),
    transaction_id xid8 not null default pg_current_xact_id(),
    operation text not null,
    schema_name text not null,
    table_name text not null,
    resource_type text not null,
    resource_id text collate "C",
    previous_type text,
    previous_id text collate "C",
    patient_id text collate "C",
    also text[] collate "C",
    changed_fields text[],
    old_values jsonb,
    new_values jsonb,
    erased bytea[],
    actor_id text collate "C",
    purpose text,
    request_id text,
    session_role text not null default session_user,
    acting_role text not null default coalesce(nullif(current_setting('role'), 'none'), session_user),
    client_address inet default inet_client_addr(),
    application_name text default nullif(current_setting('application_name'), ''),

    constraint resource_changes_pkey primary key (change_id, changed_at)
) partition by range (changed_at);

comment on table hacs_audit.resource_changes is
    'One row is one change of one row in an audited table, one truncation of such a table, or one access to a '
    'resource';
comment on column hacs_audit.resource_changes.change_id is
    'Number of the change; within a transaction in the order of events';
comment on column hacs_audit.resource_changes.changed_at is
    'When it happened, by the clock of the server; also decides the partition';
comment on column hacs_audit.resource_changes.transaction_at is 'When its transaction began';
comment on column hacs_audit.resource_changes.transaction_id is
    'Transaction that made it; the numbers start again when a dump is restored elsewhere';
comment on column hacs_audit.resource_changes.operation is
    'What was done: INSERT, UPDATE, DELETE, TRUNCATE, or READ where an application tells of it';
comment on column hacs_audit.resource_changes.schema_name is 'Schema of the audited table, as it was attached';
comment on column hacs_audit.resource_changes.table_name is
    'Name of the audited table, as it was attached; the same for all its partitions';
comment on column hacs_audit.resource_changes.resource_type is
    'Type of the resource, such as Patient; for a truncation of several types, the name of the table';
comment on column hacs_audit.resource_changes.resource_id is
    'Key of the row; the new one where the key itself was changed; null for a truncation';
comment on column hacs_audit.resource_changes.previous_type is
    'Type before the change, where the type itself was changed';
comment on column hacs_audit.resource_changes.previous_id is 'Key before the change, where key or type were changed';
comment on column hacs_audit.resource_changes.patient_id is
    'Patient to whom the row belongs after the change; of a DELETE, before it';
comment on column hacs_audit.resource_changes.also is
    'Under what else it is to be found, where the change moved it: Patient/<the one before> and <type>/<key> before';
comment on column hacs_audit.resource_changes.changed_fields is 'Columns that an UPDATE changed';
comment on column hacs_audit.resource_changes.old_values is
    'Values before: of an UPDATE those that changed, of a DELETE all';
comment on column hacs_audit.resource_changes.new_values is 'Values after: of an UPDATE those that changed';
comment on column hacs_audit.resource_changes.erased is
    'SHA-256 of old and new values, where forget() took the values themselves away';
comment on column hacs_audit.resource_changes.actor_id is
    'Person or agent on whose behalf it was done, as the application told by set_actor';
comment on column hacs_audit.resource_changes.purpose is
    'What it was done for, such as treatment, as the application told (FHIR AuditEvent.purposeOfEvent)';
comment on column hacs_audit.resource_changes.request_id is 'Request of the application, to find its other traces';
comment on column hacs_audit.resource_changes.session_role is 'Role that was logged in';
comment on column hacs_audit.resource_changes.acting_role is
    'Role that the session had taken by SET ROLE, else the one that was logged in; not the owner of a function on '
    'the way';
comment on column hacs_audit.resource_changes.client_address is
    'Address from which the session came; null for a unix socket';
comment on column hacs_audit.resource_changes.application_name is 'Name that the application gave itself';

-- The questions: what happened to this resource, to the records of this patient, by this actor in that time, and under
-- what was it known before. A statement writes all its rows at once, so that a condition costs next to nothing.
create index if not exists resource_changes_resource_idx on hacs_audit.resource_changes (resource_id);
create index if not exists resource_changes_patient_idx on hacs_audit.resource_changes (patient_id)
    where patient_id is not null;
create index if not exists resource_changes_actor_idx on hacs_audit.resource_changes (actor_id, changed_at)
    where actor_id is not null;
create index if not exists resource_changes_also_idx on hacs_audit.resource_changes using gin (also)
    where also is not null;

create or replace function hacs_audit.value_digests(change hacs_audit.resource_changes)
returns bytea[]
language sql immutable parallel safe
return array[
    sha256(convert_to((change).old_values::text, 'UTF8')),
    sha256(convert_to((change).new_values::text, 'UTF8'))
];
comment on function hacs_audit.value_digests(hacs_audit.resource_changes) is
    'SHA-256 of the old and of the new values of a change';

-- Each value in a form that no setting of a session changes; old and new values by their digests, so that they can be
-- erased without a trace of them, and with a trace of the erasure.
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
    (change).previous_type,
    (change).previous_id,
    (change).patient_id,
    (change).also,
    (change).changed_fields,
    encode(coalesce((change).erased[1], sha256(convert_to((change).old_values::text, 'UTF8'))), 'hex'),
    encode(coalesce((change).erased[2], sha256(convert_to((change).new_values::text, 'UTF8'))), 'hex'),
    (change).actor_id,
    (change).purpose,
    (change).request_id,
    (change).session_role,
    (change).acting_role,
    host((change).client_address),
    (change).application_name
)::text, 'UTF8'));
comment on function hacs_audit.row_digest(hacs_audit.resource_changes) is
    'SHA-256 over one change, the same before and after its values were erased';

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
    -- The one exception leaves the digest of the row as it is. Only forget() tells of it in the chain of seals, and
    -- verify_seals names what it does not tell of.
    if tg_op = 'UPDATE' and tg_argv[0] = 'resource_changes' then
        if old.erased is null and new.old_values is null and new.new_values is null
            and new.erased = hacs_audit.value_digests(old) and hacs_audit.row_digest(new) = hacs_audit.row_digest(old)
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
comment on function hacs_audit.refuse_change() is
    'Trigger: refuses UPDATE, DELETE and TRUNCATE, but for the erasure of values; argument: the logical table';

create or replace function hacs_audit.last_number()
returns bigint
language sql volatile
begin atomic
    select case when q.is_called then q.last_value else 0 end from hacs_audit.change_ids as q;
end;
comment on function hacs_audit.last_number() is 'The last number of a change that was drawn; 0 before the first';

create or replace function hacs_audit.refuse_number()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'change % is refused: hacs_audit.change_ids has given no number after %', new.change_id,
        hacs_audit.last_number()
        using errcode = 'insufficient_privilege',
            hint = 'To carry a trail over from another database, set the sequence first: scripts/carry-over.sh does '
                'it.';
end
$$;
comment on function hacs_audit.refuse_number() is
    'Trigger: refuses a change whose number was never drawn; it would meet its twin one day';

-- A subscriber to whom the trail itself is replicated receives numbers that his sequence never gave: this one does not
-- fire always.
create or replace trigger number_was_drawn
    before insert on hacs_audit.resource_changes
    for each row when (new.change_id > coalesce(pg_sequence_last_value('hacs_audit.change_ids'::regclass), 0)
        or new.change_id <= 0)
    execute function hacs_audit.refuse_number();

-- A partition inherits what fires for its rows, but not that it fires always, and no trigger for TRUNCATE.
create or replace function hacs_audit.guard(guarded regclass, logical text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    is_partition constant boolean := (select c.relispartition from pg_class as c where c.oid = guarded);
    undo text;
begin
    -- What somebody else put there, and what default privileges gave away.
    for undo in
        select format('drop trigger %I on %s', t.tgname, guarded)
        from pg_trigger as t
        where t.tgrelid = guarded and not t.tgisinternal and t.tgparentid = 0 and is_partition
            and t.tgname <> 'append_only_truncate'
        union all
        select format('drop rule %I on %s', r.rulename, guarded)
        from pg_rewrite as r
        where r.ev_class = guarded and is_partition
        union all
        select format('alter table %s disable row level security, no force row level security', guarded)
        from pg_class as c
        where c.oid = guarded and is_partition and (c.relrowsecurity or c.relforcerowsecurity)
        union all
        select distinct format(
            'revoke all on %s from %s', guarded,
            case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end
        )
        from pg_class as c
        cross join lateral aclexplode(c.relacl) as a
        where c.oid = guarded and a.grantee <> c.relowner and is_partition
    loop
        execute undo;
    end loop;
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
    execute format('alter table %s enable always trigger append_only, enable always trigger append_only_truncate',
        guarded);
end
$$;
comment on function hacs_audit.guard(regclass, text) is
    'Makes the trail, one of its partitions or the seals append-only, also where the guards were dropped or turned '
    'off; from a partition it takes what others put there';

select hacs_audit.guard('hacs_audit.resource_changes', 'resource_changes');

-------------------------------------------------------------------------------------------------------------------
-- Partitions, one a quarter, and a default one that loses nothing when nobody has made them in time. Whoever asks
-- something of the trail locks each partition and each of its indexes: ten years are 720 locks by month, 240 by
-- quarter. Fifty sessions at once get along with the second on a server as it comes, and not with the first; and a
-- quarter is soon enough to let go.
-------------------------------------------------------------------------------------------------------------------

create or replace function hacs_audit.quarter_of(moment timestamptz)
returns date
language sql immutable parallel safe
return date_trunc('quarter', moment at time zone 'UTC')::date;
comment on function hacs_audit.quarter_of(timestamptz) is 'First day of the quarter (UTC) in which a moment lies';

-- By bounds, not by name.
create or replace function hacs_audit.quarters()
returns table (partition regclass, since timestamptz, until timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
    select c.oid::regclass, b.bounds[1]::timestamptz, b.bounds[2]::timestamptz
    from pg_inherits as i
    join pg_class as c on c.oid = i.inhrelid
    cross join lateral regexp_match(pg_get_expr(c.relpartbound, c.oid),
        'FROM \(''(.*?)''\) TO \(''(.*?)''\)') as b (bounds)
    where i.inhparent = 'hacs_audit.resource_changes'::regclass and b.bounds is not null
$$;
comment on function hacs_audit.quarters() is
    'The partitions of the trail, but for the default one, and the time that each holds';

-- Nobody waits for it: tables are made aside and attached under a lock for which it waits 0.1 s. Where somebody reads
-- the trail just now, it warns, and the next call tries again; until then the rows go to the default partition. Rows
-- that are there are not copied: the default partition becomes that of their quarters, and an empty one takes its
-- place. PostgreSQL looks at each of them while nobody can write, though, and so it does not begin with many unless it
-- is told to.
create or replace function hacs_audit.ensure_partitions(
    ahead integer default 4,
    since timestamptz default now(),
    however_many boolean default false
)
returns integer
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set lock_timeout = '100ms'
as $$
declare
    spare regclass := to_regclass('hacs_audit.resource_changes_default');
    stray tstzrange;
    quarter timestamptz;
    name text;
    fresh text[] := '{}';
    attached integer := 0;
begin
    if ahead not between 0 and 40 then
        raise exception 'ahead must be from 0 to 40 quarters, not %', ahead using errcode = 'invalid_parameter_value';
    end if;
    -- Two at once would make the same quarters.
    if not pg_try_advisory_xact_lock(hashtextextended('hacs_audit.ensure_partitions', 0)) then
        return 0;
    end if;
    if not however_many and pg_relation_size(spare) > 33554432 then
        raise warning 'quarters of the trail were not made: % MB of rows wait in the default partition',
            pg_relation_size(spare) / 1048576
            using hint = 'Nothing is lost. When writers may wait some seconds: select '
                'hacs_audit.ensure_partitions(however_many => true).';
        return -1;
    end if;
    begin
        if spare is not null then
            execute format('select tstzrange(date_trunc(''quarter'', min(changed_at)), date_trunc(''quarter'', '
                'max(changed_at)) + interval ''3 months'') from %s having count(*) > 0', spare)
            into stray;
        end if;
        for quarter in
            select q
            from generate_series(date_trunc('quarter', least(since, now())), now() + ahead * interval '3 months',
                interval '3 months') as q
            where not coalesce(stray @> q, false)
                and not exists (select 1 from hacs_audit.quarters() as h where tstzrange(h.since, h.until) @> q)
            order by q
        loop
            -- a table that was let go and was not dropped may have the name
            name := to_char(quarter, '"resource_changes_"YYYY"q"Q');
            if to_regclass('hacs_audit.' || name) is not null then
                name := name || to_char(clock_timestamp(), '"_"YYYYMMDDHH24MISSUS');
            end if;
            execute format('create table hacs_audit.%I (like hacs_audit.resource_changes including all)', name);
            fresh := fresh || name || quarter::text;
        end loop;
        -- Nothing is locked until here. From here on it takes some milliseconds.
        if stray is not null then
            -- What has the parent already may be in the way.
            if exists (select 1 from hacs_audit.quarters() as h where tstzrange(h.since, h.until) && stray) then
                raise warning 'rows of % wait in the default partition, beside a partition of that time: move them by '
                    'hand', lower(stray)::date;
            else
                name := to_char(lower(stray), '"resource_changes_"YYYY"q"Q');
                if to_regclass('hacs_audit.' || name) is not null then
                    name := name || to_char(clock_timestamp(), '"_"YYYYMMDDHH24MISSUS');
                end if;
                execute format('alter table hacs_audit.resource_changes detach partition %s', spare);
                execute format('alter table %s rename to %I', spare, name);
                execute format('alter index hacs_audit.resource_changes_default_pkey rename to %I', name || '_pkey');
                execute format(
                    'alter table hacs_audit.resource_changes attach partition hacs_audit.%I for values from (%L) to '
                        '(%L)',
                    name, lower(stray), upper(stray)
                );
                perform hacs_audit.guard(format('hacs_audit.%I', name)::regclass, 'resource_changes');
                spare := null;
                attached := attached + 1;
            end if;
        elsif spare is not null and fresh <> '{}' then
            execute format('lock table %s in access exclusive mode', spare);
        end if;
        for at in 1 .. cardinality(fresh) by 2 loop
            execute format(
                'alter table hacs_audit.resource_changes attach partition hacs_audit.%I for values from (%L) to (%L)',
                fresh[at], fresh[at + 1], fresh[at + 1]::timestamptz + interval '3 months'
            );
            perform hacs_audit.guard(format('hacs_audit.%I', fresh[at])::regclass, 'resource_changes');
            attached := attached + 1;
        end loop;
        if spare is null then
            create table hacs_audit.resource_changes_default partition of hacs_audit.resource_changes default;
            perform hacs_audit.guard('hacs_audit.resource_changes_default', 'resource_changes');
        end if;
    exception
        -- or a row of another quarter came meanwhile
        when lock_not_available or check_violation then
            raise warning 'quarters of the trail are due, and were not made: somebody is using the trail'
                using hint = 'Nothing is lost: hacs_audit.seal() and migrate try again.';
            return -1;
    end;
    return attached;
end
$$;
comment on function hacs_audit.ensure_partitions(integer, timestamptz, boolean) is
    'Makes the partitions of this quarter and the next ones, or from another one on, without waiting for anybody; '
    'gives the number of those made, or -1 where it warns that it could not. Where more than 32 MB wait in the '
    'default partition, only if it is told to';

select hacs_audit.ensure_partitions();

-------------------------------------------------------------------------------------------------------------------
-- Seals. One row is a link of a chain: changes sealed, quarters let go, values erased. Writers pay nothing for them.
-- Who alters, removes or adds a sealed row, with whatever rights, would have to make all later seals anew; keep a copy
-- of the last digest elsewhere, and not even that helps.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_audit.seals (
    seal_id bigint primary key,
    kind text not null constraint seals_kind_valid check (kind = any ('{changes, detached, erased}')),
    sealed_at timestamptz not null,
    from_id bigint not null,
    to_id bigint not null,
    to_at timestamptz not null,
    mark_id bigint not null,
    mark_at timestamptz not null,
    mark_writers text[] not null,
    quarters date[] not null,
    counts bigint[] not null,
    digests bytea[] not null,
    details jsonb not null default '{}',
    system_identifier bigint not null,
    previous_digest bytea,
    digest bytea not null constraint seals_digest_sha256 check (length(digest) = 32),

    constraint seals_chain check ((seal_id = 1) = (previous_digest is null))
);

comment on table hacs_audit.seals is
    'One row is a link of the chain: a span of changes with their digests, quarters that were let go, or values '
    'that were erased';
comment on column hacs_audit.seals.seal_id is 'Number of the seal, without gaps';
comment on column hacs_audit.seals.kind is
    'changes, detached (quarters were let go) or erased (values were taken away)';
comment on column hacs_audit.seals.sealed_at is 'When it was made';
comment on column hacs_audit.seals.from_id is 'It covers every number of a change after this one';
comment on column hacs_audit.seals.to_id is 'Up to this one, also those that were rolled back';
comment on column hacs_audit.seals.to_at is 'No number after to_id was drawn before this moment';
comment on column hacs_audit.seals.mark_id is 'The last number that was drawn at mark_at';
comment on column hacs_audit.seals.mark_at is 'When that was looked at';
comment on column hacs_audit.seals.mark_writers is
    'Virtual transactions that were writing then; as soon as each has ended, no change up to mark_id can turn up';
comment on column hacs_audit.seals.quarters is 'First days of the quarters in which its changes lie';
comment on column hacs_audit.seals.counts is 'How many changes lie in each of them';
comment on column hacs_audit.seals.digests is
    'SHA-256 over the digests of those changes, in the order of their numbers';
comment on column hacs_audit.seals.details is
    'Of quarters let go: which, and in which table; of an erasure: which changes, why, and by whom';
comment on column hacs_audit.seals.system_identifier is 'Cluster in which it was made';
comment on column hacs_audit.seals.previous_digest is 'Digest of the seal before; null for the first';
comment on column hacs_audit.seals.digest is 'SHA-256 over the whole seal, and so over all before it';

comment on constraint seals_digest_sha256 on hacs_audit.seals is 'A SHA-256 digest has 32 bytes';
comment on constraint seals_chain on hacs_audit.seals is 'Only the first seal has none before it';

select hacs_audit.guard('hacs_audit.seals', 'seals');

create or replace function hacs_audit.seal_digest(seal hacs_audit.seals)
returns bytea
language sql immutable parallel safe
return sha256(
    coalesce((seal).previous_digest, '')
    || convert_to(jsonb_build_array(
        (seal).seal_id,
        (seal).kind,
        extract(epoch from (seal).sealed_at),
        (seal).from_id,
        (seal).to_id,
        extract(epoch from (seal).to_at),
        (seal).mark_id,
        extract(epoch from (seal).mark_at),
        (seal).mark_writers,
        (select jsonb_agg(q - date '2000-01-01') from unnest((seal).quarters) as q),
        (seal).counts,
        (select jsonb_agg(encode(d, 'hex')) from unnest((seal).digests) as d),
        (seal).details,
        (seal).system_identifier
    )::text, 'UTF8')
);
comment on function hacs_audit.seal_digest(hacs_audit.seals) is 'SHA-256 over a seal';

-- Whoever draws a number holds the trail's lock for writing from before until his transaction has ended. A snapshot
-- would not tell: its xmax is one more than the last transaction that has ENDED, and its xmin waits for other
-- databases.
create or replace function hacs_audit.writers()
returns text[]
language sql volatile
begin atomic
    select coalesce(array_agg(distinct l.virtualtransaction order by l.virtualtransaction), '{}')
    from pg_catalog.pg_locks as l
    join pg_catalog.pg_database as d on d.oid = l.database
    where d.datname = current_database() and l.locktype = 'relation' and l.mode = 'RowExclusiveLock' and l.granted
        and l.relation = 'hacs_audit.resource_changes'::regclass;
end;
comment on function hacs_audit.writers() is
    'Who may be writing changes just now. Read the clock first, then last_number(), then this: once none of them '
    'is left, no change up to that number can turn up';

-- One row here. A distributed database has one for each node: each draws numbers of a range of its own. Whoever writes
-- may be prepared for a commit in two phases later, and has another name then.
create or replace function hacs_audit.marks(out node bigint, out since bigint, out until bigint,
    out mark_at timestamptz, out mark_id bigint, out mark_writers text[], out busy text[])
returns setof record
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    node := 0;
    since := 0;
    until := 9223372036854775807;
    -- In this order: the clock, the sequence, the writers.
    mark_at := clock_timestamp();
    mark_id := hacs_audit.last_number();
    mark_writers := hacs_audit.writers();
    busy := mark_writers;
    if exists (select 1 from unnest(busy) as w where w ~ '^-1/') then
        busy := busy || '{prepared}';
    end if;
    if mark_writers <> '{}' then
        mark_writers := mark_writers || '{prepared}';
    end if;
    return next;
end
$$;
comment on function hacs_audit.marks() is
    'How far numbers of changes are drawn just now, and who may be writing; one row for each node of a distributed '
    'database';

create or replace function hacs_audit.last_seal(node bigint, before bigint default null)
returns hacs_audit.seals
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    seal hacs_audit.seals;
begin
    select s.* into seal
    from hacs_audit.seals as s
    where coalesce((s.details ->> 'node')::bigint, 0) = node and (before is null or s.seal_id < before)
    order by s.seal_id desc
    limit 1;
    return seal;
end
$$;
comment on function hacs_audit.last_seal(bigint, bigint) is
    'The last seal over numbers of a node, or the last one before another; all are of node 0 but in a distributed '
    'database';

create or replace function hacs_audit.append_seal(seal hacs_audit.seals)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    node constant bigint := coalesce((seal.details ->> 'node')::bigint, 0);
    newest hacs_audit.seals;
    before hacs_audit.seals := hacs_audit.last_seal(node);
begin
    select * into newest from hacs_audit.seals order by seal_id desc limit 1;
    seal.seal_id := coalesce(newest.seal_id, 0) + 1;
    seal.sealed_at := clock_timestamp();
    seal.from_id := coalesce(before.to_id, node << 48);
    if seal.kind <> 'changes' then
        -- these cover no numbers, and hand on the mark of the seal before
        seal.to_id := coalesce(before.to_id, 0);
        seal.to_at := coalesce(before.to_at, '-infinity');
        seal.mark_id := coalesce(before.mark_id, 0);
        seal.mark_at := coalesce(before.mark_at, '-infinity');
        seal.mark_writers := coalesce(before.mark_writers, '{}');
    end if;
    seal.quarters := coalesce(seal.quarters, '{}');
    seal.counts := coalesce(seal.counts, '{}');
    seal.digests := coalesce(seal.digests, '{}');
    seal.details := coalesce(seal.details, '{}');
    select c.system_identifier into seal.system_identifier from pg_control_system() as c;
    seal.previous_digest := newest.digest;
    seal.digest := hacs_audit.seal_digest(seal);
    insert into hacs_audit.seals select seal.*;
end
$$;
comment on function hacs_audit.append_seal(hacs_audit.seals) is
    'Adds a link to the chain, under the lock of the caller';

create or replace function hacs_audit.parts(source regclass, from_id bigint, to_id bigint, out quarters date[],
    out counts bigint[], out digests bytea[])
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    execute format(
        'select array_agg(p.q), array_agg(p.n), array_agg(p.d) from ('
        '    select hacs_audit.quarter_of(c.changed_at) as q, count(*) as n,'
        '        sha256(string_agg(hacs_audit.row_digest(c.r), '''' order by c.change_id, c.changed_at)) as d'
        '    from ('
        '        select t.change_id, t.changed_at, row(t.*)::hacs_audit.resource_changes as r'
        '        from %s as t where t.change_id > $1 and t.change_id <= $2'
        '    ) as c'
        '    group by 1 order by 1'
        ') as p', source
    )
    into quarters, counts, digests using from_id, to_id;
end
$$;
comment on function hacs_audit.parts(regclass, bigint, bigint) is
    'The changes of a span in the trail or in a table of its shape: quarters, counts and digests';

create or replace function hacs_audit.refuse_old_snapshot()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if current_setting('transaction_isolation') <> 'read committed' or pg_is_in_recovery() then
        raise exception 'this is to be asked in READ COMMITTED, and not on a standby'
            using errcode = 'object_not_in_prerequisite_state',
                detail = 'Each of its statements has to see the changes that were committed before it.';
    end if;
end
$$;
comment on function hacs_audit.refuse_old_snapshot() is
    'Refuses to go on where a statement would not see what was committed before it';

create or replace function hacs_audit.seal(most integer default 10)
returns integer
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set lock_timeout = '100ms'
as $$
declare
    mark record;
    before hacs_audit.seals;
    seal hacs_audit.seals;
    final bigint;
    final_at timestamptz;
    made_before integer;
    made integer := 0;
begin
    perform hacs_audit.refuse_old_snapshot();
    -- One at a time: each needs the digest of the one before.
    begin
        lock table hacs_audit.seals in share row exclusive mode;
    exception
        when lock_not_available then
            raise warning 'nothing was sealed: somebody else is sealing';
            return 0;
    end;
    for mark in select * from hacs_audit.marks() loop
        before := hacs_audit.last_seal(mark.node);
        made_before := made;
        seal := null;
        seal.kind := 'changes';
        seal.details := case when mark.node = 0 then '{}' else jsonb_build_object('node', mark.node) end;
        seal.mark_at := mark.mark_at;
        seal.mark_id := mark.mark_id;
        seal.mark_writers := mark.mark_writers;
        final := null;
        if mark.busy = '{}' then
            final := mark.mark_id;
            final_at := mark.mark_at;
        else
            -- the newest mark whose writers have all ended
            select s.mark_id, s.mark_at into final, final_at
            from hacs_audit.seals as s
            where not s.mark_writers && mark.busy and coalesce((s.details ->> 'node')::bigint, 0) = mark.node
            order by s.seal_id desc
            limit 1;
        end if;
        -- A hundred thousand numbers a seal; at the mark alone it is known when the next number was drawn.
        while made < most and coalesce(before.to_id, mark.since) < final loop
            seal.to_id := least(final, coalesce(before.to_id, mark.since) + 100000);
            seal.to_at := case when seal.to_id = final then final_at else coalesce(before.to_at, '-infinity') end;
            select * into seal.quarters, seal.counts, seal.digests
            from hacs_audit.parts('hacs_audit.resource_changes', coalesce(before.to_id, mark.since), seal.to_id);
            perform hacs_audit.append_seal(seal);
            before := hacs_audit.last_seal(mark.node);
            made := made + 1;
        end loop;
        -- Somebody is still at work: an empty seal carries the mark to the next call.
        if made = made_before and seal.mark_id > coalesce(before.mark_id, mark.since) then
            seal.to_id := coalesce(before.to_id, mark.since);
            seal.to_at := coalesce(before.to_at, '-infinity');
            seal.quarters := null;
            seal.counts := null;
            seal.digests := null;
            perform hacs_audit.append_seal(seal);
        end if;
    end loop;
    -- Last, since it holds a lock until the end of the transaction.
    perform hacs_audit.ensure_partitions();
    return made;
end
$$;
comment on function hacs_audit.seal(integer) is
    'Seals the changes of ended transactions that are not sealed yet, at most a hundred thousand numbers a seal '
    'and so many seals a call; gives the number of seals made';

create or replace view hacs_audit.sealing as
select
    max(s.sealed_at) as sealed_at,
    case when bool_and(s.seal_id is not null or m.mark_id = m.since) then min(s.to_at) end as complete_until,
    sum(m.mark_id - coalesce(s.to_id, m.since))::bigint as numbers_not_sealed,
    sum(w.transactions)::bigint as waits_for_transactions,
    min(w.oldest) as waits_for_transaction_of
from hacs_audit.marks() as m
-- by the table, on which whoever reads the view needs no right
left join lateral (
    select * from hacs_audit.seals as n
    where coalesce((n.details ->> 'node')::bigint, 0) = m.node
    order by n.seal_id desc
    limit 1
) as s on true
cross join lateral (
    select count(distinct n.name) as transactions, min(a.xact_start) as oldest
    from pg_catalog.unnest(m.busy) as n (name)
    left join pg_catalog.pg_locks as l on l.virtualtransaction = n.name
        and l.relation = 'hacs_audit.resource_changes'::regclass
    left join pg_catalog.pg_stat_activity as a on a.pid = l.pid
    where n.name = any (s.mark_writers) and n.name <> 'prepared'
) as w;
comment on view hacs_audit.sealing is 'One row: how far the seals reach, and what holds them back';
comment on column hacs_audit.sealing.sealed_at is 'When the last seal was made; null before the first';
comment on column hacs_audit.sealing.complete_until is
    'Since when nothing is sealed: every change before this moment is';
comment on column hacs_audit.sealing.numbers_not_sealed is
    'How many numbers of changes were drawn since, those included that were rolled back';
comment on column hacs_audit.sealing.waits_for_transactions is
    'How many open transactions with changes of their own the seals wait for';
comment on column hacs_audit.sealing.waits_for_transaction_of is
    'Start of the oldest of these; null where there is none, and to whom PostgreSQL does not tell it of other '
    'roles (pg_read_all_stats)';

create or replace function hacs_audit.verify_seals()
returns table (seal_id bigint, sealed_at timestamptz, problem text)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
    slack constant interval := '2 seconds';  -- what a clock may be set back
    seal hacs_audit.seals;
    before hacs_audit.seals;
    prior hacs_audit.seals;
    mark record;
    found record;
    gone date[];
    taken int8multirange;
begin
    -- What the chain itself says of quarters that were let go, and of values that were erased.
    select coalesce(array_agg(q::date), '{}') into gone
    from hacs_audit.seals as s
    cross join lateral jsonb_array_elements_text(s.details -> 'quarters') as q
    where s.kind = 'detached';
    select coalesce(range_agg(r.range), '{}') into taken
    from hacs_audit.seals as s, unnest((s.details ->> 'changes')::int8multirange) as r (range)
    where s.kind = 'erased';

    for seal in select * from hacs_audit.seals as s order by s.seal_id loop
        seal_id := seal.seal_id;
        sealed_at := seal.sealed_at;
        prior := hacs_audit.last_seal(coalesce((seal.details ->> 'node')::bigint, 0), seal.seal_id);
        for problem in
            select p.problem
            from (
                values
                    (seal.seal_id <> coalesce(before.seal_id, 0) + 1, 'a seal before it was removed'),
                    (seal.previous_digest is distinct from before.digest, 'it does not continue the seal before it'),
                    (seal.digest <> hacs_audit.seal_digest(seal), 'the seal itself was altered'),
                    (seal.from_id <> coalesce(prior.to_id, coalesce((seal.details ->> 'node')::bigint, 0) << 48)
                        or seal.to_id < seal.from_id,
                        'numbers were left out between it and the seal before'),
                    (seal.sealed_at < before.sealed_at - slack, 'it is older than the seal before it'),
                    (seal.kind = 'detached' and seal.sealed_at < (seal.details ->> 'until')::timestamptz,
                        'it lets a quarter go that was not over')
            ) as p (wrong, problem)
            where p.wrong
        loop
            return next;
        end loop;
        if seal.kind = 'changes' then
            for problem in
                select format(
                    case
                        -- verify_archive looks at these
                        when q.quarter = any (gone) and l.count is null then null
                        when q.quarter = any (gone) then '%2$s of its changes lie in %1$s, which was let go'
                        when s.count is null then '%2$s changes of %1$s were added to it'
                        when l.count is null or l.count < s.count
                            then '%3$s of its changes of %1$s were removed or moved to another time'
                        when l.count > s.count then '%4$s changes of %1$s were added to it'
                        when l.digest <> s.digest then 'its changes of %1$s were altered'
                    end,
                    to_char(q.quarter, 'YYYY"Q"Q'), l.count, s.count - coalesce(l.count, 0),
                        l.count - coalesce(s.count, 0)
                )
                from hacs_audit.parts('hacs_audit.resource_changes', seal.from_id, seal.to_id) as live
                cross join lateral (select unnest(seal.quarters) union select unnest(live.quarters)) as q (quarter)
                left join lateral unnest(seal.quarters, seal.counts, seal.digests) as s (quarter, count,
                    digest) on s.quarter = q.quarter
                left join lateral unnest(live.quarters, live.counts, live.digests) as l (quarter, count,
                    digest) on l.quarter = q.quarter
                order by q.quarter
            loop
                if problem <> '' then
                    return next;
                end if;
            end loop;
            select
                -- what nodes that are no more have drawn is sealed once more, without regard to its time
                count(*) filter (where c.changed_at < prior.to_at - slack and not seal.details ? 'undone'
                    or c.changed_at > seal.sealed_at + slack) as dated,
                count(*) filter (where c.erased is not null and not c.change_id <@ taken) as hidden,
                count(*) filter (where c.erased is null and c.change_id <@ taken
                    and num_nonnulls(c.old_values, c.new_values) > 0) as restored,
                count(*) filter (where not hacs_audit.is_sentence(c)) as nonsense
            into found
            from hacs_audit.resource_changes as c
            where c.change_id > seal.from_id and c.change_id <= seal.to_id;
            for problem in
                select format(p.problem, p.number)
                from (
                    values
                        (found.dated, '%s of its changes are dated before the seal that was there before them, or '
                            'after their own'),
                        (found.hidden, 'the values of %s of its changes were taken away, and no erasure tells of it'),
                        (found.restored, '%s of its changes have values that an erasure took away'),
                        (found.nonsense, '%s of its changes are none that the triggers write')
                ) as p (number, problem)
                where p.number > 0
            loop
                return next;
            end loop;
        end if;
        before := seal;
    end loop;

    -- What is in no seal yet has to be newer than the last one, and to have a number that was drawn.
    for mark in select * from hacs_audit.marks() loop
        before := hacs_audit.last_seal(mark.node);
        seal_id := before.seal_id;
        sealed_at := before.sealed_at;
        for problem in
            select format(p.problem, p.number)
            from (
                select
                    count(*) filter (where c.change_id <= 0 or c.change_id > mark.mark_id) as never,
                    count(*) filter (where c.change_id > before.to_id and c.changed_at < before.to_at - slack) as dated,
                    count(*) filter (where hacs_audit.quarter_of(c.changed_at) = any (gone)) as gone,
                    count(*) filter (where c.changed_at > clock_timestamp() + slack) as ahead,
                    count(*) filter (where c.erased is not null and not c.change_id <@ taken) as hidden,
                    count(*) filter (where c.change_id is not null and not hacs_audit.is_sentence(c)) as nonsense
                from hacs_audit.resource_changes as c
                where c.change_id <= 0 and mark.node = 0
                    or c.change_id > coalesce(before.to_id, mark.since) and c.change_id <= mark.until
            ) as f
            cross join lateral (
                values
                    (f.never, '%s changes have numbers that were never drawn'),
                    (f.dated, '%s changes after it are dated before it'),
                    (f.gone, '%s changes after it lie in a quarter that was let go'),
                    (f.ahead, '%s changes after it are dated in the future'),
                    (f.hidden, 'the values of %s changes after it were taken away, and no erasure tells of it'),
                    (f.nonsense, '%s changes after it are none that the triggers write'),
                    (before.mark_id - mark.mark_id, 'the sequence of the numbers was set back by %s')
            ) as p (number, problem)
            where p.number > 0
        loop
            return next;
        end loop;
    end loop;
end
$$;
comment on function hacs_audit.verify_seals() is
    'Every problem of the chain of seals and of the changes that it covers; no row where all are intact';

create or replace function hacs_audit.is_sentence(change hacs_audit.resource_changes)
returns boolean
language sql immutable parallel safe
return coalesce(
    ((change).resource_id is null) = ((change).operation = 'TRUNCATE')
    and ((change).previous_id is null or (change).operation = 'UPDATE')
    and ((change).changed_fields is null) = ((change).operation <> 'UPDATE')
    and case (change).operation
        when 'UPDATE' then num_nonnulls((change).old_values, (change).new_values) = case when (change).erased is null
            then 2 else 0 end
        when 'DELETE' then (change).new_values is null and ((change).old_values is null) = ((change).erased is not null)
        else num_nonnulls((change).old_values, (change).new_values, (change).erased) = 0
            and (change).operation = any ('{INSERT, TRUNCATE, READ}')
    end,
    false
);
comment on function hacs_audit.is_sentence(hacs_audit.resource_changes) is
    'Whether a change has what its operation has: a DELETE the values before, an UPDATE those and the values '
    'after, others none';

-------------------------------------------------------------------------------------------------------------------
-- Quarters that are let go, and values that the law wants erased. Either is a seal of its own.
-------------------------------------------------------------------------------------------------------------------

create or replace function hacs_audit.verify_archive(archive regclass, quarter date default null)
returns table (seal_id bigint, problem text)
language plpgsql
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
    wanted date[];
begin
    -- Which quarters it has to hold is known by the seal that let them go.
    if quarter is null then
        execute format('select hacs_audit.quarter_of(min(changed_at)) from %s', archive) into quarter;
    end if;
    if quarter is null then
        raise exception '% is empty: say which quarter it should hold', archive using errcode = 'no_data_found';
    end if;
    select array_agg(q::date) into wanted
    from (
        select s.details -> 'quarters' as quarters
        from hacs_audit.seals as s
        where s.kind = 'detached' and s.details -> 'quarters' ? date_trunc('quarter', quarter)::date::text
        order by s.seal_id desc
        limit 1
    ) as d
    cross join lateral jsonb_array_elements_text(d.quarters) as q;
    wanted := coalesce(wanted, array[date_trunc('quarter', quarter)::date]);
    return query
    select
        s.seal_id,
        case
            when l.count is distinct from e.count then format('%s changes of %s in place of %s', coalesce(l.count, 0),
                to_char(q.quarter, 'YYYY"Q"Q'), coalesce(e.count, 0))
            else format('its changes of %s were altered', to_char(q.quarter, 'YYYY"Q"Q'))
        end
    from hacs_audit.seals as s
    cross join lateral hacs_audit.parts(archive, s.from_id, s.to_id) as p
    cross join lateral (
        select unnest(p.quarters) union select w from unnest(s.quarters) as w where w = any (wanted)
    ) as q (quarter)
    left join lateral unnest(s.quarters, s.counts, s.digests) as e (quarter, count, digest) on e.quarter = q.quarter
    left join lateral unnest(p.quarters, p.counts, p.digests) as l (quarter, count, digest) on l.quarter = q.quarter
    where s.kind = 'changes' and (l.count is distinct from e.count or l.digest <> e.digest)
    order by s.seal_id, q.quarter;
end
$$;
comment on function hacs_audit.verify_archive(regclass, date) is
    'Every seal whose changes a table that was let go does not hold as they were sealed; no row where it is '
    'intact. It may have come from a dump';

create or replace function hacs_audit.detach_quarter(quarter date)
returns text
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set lock_timeout = '100ms'
as $$
declare
    held record;
    seal hacs_audit.seals;
    mark record;
    unsealed bigint;
    wrong record;
begin
    perform hacs_audit.refuse_old_snapshot();
    select * into held from hacs_audit.quarters() as h where tstzrange(h.since, h.until) @> quarter::timestamptz;
    if held.partition is null or held.until > now() then
        raise exception 'no quarter with % is attached and over', quarter
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    lock table hacs_audit.seals in share row exclusive mode;
    -- What is counted below can be changed by nobody any more, since nobody else gets at the table: it is looked at
    -- before the trail itself is locked, so that nobody waits for the counting.
    execute format('lock table %s in share row exclusive mode', held.partition);
    for mark in select * from hacs_audit.marks() loop
        execute format('select count(*) from %s where change_id > $1 and change_id <= $2', held.partition)
        into unsealed using coalesce((hacs_audit.last_seal(mark.node)).to_id, mark.since), mark.until;
        if unsealed > 0 then
            raise exception '% changes of % are not sealed yet', unsealed, to_char(held.since, 'YYYY"Q"Q')
                using errcode = 'object_not_in_prerequisite_state', hint = 'Run hacs_audit.seal() first.';
        end if;
    end loop;
    seal.details := jsonb_build_object(
        'quarters', (
            select jsonb_agg(q::date order by q)
            from generate_series(held.since, held.until - interval '1 day', interval '3 months') as q
        ),
        'until', held.until, 'table', held.partition::text, 'by', session_user
    );
    for wrong in
        select v.*
        from jsonb_array_elements_text(seal.details -> 'quarters') as q
        cross join lateral hacs_audit.verify_archive(held.partition, q::date) as v
        limit 1
    loop
        raise exception 'seal % does not hold: %', wrong.seal_id, wrong.problem
            using errcode = 'object_not_in_prerequisite_state', hint = 'See hacs_audit.verify_seals().';
    end loop;
    execute format('alter table hacs_audit.resource_changes detach partition %s', held.partition);
    seal.kind := 'detached';
    perform hacs_audit.append_seal(seal);
    return held.partition::text;
end
$$;
comment on function hacs_audit.detach_quarter(date) is
    'Lets a sealed quarter go that is over, and says so in a seal; gives the name of the table, which is then '
    'yours to archive and drop. It waits for nobody: where the trail is in use, it fails, and can be called again';

create or replace function hacs_audit.patient_ids(patient text)
returns text[]
language sql stable
begin atomic
    with recursive ids (id) as (
        select patient collate "C"
        union
        select k.id
        from ids
        join hacs_audit.resource_changes as c
            on c.resource_type = 'Patient' and c.previous_id is not null
                and (c.resource_id = ids.id or c.also @> array['Patient/' || ids.id])
        cross join lateral unnest(array[c.resource_id, c.previous_id]) as k (id)
    )
    select array_agg(id) from ids;
end;
comment on function hacs_audit.patient_ids(text) is 'All ids that a patient has had, the given one among them';

-- For the owner alone: it runs with the rights of its caller, and nobody else may change a row.
create or replace function hacs_audit.forget(patient text, reason text)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set lock_timeout = '5s'
as $$
declare
    ids constant text[] := hacs_audit.patient_ids(patient);
    seal hacs_audit.seals;
begin
    perform hacs_audit.refuse_old_snapshot();
    if reason is null or btrim(reason) = '' then
        raise exception 'an erasure has to say why' using errcode = 'null_value_not_allowed';
    end if;
    lock table hacs_audit.seals in share row exclusive mode;
    with gone as (
        update hacs_audit.resource_changes as c
        set erased = hacs_audit.value_digests(c), old_values = null, new_values = null
        where (c.patient_id = any (ids) or c.also && array(select 'Patient/' || i from unnest(ids) as i))
            and c.erased is null and num_nonnulls(c.old_values, c.new_values) > 0
        returning c.change_id
    )
    select jsonb_build_object(
        'changes', coalesce(range_agg(int8range(g.change_id, g.change_id, '[]'))::text, '{}'),
        'count', count(*), 'reason', reason, 'by', session_user
    )
    into seal.details
    from gone as g;
    seal.kind := 'erased';
    perform hacs_audit.append_seal(seal);
    return seal.details -> 'count';
end
$$;
comment on function hacs_audit.forget(text, text) is
    'Takes the old and new values of all changes to the records of a patient away, under every id that the patient '
    'has had, and leaves their digests; gives the number of changes';

-------------------------------------------------------------------------------------------------------------------
-- What people and programs ask of the trail.
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
            on e.resource_id = life.previous_id and e.resource_type = coalesce(life.previous_type, life.resource_type)
                and e.change_id < life.change_id
        where life.previous_id is not null
    )
    select * from life order by change_id;
end;
comment on function hacs_audit.history(text, text) is
    'All changes of a resource, the oldest first, through changes of its key';

-- Columns of a table that are fields of its document: a generated column says nothing that its source does not say, and
-- some are the bookkeeping of the table itself.
create or replace function hacs_audit.fields(audited regclass)
returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select array_agg(a.attname::text order by a.attnum)
    from pg_attribute as a
    where a.attrelid = audited and a.attnum > 0 and not a.attisdropped
        and a.attname <> all ((select hacs_core.own_columns(audited))::text[])
$$;
comment on function hacs_audit.fields(regclass) is
    'Columns whose changes are written down: all but those that only this database has';

-- By the triggers, not by the trail: so it is known for a row that the trail has never seen.
create or replace function hacs_audit.audited(resource_type text)
returns table (audited regclass, key_column text, patient_column text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select t.tgrelid::regclass, a.list[4], a.list[5]
    from pg_trigger as t
    cross join lateral (select string_to_array(encode(t.tgargs, 'escape'), '\000') as list) as a
    left join lateral (
        select pg_get_expr(d.adbin, d.adrelid) as type
        from pg_attrdef as d
        join pg_attribute as f on f.attrelid = d.adrelid and f.attnum = d.adnum
        where d.adrelid = t.tgrelid and f.attname = 'resource_type'
    ) as d on true
    where t.tgname = 'audit_row' and not t.tgisinternal and t.tgparentid = 0
        and (a.list[3] = audited.resource_type or a.list[3] = ''
            and coalesce(d.type = format('%L::text', audited.resource_type), true))
    order by a.list[3] = audited.resource_type desc, d.type is not null desc
$$;
comment on function hacs_audit.audited(text) is
    'The tables that may hold resources of a type, with the columns of key and patient';

-- Backwards, from the row as it is or as it was when it was deleted, over each later UPDATE to the moment asked for.
-- Whether it existed then is told by the last change before the moment and the first one after it; where these
-- contradict each other, or the row, something happened that was not written down, and no answer would be the truth.
create or replace function hacs_audit.as_of(resource_type text, id text, moment timestamptz)
returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
declare
    type text := resource_type;
    key text := id;
    begins timestamptz;
    prior hacs_audit.resource_changes;
    later hacs_audit.resource_changes;
    first hacs_audit.resource_changes;
    was_there boolean;
    is_there boolean;
    since bigint := 0;
    undo jsonb[] := '{}';
    undone jsonb;
    state jsonb;
    source record;
    home regclass;
begin
    select max((s.details ->> 'until')::timestamptz) into begins from hacs_audit.seals as s where s.kind = 'detached';
    if moment < begins then
        raise exception 'the trail begins at %: what was before it was let go', begins using errcode = 'no_data_found';
    end if;

    select c.* into prior
    from hacs_audit.resource_changes as c
    where c.changed_at <= moment and c.operation = any ('{INSERT, UPDATE, DELETE}')
        and (
                c.resource_id = key and c.resource_type = type
                or c.also @> array[type || '/' || key] and c.previous_id = key
                    and coalesce(c.previous_type, c.resource_type) = type
            )
    order by c.change_id desc
    limit 1;
    was_there := prior.operation <> 'DELETE' and prior.resource_id = key and prior.resource_type = type;

    loop
        select c.* into later
        from hacs_audit.resource_changes as c
        where c.changed_at > moment and c.change_id > since and c.operation = any ('{INSERT, UPDATE, DELETE}')
            and (
                c.resource_id = key and c.resource_type = type
                or c.also @> array[type || '/' || key] and c.previous_id = key
                    and coalesce(c.previous_type, c.resource_type) = type
            )
        order by c.change_id
        limit 1;
        if since = 0 then
            -- a life that begins after the moment: as a new row, or as one that takes this key
            is_there := not (
                later.operation = 'INSERT'
                or later.previous_id is not null and (later.previous_id <> key
                    or coalesce(later.previous_type, later.resource_type) <> type)
            );
            exit when not is_there;
            first := later;
        end if;
        exit when later.change_id is null or later.operation <> 'UPDATE';
        if later.erased is not null then
            raise exception 'the values of %/% were erased', type, key using errcode = 'no_data_found';
        end if;
        undo := later.old_values || undo;
        type := later.resource_type;
        key := later.resource_id;
        since := later.change_id;
    end loop;

    if is_there is false then
        if was_there then
            raise exception '%/% went away before %, and it was not written down how', type, key, later.changed_at
                using errcode = 'no_data_found';
        end if;
        return null;
    end if;
    if later.operation = 'DELETE' then
        if later.erased is not null then
            raise exception 'the values of %/% were erased', type, key using errcode = 'no_data_found';
        end if;
        state := later.old_values;
        home := to_regclass(format('%I.%I', later.schema_name, later.table_name));
    elsif later.change_id is null then
        for source in select * from hacs_audit.audited(type) loop
            execute format('select to_jsonb(t) from %s as t where t.%I = %L and coalesce(to_jsonb(t) ->> '
                '''resource_type'', $1) = $1', source.audited, source.key_column, key)
            into state using type;
            home := source.audited;
            exit when state is not null;
        end loop;
    end if;
    if state is null then
        if is_there is null and was_there is not true then
            return null;  -- no such thing then, nor since
        end if;
        raise exception '%/% is gone, and it was not written down how', type, key using errcode = 'no_data_found';
    end if;
    foreach undone in array undo loop
        state := state || undone;
    end loop;
    -- Evidence that the row was not there, or was another one, at the moment. An update that changes nothing gives it a
    -- new updated_at and leaves no row; so that counts only where the triggers were altered since the change before.
    if was_there is false
        or was_there is null and (state ->> 'created_at')::timestamptz > moment
        or (state ->> 'updated_at')::timestamptz > moment
            and (state ->> 'updated_at')::timestamptz <= coalesce(first.changed_at, now())
            and (prior.new_values -> 'updated_at') is distinct from (state -> 'updated_at')
            and not coalesce((
                select min(age(t.xmin)) > age((prior.transaction_id::text::numeric % 4294967296)::text::xid)
                from pg_trigger as t
                where t.tgrelid = home and t.tgname ~ '^audit_'
            ), false)
    then
        raise exception 'the trail does not reach back to % for %/%: a change was not written down', moment, type, key
            using errcode = 'no_data_found';
    end if;
    -- As a document: its fields alone, and its unknown keys in their place.
    select jsonb_object_agg(e.key, e.value) into state
    from jsonb_each(state) as e
    where home is null or e.key = any ((select hacs_audit.fields(home))::text[]);
    return (state - 'extra') || coalesce(nullif(state -> 'extra', 'null'), '{}');
end
$$;
comment on function hacs_audit.as_of(text, text, timestamptz) is
    'The document as it was at a moment, but for an updated_at that an update gave it which changed nothing; null '
    'where it did not exist, and an error where the trail does not tell';

-- Planned for the values that it is called with: for unknown ones a plan reads all that the actor ever did, and sorts
-- it.
create or replace function hacs_audit.changed_by(actor text, since timestamptz, until timestamptz,
    most integer default null)
returns setof hacs_audit.resource_changes
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
begin
    return query
    select c.*
    from hacs_audit.resource_changes as c
    where c.actor_id = actor and c.changed_at >= since and c.changed_at < until
    order by c.changed_at desc, c.change_id desc
    limit most;
end
$$;
comment on function hacs_audit.changed_by(text, timestamptz, timestamptz, integer) is
    'What an actor changed, or told that he read, in a span of time, its end excluded; the newest first, all or so '
    'many';

create or replace function hacs_audit.changes_of_patient(patient text, since timestamptz, until timestamptz)
returns setof hacs_audit.resource_changes
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    ids constant text[] := hacs_audit.patient_ids(patient);
    moved constant text[] := array(select 'Patient/' || i from unnest(ids) as i);
begin
    return query
    select c.*
    from hacs_audit.resource_changes as c
    where (c.patient_id = any (ids) or c.also && moved) and c.changed_at >= since and c.changed_at < until
    order by c.change_id;
end
$$;
comment on function hacs_audit.changes_of_patient(text, timestamptz, timestamptz) is
    'Who changed the records of a patient in a span of time, its end excluded, under whatever id, and who told '
    'that he read them; also what was moved away to another patient';

-- By number, up to the last one that is final. The cursor says how far the reader is, up to where it is safe, the mark
-- for which he waits, and whose end; one part for each node, where there are several. It writes nothing, so that no
-- reader holds anybody up.
create or replace function hacs_audit.changes_since(cursor text default null, most integer default 1000)
returns table (next_cursor text, change hacs_audit.resource_changes)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    parts text[] := coalesce(string_to_array(cursor, ';'), '{}');
    part text[];
    at record;
    place integer := 0;
    done bigint;
    safe bigint;
    mark bigint;
    waits text[];
begin
    perform hacs_audit.refuse_old_snapshot();
    for at in select m.* from hacs_audit.marks() as m order by m.node loop
        place := place + 1;
        part := coalesce(string_to_array(parts[place], ':'), array[at.since::text, at.since::text, at.since::text, '']);
        done := part[1];
        safe := part[2];
        mark := part[3];
        waits := string_to_array(part[4], ',');
        safe := greatest(safe, case when at.busy = '{}' then at.mark_id when not waits && at.busy then mark end);
        if mark <= safe then
            mark := at.mark_id;
            waits := at.mark_writers;
        end if;
        for change in
            select c.*
            from hacs_audit.resource_changes as c
            where c.change_id > done and c.change_id <= safe
            order by c.change_id
            limit most
        loop
            done := change.change_id;
            most := most - 1;
            parts[place] := concat_ws(':', done, safe, mark, array_to_string(waits, ','));
            next_cursor := array_to_string(parts, ';');
            return next;
        end loop;
        if most > 0 then
            done := greatest(done, safe);
        end if;
        parts[place] := concat_ws(':', done, safe, mark, array_to_string(waits, ','));
    end loop;
    if most > 0 then
        change := null;
        next_cursor := array_to_string(parts, ';');
        return next;
    end if;
end
$$;
comment on function hacs_audit.changes_since(text, integer) is
    'The changes after a cursor, and the next cursor beside each: whoever goes on from his last one misses nothing '
    'and sees nothing twice. The last row may have a cursor alone';

-- At each commit with a change, where somebody wants to be told. Off as it comes: PostgreSQL commits transactions that
-- notify one after the other.
create or replace function hacs_audit.tell_listeners()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_notify('hacs_audit', '');
    return null;
end
$$;
comment on function hacs_audit.tell_listeners() is
    'Trigger: tells whoever listens on the channel hacs_audit that there are changes';

create or replace trigger tell_listeners
    after insert on hacs_audit.resource_changes
    for each statement execute function hacs_audit.tell_listeners();
alter table hacs_audit.resource_changes disable trigger tell_listeners;

create or replace function hacs_audit.notify_changes(wanted boolean)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $$
begin
    execute format(
        'alter table hacs_audit.resource_changes %s trigger tell_listeners',
        case when wanted then 'enable always' else 'disable' end
    );
exception
    when lock_not_available then
        raise exception 'nothing was changed: somebody is using the trail'
            using errcode = 'lock_not_available', hint = 'Call it again in a moment; nobody has waited for it.';
end
$$;
comment on function hacs_audit.notify_changes(boolean) is
    'For the owner: from now on, or no longer, each transaction with changes notifies the channel hacs_audit when '
    'it commits';

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
            'code', case c.operation when 'INSERT' then 'create' when 'UPDATE' then 'update' when 'READ' then 'read'
                else 'delete' end
        )),
        'action', case c.operation when 'INSERT' then 'C' when 'UPDATE' then 'U' when 'READ' then 'R' else 'D' end,
        'recorded', to_char(c.changed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'outcome', '0',
        'purposeOfEvent', case when c.purpose is not null
            then jsonb_build_array(jsonb_build_object('text', c.purpose)) end,
        'agent', jsonb_build_array(jsonb_build_object(
            'who', case when c.actor_id is not null
                then jsonb_build_object('identifier', jsonb_build_object('value', c.actor_id), 'display',
                    c.actor_id) end,
            'altId', c.acting_role,
            'name', c.application_name,
            'requestor', true,
            'network', case when c.client_address is not null
                then jsonb_build_object('address', host(c.client_address), 'type', '2') end
        )),
        'source', jsonb_build_object('observer', jsonb_build_object('display',
            format('PostgreSQL database %s', current_database()))),
        'entity', jsonb_build_array(
            jsonb_build_object(
                'what', case when c.resource_id is not null
                    then jsonb_build_object('reference', format('%s/%s', c.resource_type, c.resource_id)) end,
                'type', jsonb_build_object('system', 'http://terminology.hl7.org/CodeSystem/audit-entity-type', 'code',
                    '2'),
                'name', format('%s.%s', c.schema_name, c.table_name),
                'detail', case when c.request_id is not null
                    then jsonb_build_array(jsonb_build_object('type', 'request', 'valueString', c.request_id)) end
            )
        ) || coalesce((
            select jsonb_agg(jsonb_build_object(
                'what', jsonb_build_object('reference', p.reference),
                'type', jsonb_build_object('system', 'http://terminology.hl7.org/CodeSystem/audit-entity-type', 'code',
                    '1'),
                'role', jsonb_build_object('system', 'http://terminology.hl7.org/CodeSystem/object-role', 'code', '1')
            ) order by p.reference)
            from (
                select distinct a.reference
                from unnest(array_append(c.also, 'Patient/' || c.patient_id collate "C")) as a (reference)
                where a.reference ~ '^Patient/'
            ) as p
        ), '[]')
    )) as resource
from hacs_audit.resource_changes as c;

comment on view hacs_audit.audit_event is
    'Each change, and each access that an application told of, as a FHIR R4 AuditEvent';
comment on column hacs_audit.audit_event.change_id is 'Number of the change';
comment on column hacs_audit.audit_event.changed_at is 'When it happened';
comment on column hacs_audit.audit_event.resource is 'The AuditEvent (FHIR AuditEvent)';

-------------------------------------------------------------------------------------------------------------------
-- Nobody has a right on the trail but its owner, until somebody is given one.
-------------------------------------------------------------------------------------------------------------------

revoke all on all functions in schema hacs_audit from public;
