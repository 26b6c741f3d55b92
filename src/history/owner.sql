-- The history of an owner who is not HACS, made like HACS's. Numbers may be times; who may read the one may read the
-- other.
do $$
declare
    statement text;
begin
    if to_regclass('OWNER_TABLE') is not null then
        return;
    end if;
    create table OWNER_TABLE (
        version bigint primary key,
        name varchar(255),
        applied_on varchar(255),
        checksum varchar(255),
        applied_at timestamptz not null default clock_timestamp(),
        applied_by text not null default session_user,
        duration interval default
            clock_timestamp() - nullif(current_setting('hacs_refinery.migration_started', true), '')::timestamptz,
        tool_version text default nullif(current_setting('hacs_refinery.tool_version', true), '')
    );
    comment on table OWNER_TABLE is
        'Which migrations of this owner have been applied here; written by the migration tool alone';
    -- What default privileges gave away; then what the readers of HACS's history have.
    for statement in
        with rights (theirs, kind, grantee) as (
            select c.oid = 'OWNER_TABLE'::regclass, a.privilege_type,
                case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end
            from pg_class as c
            cross join lateral aclexplode(c.relacl) as a
            where c.oid in ('hacs_admin.migrations'::regclass, 'OWNER_TABLE'::regclass) and a.grantee <> c.relowner
        )
        select distinct format(
            case when theirs then 'revoke all on table OWNER_TABLE from %s'
                else 'grant select on table OWNER_TABLE to %s' end,
            grantee
        ), theirs
        from rights
        where theirs or kind = 'SELECT'
        order by theirs desc
    loop
        execute statement;
    end loop;
end
$$;
