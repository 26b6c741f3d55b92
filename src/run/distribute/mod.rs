//! One database over many machines: the tables on a coordinator of Citus are distributed by patient, and taken back.
//!
//! Either is one transaction. What every table holds is counted and digested before and after; a difference ends the run. The
//! SQL is sent statement by statement, since Citus passes the text of a message on as it came.

mod report;

use std::time::{Duration, Instant};

use super::options::Options;
use super::patience::{self, Patience};
use super::{pending, stage};
use crate::error::obstacle::Obstacle;
use crate::error::{Error, Result};
use crate::history::ledger::Ledger;
use crate::schema::difference::{Change, Difference, Own, compare};
use crate::schema::manifest::{self, Manifest};
use crate::schema::{embedded, statements};
use crate::server::{Connection, Limit, Message};
pub use report::{DistributedTable, Distribution};

/// How a database is distributed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DistributeOptions {
    /// Make it one of one machine again.
    pub undo: bool,
    /// Do everything, report it, and roll it back.
    pub dry_run: bool,
}

/// The oldest Citus with which this was tried.
const CITUS: u32 = 13;

const PLAN: &str = include_str!("plan.sql");
const ROWS: &str = include_str!("rows.sql");
const THERE: [(&str, &str); 4] = [
    ("distributing the tables", include_str!("there.sql")),
    ("fitting the functions of documents", include_str!("documents.sql")),
    ("fitting the audit", include_str!("audit.sql")),
    ("fitting the trail and its seals", include_str!("trail.sql")),
];
const BACK: &str = include_str!("back.sql");
const END: &str = include_str!("end.sql");

/// What the values of rows look like as text is the same on every node; a table is made and filled over one connection to
/// each of them.
const SETTINGS: [&str; 9] = [
    "set local client_min_messages = error",
    "set local citus.propagate_set_commands = 'local'",
    "set local timezone = 'UTC'",
    "set local datestyle = 'ISO, YMD'",
    "set local intervalstyle = 'postgres'",
    "set local extra_float_digits = 1",
    "set local bytea_output = 'hex'",
    "set local citus.enable_unsafe_triggers = on",
    "set local citus.multi_shard_modify_mode = 'sequential'",
];

/// Distributes the tables of a database over the nodes of a Citus cluster, by patient, or takes them back.
///
/// The client must not be inside a transaction. It holds every table for as long as that takes.
///
/// # Errors
///
/// [`Error::Distribution`] with what is in the way, and those of [`migrate`](crate::migrate()). Nothing was changed then.
pub fn distribute(client: &mut impl Connection, options: &Options, how: &DistributeOptions) -> Result<Distribution> {
    pending::check(options)?;
    client.limit(Limit::Statement(options.statement_timeout));
    let started = Instant::now();
    let mut done = patience::retry(client, options, |client, patience| attempt(client, options, how, patience))?;
    done.duration = started.elapsed();
    Ok(done)
}

fn attempt(
    client: &mut dyn Connection,
    options: &Options,
    how: &DistributeOptions,
    patience: &Patience,
) -> Result<Distribution> {
    let mut ledger = stage::begin(client, options, patience)?;
    check_server(&mut ledger, how.undo)?;
    let opened = stage::open(&mut ledger, options)?;
    if pending::plan(&opened.histories, options)?.pending.iter().any(|migration| migration.of().name().is_none()) {
        return Err(Obstacle::Pending.into());
    }
    for setting in SETTINGS {
        ask(&mut ledger, "setting up the transaction", setting)?;
    }
    if how.undo {
        back(&mut ledger, options)?
    } else {
        there(&mut ledger, options)?
    }
    let mut done = Distribution { undone: how.undo, dry_run: how.dry_run, ..Distribution::default() };
    done.tables = tables(&mut ledger)?;
    options.check_stop()?;
    if !how.dry_run {
        stage::commit(ledger, options)?;
    }
    done.duration = Duration::ZERO;
    Ok(done)
}

/// Whether this is a coordinator of a Citus that is new enough, and the tables are not yet what they are to become.
fn check_server(ledger: &mut Ledger<'_>, undo: bool) -> Result<()> {
    let doing = "asking for Citus";
    let Some(version) = ask(ledger, doing, "select extversion from pg_extension where extname = 'citus'")? else {
        return Err(Obstacle::NoCitus.into());
    };
    let major = version.split(['.', '-']).next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < CITUS) {
        return Err(Obstacle::Old(version).into());
    }
    if ask(ledger, doing, "select groupid from pg_dist_local_group")?.as_deref() != Some("0") {
        return Err(Obstacle::Worker.into());
    }
    let distributed = "select exists (
        select 1 from pg_dist_partition as d where d.logicalrelid = to_regclass('hacs_audit.resource_changes'))";
    match (ask(ledger, doing, distributed)?.as_deref() == Some("t"), undo) {
        (true, false) => Err(Obstacle::Already.into()),
        (false, true) => Err(Obstacle::NotDistributed.into()),
        _ => Ok(()),
    }
}

fn there(ledger: &mut Ledger<'_>, options: &Options) -> Result<()> {
    send(ledger, options, "counting what the tables hold", PLAN)?;
    send(ledger, options, "looking for rows of two patients", ROWS)?;
    let doing = "looking for rows of two patients";
    let strangers = list(ledger, doing, "select h.what from hacs_strangers as h order by 1")?;
    if !strangers.is_empty() {
        return Err(Obstacle::Strangers(strangers).into());
    }
    let rows = list(ledger, doing, "select a.what from hacs_across as a order by a.place, a.what limit 20")?;
    if !rows.is_empty() {
        let all = ask(ledger, doing, "select count(*) from hacs_across")?;
        let more = all.and_then(|all| all.parse::<usize>().ok()).unwrap_or(0).saturating_sub(rows.len());
        return Err(Obstacle::Across { rows, more }.into());
    }
    for (doing, sql) in THERE {
        send(ledger, options, doing, sql)?;
    }
    compare_contents(ledger)?;
    let doing = "writing down that it is distributed";
    ask(ledger, doing, "select hacs_audit.set_actor('hacs-refinery', 'distribution')")?;
    ask(
        ledger,
        doing,
        r#"insert into hacs_admin.system_config (key, value, description)
        values ('distribution', '{"engine": "citus", "by": "patient"}', 'How the tables lie on several machines')"#,
    )?;
    Ok(())
}

fn back(ledger: &mut Ledger<'_>, options: &Options) -> Result<()> {
    let doing = "sealing what the nodes have written";
    ask(ledger, doing, "lock table hacs_audit.resource_changes in share row exclusive mode")?;
    ask(ledger, doing, "select hacs_audit.seal(1000000000)")?;
    let left = ask(ledger, doing, "select s.numbers_not_sealed from hacs_audit.sealing as s")?;
    if left.as_deref() != Some("0") {
        return Err(Obstacle::Unsealed.into());
    }
    let doing = "writing down that it is not distributed";
    ask(ledger, doing, "select hacs_audit.set_actor('hacs-refinery', 'distribution')")?;
    ask(ledger, doing, "delete from hacs_admin.system_config where key = 'distribution'")?;
    send(ledger, options, "counting what the tables hold", PLAN)?;
    send(ledger, options, "bringing the tables back", BACK)?;
    // Functions go on to stand on the nodes, which have nothing to do with them any more.
    let doing = "running the migrations again";
    ask(ledger, doing, "set local citus.enable_ddl_propagation = off")?;
    for migration in embedded::migrations() {
        Message::of_run().send(ledger.transaction()).map_err(Error::during(doing))?;
        send(ledger, options, doing, migration.sql().unwrap_or_default())?;
    }
    for setting in SETTINGS {
        ask(ledger, "setting up the transaction", setting)?;
    }
    compare_contents(ledger)?;
    send(ledger, options, "sealing what the nodes have written", END)?;
    mend(ledger)?;
    ask(ledger, doing, "set local citus.enable_ddl_propagation = on").map(drop)
}

/// What the migrations make with a table alone, such as its foreign keys, is made again one by one.
fn mend(ledger: &mut Ledger<'_>) -> Result<()> {
    for difference in different(ledger)? {
        for statement in difference.mend.iter().flat_map(|mend| parts(mend)) {
            ask(ledger, "mending what the migrations make once", statement)?;
        }
    }
    let left = different(ledger)?;
    if left.is_empty() { Ok(()) } else { Err(Obstacle::Different(left).into()) }
}

/// What is missing or other than the migrations make it. What somebody has added stays.
fn different(ledger: &mut Ledger<'_>) -> Result<Vec<Difference>> {
    let mut message = Message::of_run();
    let at = message.ask(manifest::QUERY);
    let answers = message.send(ledger.transaction()).map_err(Error::during("reading the catalogue"))?;
    let found = Manifest::from_rows(answers.rows(at));
    let compared = compare(&Manifest::embedded().with_histories_of(&found), &found, &Own::default());
    let counts = |difference: &Difference| difference.change != Change::Extra && !difference.is_warning();
    Ok(compared.different.into_iter().filter(counts).collect())
}

fn compare_contents(ledger: &mut Ledger<'_>) -> Result<()> {
    let doing = "counting what the tables hold";
    ask(ledger, doing, "select pg_temp.hacs_count('after')")?;
    let query = "select format('%s: %s rows before, %s after', b.target, b.number, a.number)
        from hacs_contents as b
        left join hacs_contents as a on a.target = b.target and a.moment = 'after'
        where b.moment = 'before' and (b.number, b.digest) is distinct from (a.number, a.digest)
        order by 1";
    let found = list(ledger, doing, query)?;
    if found.is_empty() { Ok(()) } else { Err(Obstacle::Contents(found).into()) }
}

fn tables(ledger: &mut Ledger<'_>) -> Result<Vec<DistributedTable>> {
    let mut message = Message::default();
    let at = message.ask(
        "select p.target, p.kind, p.home, c.number
        from hacs_plan as p
        join hacs_contents as c on c.target = p.target::text and c.moment = 'after'
        order by p.kind <> 'patient', p.kind, p.target::text",
    );
    let answers = message.send(ledger.transaction()).map_err(Error::during("reading what was done"))?;
    Ok(answers.rows(at).map(DistributedTable::from_row).collect())
}

fn parts(sql: &str) -> Vec<&str> {
    statements::split(sql).iter().map(|statement| statement.text(sql)).collect()
}

/// Sends a file, statement by statement.
fn send(ledger: &mut Ledger<'_>, options: &Options, doing: &'static str, sql: &str) -> Result<()> {
    for statement in parts(sql) {
        options.check_stop()?;
        Message::bare(statement).send(ledger.transaction()).map_err(Error::during(doing))?;
    }
    Ok(())
}

fn ask(ledger: &mut Ledger<'_>, doing: &'static str, query: &str) -> Result<Option<String>> {
    let answers = Message::bare(query).send(ledger.transaction()).map_err(Error::during(doing))?;
    Ok(answers.value(0).map(str::to_owned))
}

fn list(ledger: &mut Ledger<'_>, doing: &'static str, query: &str) -> Result<Vec<String>> {
    let answers = Message::bare(query).send(ledger.transaction()).map_err(Error::during(doing))?;
    Ok(answers.rows(0).map(|row| row.string(0)).collect())
}
