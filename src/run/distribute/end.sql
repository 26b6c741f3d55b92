-- After the migrations have run again: numbers go on after those of all nodes, and what these have drawn is sealed as
-- what one machine has drawn.

drop function if exists hacs_core.distribution_column(regclass);

select hacs_audit.guard(i.inhrelid::regclass, 'resource_changes')
from pg_inherits as i
where i.inhparent = 'hacs_audit.resource_changes'::regclass;

do $$
declare
    newest constant bigint := (select max(c.change_id) from hacs_audit.resource_changes as c);
    seal hacs_audit.seals;
    done bigint := coalesce((hacs_audit.last_seal(0)).to_id, 0);
begin
    if newest is null or newest <= done then
        return;
    end if;
    -- not by setval, which no rollback takes back
    execute format('alter sequence hacs_audit.change_ids restart with %s', newest);
    perform nextval('hacs_audit.change_ids');
    while done < newest loop
        seal := null;
        seal.kind := 'changes';
        seal.details := '{"undone": true}';
        select max(c.change_id) into seal.to_id
        from (
            select r.change_id from hacs_audit.resource_changes as r
            where r.change_id > done
            order by r.change_id
            limit 100000
        ) as c;
        select * into seal.quarters, seal.counts, seal.digests
        from hacs_audit.parts('hacs_audit.resource_changes', done, seal.to_id);
        seal.to_at := '-infinity';
        seal.mark_id := seal.to_id;
        seal.mark_at := clock_timestamp();
        seal.mark_writers := '{}';
        if seal.to_id = newest then
            seal.to_at := seal.mark_at;
        end if;
        perform hacs_audit.append_seal(seal);
        done := seal.to_id;
    end loop;
end
$$;
