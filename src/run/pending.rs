//! What is pending, without a lock and without doing it.

use refinery::Migration;
use time::OffsetDateTime;

use super::options::Options;
use super::patience::{self, Patience};
use crate::error::{Error, Result};
use crate::history::{self, Purpose, Record};
use crate::schema::names::TABLES;
use crate::schema::owned::OwnedMigration;
use crate::schema::owner::Owner;
use crate::server::{Connection, Limit, Message, sql};

/// The migrations that [`migrate`](crate::migrate()) would apply. It only reads.
///
/// # Errors
///
/// Those of [`migrate`](crate::migrate()) about the history.
pub fn pending(client: &mut impl Connection, options: &Options) -> Result<Vec<OwnedMigration>> {
    client.limit(Limit::ANSWER);
    check(options)?;
    patience::retry(client, options, |client, patience| {
        let (found, _) = read_histories(client, options, patience)?;
        Ok(plan(&found, options)?.pending)
    })
}

/// The histories of HACS and of all owners, without a transaction and without a lock. Also whether quarters of the
/// audit trail are due.
pub(super) fn read_histories(
    client: &mut dyn Connection,
    options: &Options,
    patience: &Patience,
) -> Result<(Vec<Vec<Record>>, bool)> {
    let message = Message::new().then(&patience.setting());
    let (due, incomplete) = (quarters_due(), audit_incomplete());
    let more = [due.as_str(), &incomplete];
    let (found, answers) = history::read_where_there(client, &message, Purpose::Tell, &owners(options)?, &more)?;
    let Some(answers) = answers else { return Ok((found, false)) };
    let incomplete = answers.rows(answers.before_last(0)).next().and_then(|row| row.text(0));
    if let Some(tables) =
        incomplete.filter(|_| found.first().is_some_and(|of_hacs| of_hacs.iter().any(|r| r.version == TRIGGERS_SINCE)))
    {
        log::warn!(
            "triggers of the audit are missing or turned off on {tables}, so that not every change is recorded: \
             `hacs-refinery verify` says how to bring them back"
        );
    }
    let due = answers.is_true(answers.before_last(1));
    Ok((found, due))
}

/// HACS and the owners, in the order of their histories.
pub(super) fn owners(options: &Options) -> Result<Vec<Owner>> {
    Ok(options.lines()?.into_iter().map(|(owner, _)| owner).collect())
}

/// The migration that gives the tables their triggers.
const TRIGGERS_SINCE: i64 = 8;

/// The tables that lack triggers of the audit, or have some that somebody turned off. A table that is recorded row by
/// row has two of them, any other five. The view `hacs_audit.coverage` looks closer, and takes longer.
fn audit_incomplete() -> String {
    let audited = TABLES.iter().filter(|name| !name.starts_with("hacs_audit.") && **name != "hacs_admin.migrations");
    format!(
        "select string_agg(name, ', ') from (
            select c.oid::regclass::text as name
            from pg_class as c
            join pg_namespace as n on n.oid = c.relnamespace
            left join pg_trigger as t on t.tgrelid = c.oid and not t.tgisinternal
                and t.tgname in ('audit_row', 'audit_insert', 'audit_update', 'audit_delete', 'audit_truncate')
            where format('%s.%s', n.nspname, c.relname) in ({})
            group by c.oid
            having count(t.oid) not in (2, 5) or bool_or(t.tgenabled not in ('A', 'R'))
            order by 1
        ) as s",
        sql::literals(audited.copied())
    )
}

/// As many as `hacs_audit.ensure_partitions()` makes ahead of time.
const QUARTERS_AHEAD: i32 = 4;

/// Whether `hacs_audit.ensure_partitions()` has something to do: one of its quarters is not attached, or the default
/// partition holds rows. To call the function takes longer than all the rest of a run with nothing to do; and to see
/// the size of the partition needs no right to its rows. Who may not look into the schema is told by the function.
///
/// The quarters are named here, by this machine's clock. The function goes by the server's, and by what they hold.
fn quarters_due() -> String {
    let now = OffsetDateTime::now_utc();
    let first = now.year() * 4 + (i32::from(u8::from(now.month())) - 1) / 3;
    let names: Vec<String> = (first..=first + QUARTERS_AHEAD)
        .map(|quarter| format!("'resource_changes_{:04}q{}'", quarter.div_euclid(4), quarter.rem_euclid(4) + 1))
        .collect();
    format!(
        "select case when has_schema_privilege(to_regnamespace('hacs_audit'), 'usage')
            then (select count(*) from pg_inherits as i join pg_class as c on c.oid = i.inhrelid
                    join pg_class as trail on trail.oid = i.inhparent join pg_namespace as n on n.oid = trail.relnamespace
                    where n.nspname = 'hacs_audit' and trail.relname = 'resource_changes' and c.relname in ({})) <= {QUARTERS_AHEAD}
                or pg_relation_size(to_regclass('hacs_audit.resource_changes_default')) is distinct from 0
            else true end",
        names.join(", ")
    )
}

/// Whether what is asked for can be done at all.
pub(super) fn check(options: &Options) -> Result<()> {
    options.lines()?;
    let newest = newest(&options.migrations.known());
    match options.target {
        Some(target) if target > newest || target < 1 => Err(Error::NoSuchTarget { target, newest }),
        _ => Ok(()),
    }
}

fn newest(migrations: &[Migration]) -> i64 {
    migrations.iter().map(Migration::version).max().unwrap_or(0)
}

/// What a run is to do.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Migrations to apply, in order: HACS's, then those of each owner.
    pub pending: Vec<OwnedMigration>,
    /// Rows of HACS's history that are an owner's.
    pub moved: Vec<OwnedMigration>,
    /// The newest version of HACS in the database.
    pub version: Option<i64>,
    /// Versions of HACS in the database beyond all that are at hand.
    pub newer: Vec<i64>,
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.moved.is_empty()
    }
}

/// The plan for what the histories hold, cut at the target.
pub(super) fn plan(found: &[Vec<Record>], options: &Options) -> Result<Plan> {
    let lines = options.lines()?;
    let mut found = found.to_vec();
    let mut plan = Plan { moved: history::sort_out(&mut found, &lines), ..Plan::default() };
    plan.version = found.first().and_then(|hacs| hacs.last()).map(|record| record.version);
    let mut errors = Vec::new();
    for ((owner, known), found) in lines.iter().zip(&found) {
        match history::compare(owner, found, known) {
            Ok(mut of_owner) => {
                if let Some(newer) = of_owner.newer.last().filter(|_| !options.allow_newer) {
                    let (owner, database, known) = (owner.to_name(), newer.version, newest(known));
                    return Err(Error::Newer { owner, database, known });
                }
                if owner.name().is_none() {
                    plan.newer = of_owner.newer.iter().map(|record| record.version).collect();
                    of_owner.pending = up_to_target(of_owner.pending, options);
                } else if options.target.is_some_and(|target| target < newest(&options.migrations.known())) {
                    of_owner.pending.clear();
                }
                plan.pending.append(&mut of_owner.pending);
            }
            Err(found) => errors.extend(found),
        }
    }
    if errors.is_empty() { Ok(plan) } else { Err(Error::History(errors)) }
}

/// Those up to the target, with the SQL that they need to be run.
fn up_to_target(mut pending: Vec<OwnedMigration>, options: &Options) -> Vec<OwnedMigration> {
    pending.retain(|migration| options.target.is_none_or(|target| migration.version() <= target));
    if pending.is_empty() {
        return pending;
    }
    let of = |version| options.migrations.iter().find(|migration| migration.version() == version);
    let with_sql = pending.iter().filter_map(|migration| of(migration.version()));
    with_sql.map(|migration| OwnedMigration::new(&Owner::HACS, migration)).collect()
}
