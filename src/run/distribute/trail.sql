-- The trail of a distributed database: its questions, and its seals.

-------------------------------------------------------------------------------------------------------------------
-- Questions. No SQL function with parameters can be planned over several nodes, nor WITH RECURSIVE. The number of a
-- change is that of its node: what came first is told by the time.
-------------------------------------------------------------------------------------------------------------------

-- One that was in SQL stays what it is in the eyes of those that call it.
create or replace function hacs_audit.history(resource_type text, id text)
returns setof hacs_audit.resource_changes
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    type text := resource_type;
    key text := id;
    until timestamptz := 'infinity';
    spans jsonb := '[]';
    earlier record;
begin
    loop
        spans := jsonb_build_array(jsonb_build_array(type, key, until)) || spans;
        select c.changed_at, coalesce(c.previous_type, c.resource_type) as type, c.previous_id as key into earlier
        from hacs_audit.resource_changes as c
        where c.resource_id = key and c.resource_type = type and c.changed_at < until and c.previous_id is not null
        order by c.changed_at
        limit 1;
        exit when not found or (earlier.type, earlier.key) = (type, key);
        type := earlier.type;
        key := earlier.key;
        until := earlier.changed_at;
    end loop;
    for type, key, until in select s.span ->> 0, s.span ->> 1, s.span ->> 2 from jsonb_array_elements(spans) as s (span)
    loop
        return query
        select c.* from hacs_audit.resource_changes as c
        where c.resource_id = key and c.resource_type = type and c.changed_at < until
        order by c.changed_at, c.change_id;
    end loop;
end
$$;

create or replace function hacs_audit.patient_ids(patient text)
returns text[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    ids text[] := array[patient];
    more text[];
begin
    loop
        select array_agg(distinct k.id) into more
        from (
            select c.resource_id, c.previous_id
            from hacs_audit.resource_changes as c
            where c.resource_type = 'Patient' and c.previous_id is not null
                and (c.resource_id = any (ids) or c.also && array(select 'Patient/' || i from unnest(ids) as i))
        ) as c
        cross join lateral (values (c.resource_id), (c.previous_id)) as k (id)
        where k.id <> all (ids);
        exit when more is null;
        ids := ids || more;
    end loop;
    return ids;
end
$$;

select pg_temp.hacs_patch(
    'hacs_audit.changed_by(text, timestamptz, timestamptz, integer)',
    $a$order by c.changed_at desc, c.change_id desc$a$,
    $a$order by c.changed_at desc, c.change_id desc nulls first$a$
);
select pg_temp.hacs_patch(
    'hacs_audit.changes_of_patient(text, timestamptz, timestamptz)',
    $a$order by c.change_id$a$,
    $a$order by c.changed_at, c.change_id$a$
);
select pg_temp.hacs_patch(
    'hacs_audit.as_of(text, text, timestamptz)',
    $a$order by c.change_id desc$a$,
    $a$order by c.changed_at desc, c.change_id desc$a$,
    $a$    since bigint := 0;
$a$,
    $a$    since bigint := 0;
    since_at timestamptz := '-infinity';
$a$,
    $a$c.changed_at > moment and c.change_id > since and$a$,
    $a$c.changed_at > moment and (c.changed_at, c.change_id) > (since_at, since) and$a$,
    $a$        order by c.change_id
$a$,
    $a$        order by c.changed_at, c.change_id
$a$,
    $a$        since := later.change_id;
$a$,
    $a$        since := later.change_id;
        since_at := later.changed_at;
$a$
);

-------------------------------------------------------------------------------------------------------------------
-- Seals, of each node's numbers. The coordinator alone knows a row as a whole.
-------------------------------------------------------------------------------------------------------------------

create or replace function hacs_audit.parts(source regclass, from_id bigint, to_id bigint, out quarters date[],
    out counts bigint[], out digests bytea[])
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    execute format(
        'select array_agg(p.q), array_agg(p.n), array_agg(p.d) from ('
        '    select hacs_audit.quarter_of(c.changed_at) as q, count(*) as n,'
        '        sha256(string_agg(hacs_audit.row_digest(row(c.*)::hacs_audit.resource_changes), '''''
        '            order by c.change_id, c.changed_at)) as d'
        '    from (select t.* from %s as t where t.change_id > $1 and t.change_id <= $2 offset 0) as c'
        '    group by 1 order by 1'
        ') as p', source
    )
    into quarters, counts, digests using from_id, to_id;
end
$$;

-- What each node says of itself. Whoever is prepared for a commit anywhere may bring a number of any node.
create or replace function hacs_audit.marks(out node bigint, out since bigint, out until bigint,
    out mark_at timestamptz, out mark_id bigint, out mark_writers text[], out busy text[])
returns setof record
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    said record;
    all_said jsonb := '[]';
    prepared text[];
begin
    for said in
        select r.nodeid, r.success, r.result
        from run_command_on_all_nodes($ask$
            select pg_catalog.jsonb_build_object(
                'node', (select g.groupid from pg_catalog.pg_dist_local_group as g),
                'at', pg_catalog.clock_timestamp(), 'last', hacs_audit.last_number(),
                'writers', hacs_audit.writers(),
                'prepared', (
                    select pg_catalog.count(*) from pg_catalog.pg_prepared_xacts as x
                    where x.database = pg_catalog.current_database()
                )
            )
        $ask$) as r
    loop
        if not said.success then
            raise exception 'a node does not say how far its numbers are drawn: %', said.result
                using errcode = 'connection_failure';
        end if;
        all_said := all_said || jsonb_build_array(said.result::jsonb);
    end loop;
    select case when sum((n.value ->> 'prepared')::bigint) > 0 then '{prepared}'::text[] else '{}' end into prepared
    from jsonb_array_elements(all_said) as n;
    for said in
        select (n.value ->> 'node')::bigint as node, n.value
        from jsonb_array_elements(all_said) as n
        order by 1
    loop
        node := said.node;
        since := node << 48;
        until := ((node + 1) << 48) - 1;
        mark_at := said.value ->> 'at';
        mark_id := greatest((said.value ->> 'last')::bigint, since);
        busy := array(
            select case when node = 0 then w else node || ':' || w end
            from jsonb_array_elements_text(said.value -> 'writers') as w
        );
        mark_writers := case when busy = '{}' then '{}' else busy || '{prepared}' end;
        busy := busy || prepared;
        return next;
    end loop;
end
$$;

-- On every node: who writes a part of the trail does so under a lock on the trail.
select create_distributed_function('hacs_audit.last_number()');
select create_distributed_function('hacs_audit.writers()');

select pg_temp.hacs_patch(
    'hacs_audit.verify_seals()',
    $a$hacs_audit.is_sentence(c)) as nonsense
            into found
            from hacs_audit.resource_changes as c
            where c.change_id > seal.from_id and c.change_id <= seal.to_id;$a$,
    $a$hacs_audit.is_sentence(row(c.*)::hacs_audit.resource_changes)) as nonsense
            into found
            from (
                select t.* from hacs_audit.resource_changes as t
                where t.change_id > seal.from_id and t.change_id <= seal.to_id
                offset 0
            ) as c;$a$,
    $a$hacs_audit.is_sentence(c)) as nonsense
                from hacs_audit.resource_changes as c
                where c.change_id <= 0 and mark.node = 0
                    or c.change_id > coalesce(before.to_id, mark.since) and c.change_id <= mark.until
$a$,
    $a$hacs_audit.is_sentence(row(c.*)::hacs_audit.resource_changes)) as nonsense
                from (
                    select t.* from hacs_audit.resource_changes as t
                    where t.change_id <= 0 and mark.node = 0
                        or t.change_id > coalesce(before.to_id, mark.since) and t.change_id <= mark.until
                    offset 0
                ) as c
$a$
);

-------------------------------------------------------------------------------------------------------------------
-- Erasure. What is erased is chosen here, and digested where it lies.
-------------------------------------------------------------------------------------------------------------------

create or replace function hacs_audit.digest_of(value jsonb)
returns bytea
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return sha256(convert_to(value::text, 'UTF8'));
end
$$;
comment on function hacs_audit.digest_of(jsonb) is 'SHA-256 of a value, as value_digests has it; on every node';
select create_distributed_function('hacs_audit.digest_of(jsonb)');

select pg_temp.hacs_patch(
    'hacs_audit.forget(text, text)',
    $a$    ids constant text[] := hacs_audit.patient_ids(patient);
$a$,
    $a$    ids constant text[] := hacs_audit.patient_ids(patient);
    moved constant text[] := array(select 'Patient/' || i from unnest(ids) as i);
    gone bigint[];
$a$,
    $a$    with gone as (
        update hacs_audit.resource_changes as c
        set erased = hacs_audit.value_digests(c), old_values = null, new_values = null
        where (c.patient_id = any (ids) or c.also && array(select 'Patient/' || i from unnest(ids) as i))
            and c.erased is null and num_nonnulls(c.old_values, c.new_values) > 0
        returning c.change_id
    )
    select$a$,
    $a$    select array_agg(c.change_id) into gone
    from hacs_audit.resource_changes as c
    where (c.patient_id = any (ids) or c.also && moved)
        and c.erased is null and num_nonnulls(c.old_values, c.new_values) > 0;
    update hacs_audit.resource_changes as c
    set old_values = null, new_values = null,
        erased = array[hacs_audit.digest_of(c.old_values), hacs_audit.digest_of(c.new_values)]
    where c.change_id = any (gone);
    select$a$,
    $a$    from gone as g;
$a$,
    $a$    from unnest(gone) as g (change_id);
$a$
);
