//! The histories of HACS and of the others who have migrations here, and what they mean for the migrations at hand.

use std::collections::BTreeMap;

use refinery::Migration;
use time::format_description::well_known::Rfc3339;

use super::status::{MigrationState, OwnerStatus, READING};
use crate::error::{Error, Result};
use crate::history::{self, Line, Purpose, Record};
use crate::schema::owner::Owner;
use crate::server::{Connection, Message, Row};

/// What they are.
pub(super) struct Found {
    pub hacs: OwnerStatus,
    /// All others, by their names.
    pub owners: Vec<OwnerStatus>,
    /// The answer to what was asked besides.
    pub asked: Option<String>,
}

/// Reads the histories that exist, asks something more where there is one, and ends the transaction.
pub(super) fn read(
    client: &mut dyn Connection,
    exists: bool,
    histories: &[Row<'_>],
    lines: &[Line<'_>],
    question: Option<&str>,
) -> Result<Found> {
    let (readable, unreadable): (Vec<&Row<'_>>, Vec<&Row<'_>>) =
        histories.iter().partition(|row| row.text(3) == Some("t"));
    let named = |rows: Vec<&Row<'_>>| rows.into_iter().filter_map(|row| Owner::of_table(row.text(1)?)).collect();
    let (mut present, unreadable): (Vec<Owner>, Vec<Owner>) = (named(readable), named(unreadable));
    if exists {
        present.insert(0, Owner::HACS);
    }
    if present.is_empty() {
        Message::bare("commit").send(client).map_err(Error::during(READING))?;
    }
    let more: Vec<&str> = question.into_iter().chain(["commit"]).collect();
    let (records, answers) = match history::read(client, Message::within(), Purpose::Tell, &present, &more) {
        Ok(read) => read,
        // A row that cannot be read would seem to be missing as well.
        Err(history::Failed::Unfit(problems)) => {
            Message::bare("rollback").send(client).map_err(Error::during(READING))?;
            let hacs = lines.first().map(|(owner, known)| at_hand(owner, known, &[])).unwrap_or_default();
            return Ok(Found { hacs: OwnerStatus { problems, ..hacs }, owners: Vec::new(), asked: None });
        }
        Err(failed) => return Err(failed.into()),
    };
    let asked = question.and_then(|_| answers.value(answers.before_last(1))).map(str::to_owned);
    let mut of: BTreeMap<Option<String>, Vec<Record>> = present.iter().map(Owner::to_name).zip(records).collect();
    let mut found: Vec<Vec<Record>> =
        lines.iter().map(|(owner, _)| of.remove(&owner.to_name()).unwrap_or_default()).collect();
    history::sort_out(&mut found, lines);
    let mut all = lines.iter().zip(&found).map(|((owner, known), records)| at_hand(owner, known, records));
    let hacs = all.next().unwrap_or_default();
    let mut owners: Vec<OwnerStatus> = all.collect();
    owners.extend(of.into_iter().filter_map(|(name, records)| {
        Some(OwnerStatus { name: name?, migrations: states(&records, &[]), ..OwnerStatus::default() })
    }));
    for name in unreadable.iter().filter_map(Owner::to_name) {
        match owners.iter_mut().find(|owner| owner.name == name) {
            Some(owner) => owner.unreadable = true,
            None => owners.push(OwnerStatus { name, unreadable: true, ..OwnerStatus::default() }),
        }
    }
    owners.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Found { hacs, owners, asked })
}

/// An owner whose migrations are at hand.
fn at_hand(owner: &Owner, known: &[Migration], records: &[Record]) -> OwnerStatus {
    let (newer, problems) = match history::compare(owner, records, known) {
        Ok(plan) => (plan.newer.iter().map(|record| record.version).collect(), Vec::new()),
        Err(problems) => (Vec::new(), problems),
    };
    let name = owner.to_name().unwrap_or_default();
    OwnerStatus { name, migrations: states(records, known), problems, newer, unreadable: false }
}

fn states(records: &[Record], known: &[Migration]) -> Vec<MigrationState> {
    let applied_on = |version| {
        let record = records.iter().find(|record| record.version == version)?;
        record.applied_on.replace_nanosecond(0).ok()?.format(&Rfc3339).ok()
    };
    let at_hand = known.iter().map(|m| (m.version(), m.name().to_owned()));
    let is_known = |record: &&Record| known.iter().any(|m| m.version() == record.version);
    let others = records.iter().filter(|record| !is_known(record)).map(|r| (r.version, r.name.clone()));
    at_hand
        .chain(others)
        .map(|(version, name)| MigrationState { version, name, applied_on: applied_on(version) })
        .collect()
}
