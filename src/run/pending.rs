//! What is pending, without a lock and without doing it.

use refinery::Migration;
use time::OffsetDateTime;

use super::options::Options;
use super::patience::{self, Patience};
use crate::error::{Error, Result};
use crate::history::{self, Plan, Purpose, Record};
use crate::server::{Connection, Limit, Message};

/// The migrations that [`migrate`](crate::migrate()) would apply. It only reads.
///
/// # Errors
///
/// Those of [`migrate`](crate::migrate()) about the history.
pub fn pending(client: &mut impl Connection, options: &Options) -> Result<Vec<Migration>> {
    client.limit(Limit::ANSWER);
    check_target(options)?;
    patience::retry(client, options, |client, patience| {
        let (found, _) = read_history(client, patience)?;
        Ok(plan(&found, options)?.pending)
    })
}

/// The history without a transaction and without a lock. Also whether quarters of the audit trail are due.
pub(super) fn read_history(client: &mut dyn Connection, patience: &Patience) -> Result<(Vec<Record>, bool)> {
    let message = Message::new().then(&patience.setting());
    let more = [&quarters_due(), AUDIT_OFF];
    let (found, answers) = history::read(client, message, Purpose::Tell, &more)?;
    if let Some(tables) = answers.rows(answers.before_last(0)).next().and_then(|row| row.text(0)) {
        log::warn!("triggers of the audit are turned off on {tables}: `hacs-refinery verify` says how to turn them on");
    }
    let due = answers.is_true(answers.before_last(1));
    Ok((found, due))
}

/// The tables that have triggers of the audit which somebody turned off.
const AUDIT_OFF: &str = "select string_agg(distinct t.tgrelid::regclass::text, ', ') from pg_trigger as t
    where t.tgname in ('audit_row', 'audit_insert', 'audit_update', 'audit_delete', 'audit_truncate')
        and t.tgenabled not in ('A', 'R') and not t.tgisinternal";

/// As many as `hacs_audit.ensure_partitions()` makes ahead of time.
const QUARTERS_AHEAD: i32 = 4;

/// Whether `hacs_audit.ensure_partitions()` has something to do: one of its quarters is not attached, or the default
/// partition holds rows. To call the function takes longer than all the rest of a run with nothing to do; and to see the
/// size of the partition needs no right to its rows. Who may not look into the schema is told by the function.
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

pub(super) fn check_target(options: &Options) -> Result<()> {
    let newest = newest(&options.migrations.known());
    match options.target {
        Some(target) if target > newest || target < 1 => Err(Error::NoSuchTarget { target, newest }),
        _ => Ok(()),
    }
}

fn newest(migrations: &[Migration]) -> i32 {
    migrations.iter().map(Migration::version).max().unwrap_or(0)
}

/// The plan for a history, cut at the target.
pub(super) fn plan(found: &[Record], options: &Options) -> Result<Plan> {
    let known = options.migrations.known();
    let mut plan = history::compare(found, &known).map_err(Error::History)?;
    if let Some(newer) = plan.newer.last().filter(|_| !options.allow_newer) {
        return Err(Error::Newer { database: newer.version, known: newest(&known) });
    }
    plan.pending.retain(|migration| options.target.is_none_or(|target| migration.version() <= target));
    if !plan.pending.is_empty() {
        // What is to be run has to have its SQL.
        let is_pending = |migration: &&Migration| plan.pending.contains(migration);
        plan.pending = options.migrations.iter().filter(is_pending).cloned().collect();
    }
    Ok(plan)
}
