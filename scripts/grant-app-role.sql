-- Grants rights to the roles that use a HACS database. Run it with psql, as the role that migrates (the owner):
--
--     psql -X -v app_role=hacs_app -v auditor_role=hacs_auditor -f scripts/grant-app-role.sql hacs
--
--   app_role      reads and writes resources, and tells the audit who acts; it cannot change a schema, or read the
--                 history, the settings or the audit
--   reader_role   reads resources and the history, so that it can run status and verify
--   auditor_role  the same as the reader; also reads the trail, the seals and the settings: who changed what, what a
--                 resource was at a moment, whether the seals are intact
--   sealer_role   seals the trail, and sees how far it is sealed: for the job that does so every few minutes
--   feed_role     reads the feed of changes (docs/audit.md), and so every value that was changed
--
-- Name at least one role. The roles must exist (deploy/roles.sql makes them). The rights include tables and functions
-- that the same role makes in later migrations. The migrating role itself need not be a superuser. Before its first run
-- it needs one right:
--
--     grant create on database hacs to hacs_migrator;
--
-- You can run this script again. To take the rights back, run in the database: drop owned by hacs_app.
\set ON_ERROR_STOP on

\if :{?app_role} \else \set app_role '' \endif
\if :{?reader_role} \else \set reader_role '' \endif
\if :{?auditor_role} \else \set auditor_role '' \endif
\if :{?sealer_role} \else \set sealer_role '' \endif
\if :{?feed_role} \else \set feed_role '' \endif

begin;

select set_config('hacs.roles', concat(:'app_role', :'reader_role', :'auditor_role', :'sealer_role', :'feed_role'),
    true) \g /dev/null

do $$
declare
    owners name[];
begin
    if current_setting('hacs.roles') = '' then
        raise exception 'no role is named, so nothing was granted'
            using hint = 'psql -v app_role=hacs_app -f scripts/grant-app-role.sql; or reader_role, auditor_role, '
                'sealer_role, feed_role';
    end if;
    select array_agg(distinct pg_catalog.pg_get_userbyid(n.nspowner)) into owners
    from pg_catalog.pg_namespace as n
    where n.nspname = any ('{hacs_core, hacs_clinical, hacs_registry, hacs_agents, hacs_admin, hacs_audit}');
    if owners is null then
        raise exception 'there are no HACS schemas in database %', current_database()
            using hint = 'Run hacs-refinery migrate first, or name the database that it migrated.';
    end if;
    if cardinality(owners) > 1 then
        raise exception 'the HACS schemas have several owners: %', owners
            using hint = 'Give them to the role that migrates: alter schema … owner to …';
    end if;
    if not pg_catalog.pg_has_role(current_user, owners[1], 'member') then
        raise exception 'role % may not grant rights on the HACS schemas, so nothing was granted', current_user
            using hint = format('Run this as %s, which owns them.', owners[1]);
    end if;
    -- Defaults count for what this role makes, and that is who migrates.
    perform set_config('role', owners[1], true);
end
$$;

select :'app_role' <> '' as named \gset
\if :named
grant usage on schema hacs_core, hacs_clinical, hacs_registry, hacs_agents to :"app_role";
-- No truncate: rows are to go one by one.
grant select, insert, update, delete
    on all tables in schema hacs_core, hacs_clinical, hacs_registry, hacs_agents to :"app_role";
-- The constraints of the tables call functions in the name of whoever writes.
grant execute on all functions in schema hacs_core, hacs_clinical, hacs_registry, hacs_agents to :"app_role";
-- To say who acts is all that it may do with the audit.
grant usage on schema hacs_audit to :"app_role";
grant execute on function hacs_audit.set_actor(text, text, text) to :"app_role";
alter default privileges in schema hacs_core, hacs_clinical, hacs_registry, hacs_agents
    grant select, insert, update, delete on tables to :"app_role";
alter default privileges in schema hacs_core, hacs_clinical, hacs_registry, hacs_agents
    grant execute on functions to :"app_role";
\endif

-- The auditor reads what the reader reads.
select :'reader_role' <> '' as named \gset
\if :named
grant usage on schema hacs_core, hacs_clinical, hacs_registry, hacs_agents, hacs_admin to :"reader_role";
grant select on all tables in schema hacs_core, hacs_clinical, hacs_registry, hacs_agents to :"reader_role";
grant select on hacs_admin.migrations to :"reader_role";
grant execute on all functions in schema hacs_core, hacs_clinical, hacs_registry, hacs_agents to :"reader_role";
alter default privileges in schema hacs_core, hacs_clinical, hacs_registry, hacs_agents
    grant select on tables to :"reader_role";
alter default privileges in schema hacs_core, hacs_clinical, hacs_registry, hacs_agents
    grant execute on functions to :"reader_role";
\endif

select :'auditor_role' <> '' as named \gset
\if :named
grant usage on schema hacs_core, hacs_clinical, hacs_registry, hacs_agents, hacs_admin, hacs_audit to :"auditor_role";
grant select
    on all tables in schema hacs_core, hacs_clinical, hacs_registry, hacs_agents, hacs_admin,
        hacs_audit to :"auditor_role";
grant execute on all functions in schema hacs_core, hacs_clinical, hacs_registry, hacs_agents to :"auditor_role";
-- The questions to the trail, and what they call: functions that only read, in the name of whoever asks. Of those that
-- have more rights than he, one: it looks at the seals.
select format('grant execute on function %s to %I', p.oid::pg_catalog.regprocedure, :'auditor_role')
from pg_catalog.pg_proc as p
where p.pronamespace = 'hacs_audit'::pg_catalog.regnamespace
    and p.prokind = 'f'
    and (p.provolatile in ('i', 's') and not p.prosecdef
        or p.proname in ('verify_seals', 'changes_since', 'last_number', 'writers', 'marks', 'refuse_old_snapshot'))
\gexec
-- How far the trail is sealed and final is reckoned from the sequence of its numbers.
grant select on hacs_audit.change_ids to :"auditor_role";
alter default privileges in schema hacs_core, hacs_clinical, hacs_registry, hacs_agents, hacs_admin, hacs_audit
    grant select on tables to :"auditor_role";
alter default privileges in schema hacs_core, hacs_clinical, hacs_registry, hacs_agents
    grant execute on functions to :"auditor_role";
\endif

select :'sealer_role' <> '' as named \gset
\if :named
grant usage on schema hacs_audit to :"sealer_role";
grant execute on function hacs_audit.seal(integer), hacs_audit.last_number(), hacs_audit.writers(), hacs_audit.marks()
    to :"sealer_role";
-- What hacs-refinery seal prints: how far the trail is sealed, and the newest digest.
grant select on hacs_audit.sealing, hacs_audit.change_ids to :"sealer_role";
grant select (seal_id, digest) on hacs_audit.seals to :"sealer_role";
\endif

select :'feed_role' <> '' as named \gset
\if :named
grant usage on schema hacs_audit to :"feed_role";
grant select on hacs_audit.resource_changes, hacs_audit.change_ids to :"feed_role";
grant execute on function hacs_audit.changes_since(text, integer), hacs_audit.refuse_old_snapshot(),
    hacs_audit.last_number(), hacs_audit.writers(), hacs_audit.marks() to :"feed_role";
\endif

commit;

-- Everybody may make temporary tables and functions in a database, unless its owner takes that back. Nothing here
-- depends
-- on it: every function of the schemas looks there last. It is one thing less that a stranger can try.
select format('revoke temporary on database %I from public', d.datname) as statement,
    exists (select 1 from pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) as a
        where a.grantee = 0 and a.privilege_type = 'TEMPORARY') as open,
    pg_catalog.pg_has_role(d.datdba, 'member') as mine
from pg_catalog.pg_database as d
where d.datname = current_database()
\gset
\if :open
\if :mine
:statement;
\else
\warn 'Not done, because another role owns the database; its owner may run:' :statement
\endif
\endif
