-- What has to be there before the first migration can be recorded. V6__hacs_admin.sql describes it, and completes
-- the table where something else made it.
create schema if not exists hacs_admin;

create table if not exists hacs_admin.migrations (
    version integer primary key,
    name varchar(255),
    applied_on varchar(255),
    checksum varchar(255),
    applied_at timestamptz not null default clock_timestamp(),
    applied_by text not null default session_user,
    duration interval default
        clock_timestamp() - nullif(current_setting('hacs_refinery.migration_started', true), '')::timestamptz,
    tool_version text default nullif(current_setting('hacs_refinery.tool_version', true), '')
);
