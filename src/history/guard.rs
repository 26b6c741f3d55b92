//! Whether the history table can be trusted, before it is read or written.
//!
//! Whoever may create schemas could have made `hacs_admin.migrations` before the first run: a view, or a table with a
//! trigger, whose code would then run as the role that migrates. So the catalogue is asked first, which runs nothing of
//! anybody else. The table is locked before that, so that it stays what it was found to be.

use super::Failed;
use crate::schema::names::SCHEMAS;
use crate::schema::owner::Owner;
use crate::server::{Answers, Connection, Failure, Message, sql};

/// What the history is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To tell what is there. Reading a plain table runs nobody's code, whoever owns it.
    Tell,
    /// To run what is pending: then code of whoever owns the schemas may run, as triggers do.
    Run,
    /// To call a function of the schemas. Who may not make anything here loses nothing by that.
    Call,
}

impl Purpose {
    /// The lock that keeps the table as it is: nobody can replace it, and in a run nobody can give it a trigger.
    pub(crate) fn lock(self, owner: &Owner) -> String {
        let mode = match self {
            Self::Tell | Self::Call => "access share",
            Self::Run => "row exclusive",
        };
        format!("lock table only {} in {mode} mode", owner.table())
    }
}

/// Those who may own the schemas and the history: this role and those that it may act as, whose rights it has anyway;
/// superusers, who can do everything; the owner of the database, who decides what is in it. That a superuser may act as
/// anybody is no reason to trust everybody.
const TRUSTED: &str = "with recursive mine (oid) as (
        select oid from pg_roles where rolname = current_user
        union
        select m.roleid
        from pg_auth_members as m
        join mine on mine.oid = m.member
        -- Who creates a role in PostgreSQL 16 becomes a member that can neither use nor become it.
        where coalesce((to_jsonb(m) ->> 'inherit_option')::boolean or (to_jsonb(m) ->> 'set_option')::boolean, true)
    ),
    trusted (oid) as (
        select oid from mine
        union all select oid from pg_roles where rolsuper or rolname = 'pg_database_owner'
        union all select datdba from pg_database where datname = current_database()
    )";

/// Defaults that the history's columns have; any other could call something.
const DEFAULTS: [&str; 4] = [
    "clock_timestamp()",
    "SESSION_USER",
    "(clock_timestamp() - (NULLIF(current_setting('hacs_refinery.migration_started'::text, true), ''::text))::timestamp with time zone)",
    "NULLIF(current_setting('hacs_refinery.tool_version'::text, true), ''::text)",
];

/// History tables, whatever they are.
fn histories(owners: &[Owner]) -> String {
    let tables: Vec<String> = owners.iter().map(Owner::table).collect();
    format!(
        "(select c.oid from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
          where n.nspname || '.' || c.relname in ({}))",
        sql::literals(tables.iter().map(String::as_str))
    )
}

/// Asks what cannot be trusted, with the histories of these owners: a sentence a row.
pub(crate) fn query(purpose: Purpose, owners: &[Owner]) -> String {
    let schemas = sql::literals(SCHEMAS);
    // Who cannot migrate has no rights that are worth the trouble, and reads what others own.
    let owners_matter = match purpose {
        Purpose::Run => "true",
        Purpose::Call => {
            "(select rolsuper or has_database_privilege(current_database(), 'create')
              from pg_roles where rolname = current_user)"
        }
        Purpose::Tell => {
            "(select not rolsuper and has_database_privilege(current_database(), 'create')
              from pg_roles where rolname = current_user)"
        }
    };
    let stood_before = if purpose == Purpose::Run { stood_before(&schemas) } else { String::new() };
    let code = if purpose == Purpose::Tell { String::new() } else { code(&schemas, owners_matter) };
    format!(
        "{TRUSTED}
        select format('the schema %I belongs to the role %I', nspname, pg_get_userbyid(nspowner))
        from pg_namespace
        where nspname in ({schemas}) and {owners_matter} and nspowner not in (select oid from trusted)
        {stood_before}
        {code}
        {}",
        of_histories(owners_matter, owners)
    )
}

/// What about the history tables cannot be trusted.
fn of_histories(owners_matter: &str, owners: &[Owner]) -> String {
    let (defaults, histories) = (sql::literals(DEFAULTS), histories(owners));
    format!(
        "union all
        select format('hacs_admin.%I ', c.relname) || is_so.what
        from pg_class as c
        cross join lateral (values
            (c.relkind <> 'r', 'is no ordinary table but a ' || case c.relkind
                when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table'
                when 'p' then 'partitioned table' else 'relation of another kind' end),
            ({owners_matter} and c.relowner not in (select oid from trusted),
                format('belongs to the role %I', pg_get_userbyid(c.relowner))),
            (c.relrowsecurity or c.relforcerowsecurity or exists (select 1 from pg_policy where polrelid = c.oid),
                'has row-level security'),
            (exists (select 1 from pg_trigger where tgrelid = c.oid and not tgisinternal), 'has a trigger'),
            (c.relkind = 'r' and exists (select 1 from pg_rewrite where ev_class = c.oid), 'has a rule'),
            (c.relispartition or exists (select 1 from pg_inherits where c.oid in (inhparent, inhrelid)),
                'is part of an inheritance'),
            (c.relkind = 'r' and exists (
                select 1 from pg_constraint where conrelid = c.oid and contype not in ('p', 'u', 'n')
            ), 'has a constraint of its own'),
            (exists (select 1 from pg_index where indrelid = c.oid and (indexprs is not null or indpred is not null)),
                'has an index of its own on an expression'),
            (exists (
                select 1 from pg_attribute as a
                join pg_type as t on t.oid = a.atttypid
                left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
                where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and (
                    a.attgenerated <> '' or t.typnamespace <> 'pg_catalog'::regnamespace
                    or pg_get_expr(d.adbin, d.adrelid) not in ({defaults})
                )
            ), 'has a column with a type or a default of its own')
        ) as is_so (yes, what)
        where c.oid in {histories} and is_so.yes"
    )
}

/// Asks whether a schema, and tables of it that are written to, belong to somebody who cannot be trusted.
pub(crate) fn schema_guard(schema: &str, tables: &[&str]) -> String {
    format!(
        "{TRUSTED}
        select format('the schema %I belongs to the role %I', nspname, pg_get_userbyid(nspowner))
        from pg_namespace
        where nspname = {schema} and nspowner not in (select oid from trusted)
        union all
        select format('%s belongs to the role %I, or is no plain table', c.oid::regclass, pg_get_userbyid(c.relowner))
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where n.nspname = {schema} and c.relname in ({tables}) and (
            c.relkind <> 'r' or c.relowner not in (select oid from trusted)
            or exists (select 1 from pg_trigger as t where t.tgrelid = c.oid and not t.tgisinternal)
            or exists (select 1 from pg_rewrite as r where r.ev_class = c.oid)
        )",
        schema = sql::literal(schema),
        tables = sql::literals(tables.iter().copied())
    )
}

/// Before the first run: what others have made where its objects are to be.
fn stood_before(schemas: &str) -> String {
    format!(
        "union all
        select format('%s belongs to the role %I', pg_describe_object(classid, id, 0), pg_get_userbyid(owner))
        from (
            select tableoid, oid, relnamespace, relowner from pg_class where relkind not in ('i', 'I', 't')
            union all select tableoid, oid, pronamespace, proowner from pg_proc
            union all select tableoid, oid, typnamespace, typowner from pg_type where typtype <> 'c' and typelem = 0
        ) as o (classid, id, namespace, owner)
        where not exists {} and namespace in (select oid from pg_namespace where nspname in ({schemas}))
            and owner not in (select oid from trusted)",
        histories(&[Owner::HACS])
    )
}

/// What would run as this role: functions of others in the schemas, which a call could mean, and those that a trigger
/// of a table calls. A right to create or to make triggers is all that it takes to put them there.
fn code(schemas: &str, owners_matter: &str) -> String {
    format!(
        "union
        select format('%s belongs to the role %I', pg_describe_object(p.tableoid, p.oid, 0), pg_get_userbyid(p.proowner))
        from pg_proc as p
        join pg_namespace as n on n.oid = p.pronamespace
        where n.nspname in ({schemas}) and {owners_matter} and p.proowner not in (select oid from trusted)
        union
        select format(
            '%s runs %s of the role %I', pg_describe_object(t.tableoid, t.oid, 0), p.oid::regprocedure,
            pg_get_userbyid(p.proowner)
        )
        from pg_trigger as t
        join pg_class as c on c.oid = t.tgrelid
        join pg_namespace as n on n.oid = c.relnamespace
        join pg_proc as p on p.oid = t.tgfoid
        where n.nspname in ({schemas}) and not t.tgisinternal and {owners_matter}
            and p.proowner not in (select oid from trusted)"
    )
}

/// A statement that fails where something cannot be trusted, and with it the rest of its message.
pub(super) fn raising(purpose: Purpose, owners: &[Owner]) -> String {
    format!("select 1 / case when exists ({}) then 0 else 1 end", query(purpose, owners))
}

/// Why a message was refused in which [`raising`] stood.
pub(super) fn explain(connection: &mut dyn Connection, purpose: Purpose, owners: &[Owner], failure: Failure) -> Failed {
    // The transaction, where there is one, has failed.
    let _ = Message::bare("rollback").send(connection);
    let mut message = Message::new();
    let at = message.ask(&query(purpose, owners));
    match message.send(connection) {
        Ok(answers) if answers.rows(at).next().is_some() => {
            Failed::Untrusted(answers.rows(at).map(|row| row.string(0)).collect())
        }
        Ok(_) | Err(_) => Failed::Server(failure),
    }
}

/// Sends statements that call functions of HACS's schemas, once it is known that whoever owns these may be trusted:
/// what he wrote runs as this role. Gives the place of the first answer as well.
pub(crate) fn call(
    connection: &mut dyn Connection,
    begin: Message,
    statements: &[&str],
) -> Result<(Answers, usize), Failed> {
    let owners = [Owner::HACS];
    let mut message = begin.then(&raising(Purpose::Call, &owners));
    let places: Vec<usize> = statements.iter().map(|statement| message.ask(statement)).collect();
    match message.send(connection) {
        Ok(answers) => Ok((answers, places.first().copied().unwrap_or_default())),
        Err(failure) => Err(explain(connection, Purpose::Call, &owners, failure)),
    }
}
