-- Rights for the roles that use a HACS database. Run it with psql as the role that migrates, which owns the schemas:
--
--     psql -X -v app_role=hacs_app -v reader_role=hacs_reader -f scripts/grant-app-role.sql hacs
--
--   app_role     reads and writes resources; changes no schema, sees neither history, settings
--                or audit, but tells the audit who acts
--   reader_role  reads resources, and the history, so that it can ask for the status
--
-- Either may be left out, and the roles have to exist. Tables and functions that the same role makes in later migrations
-- are included. The migrating role itself needs one right, before its first run, and need not be a superuser:
--
--     grant create on database hacs to hacs_migrator;
--
-- Everything here can be run again. To take the rights back: drop owned by hacs_app, in the database.
\set ON_ERROR_STOP on

begin;

\if :{?app_role}
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

\if :{?reader_role}
grant usage on schema hacs_core, hacs_clinical, hacs_registry, hacs_agents, hacs_admin to :"reader_role";
grant select
    on all tables in schema hacs_core, hacs_clinical, hacs_registry, hacs_agents to :"reader_role";
grant select on hacs_admin.migrations to :"reader_role";
grant execute on all functions in schema hacs_core, hacs_clinical, hacs_registry, hacs_agents to :"reader_role";
alter default privileges in schema hacs_core, hacs_clinical, hacs_registry, hacs_agents
    grant select on tables to :"reader_role";
alter default privileges in schema hacs_core, hacs_clinical, hacs_registry, hacs_agents
    grant execute on functions to :"reader_role";
\endif

commit;
