-- Makes the roles of a HACS database, and sets their passwords. Run it with psql, as a superuser, or as a role that
-- owns the database and may make roles. Run it before the first migration, and again whenever a password changes:
--
--     MIGRATOR_PASSWORD=… APP_PASSWORD=… AUDITOR_PASSWORD=… psql -X -f deploy/roles.sql hacs
--
-- Each password may be in a file instead, such as a mounted secret: MIGRATOR_PASSWORD_FILE and so on. psql itself reads
-- the passwords, so they are on no command line. They reach the server's log only if it is told to log everything.
--
--   hacs_migrator  migrates, and owns the schemas
--   hacs_app       reads and writes resources
--   hacs_auditor   reads resources and the trail
--   hacs_sealer    seals the trail; it is made only if SEALER_PASSWORD or SEALER_PASSWORD_FILE is set
--
-- After the migration, run scripts/grant-app-role.sql as hacs_migrator. It grants the rights of these roles.
\set ON_ERROR_STOP on
\set migrator `[ -n "$MIGRATOR_PASSWORD_FILE" ] && cat "$MIGRATOR_PASSWORD_FILE" || printf %s "$MIGRATOR_PASSWORD"`
\set app `[ -n "$APP_PASSWORD_FILE" ] && cat "$APP_PASSWORD_FILE" || printf %s "$APP_PASSWORD"`
\set auditor `[ -n "$AUDITOR_PASSWORD_FILE" ] && cat "$AUDITOR_PASSWORD_FILE" || printf %s "$AUDITOR_PASSWORD"`
\set sealer `[ -n "$SEALER_PASSWORD_FILE" ] && cat "$SEALER_PASSWORD_FILE" || printf %s "$SEALER_PASSWORD"`

-- Only a superuser can keep the passwords out of a log of all statements, and out of what extensions keep of them. For
-- the session: which transactions are logged as a whole is decided when they begin.
select usesuper as superuser from pg_catalog.pg_user where usename = current_user \gset
\if :superuser
set log_statement = 'none';
set log_min_duration_statement = -1;
set log_min_duration_sample = -1;
set log_transaction_sample_rate = 0;
set log_min_error_statement = 'panic';
set pg_stat_statements.track = 'none';
set pgaudit.log = 'none';
\endif

begin;
set local password_encryption = 'scram-sha-256';
select :'migrator' = '' or :'app' = '' or :'auditor' = '' as missing \gset
\if :missing
do $$
begin
    raise exception 'a password is missing, so no role was made'
        using hint = 'Set MIGRATOR_PASSWORD, APP_PASSWORD and AUDITOR_PASSWORD, or the same with _FILE and the name '
            'of a file.';
end
$$;
\endif

select format('create role %I login', name)
from unnest('{hacs_migrator, hacs_app, hacs_auditor}'::name[]) as wanted (name)
where not exists (select from pg_catalog.pg_roles where rolname = name)
\gexec
alter role hacs_migrator login password :'migrator';
alter role hacs_app login password :'app';
alter role hacs_auditor login password :'auditor';
select :'sealer' <> '' as sealing \gset
\if :sealing
select 'create role hacs_sealer login'
where not exists (select from pg_catalog.pg_roles where rolname = 'hacs_sealer')
\gexec
alter role hacs_sealer login password :'sealer';
\endif

-- Who may connect, and who may make schemas; nobody makes temporary tables but who migrates.
revoke all on database :"DBNAME" from public;
grant connect, create, temporary on database :"DBNAME" to hacs_migrator;
grant connect on database :"DBNAME" to hacs_app, hacs_auditor;
\if :sealing
grant connect on database :"DBNAME" to hacs_sealer;
\endif
revoke create on schema public from public;
commit;
