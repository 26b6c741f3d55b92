//! What `adopt` is told about following a table.

use clap::{Args, ValueEnum};
use hacs_refinery::adopt::{Follow, Followed, GENERIC_TABLE, Mode, follow, unfollow};
use hacs_refinery::{Link, Options, Result, safe_line};

/// Whether a table is followed, and how.
#[derive(Args, Debug)]
pub struct Following {
    /// Follow the generic table afterwards, so that services that write into it go on as they are: what breaks a rule
    /// is an error of the service (refuse), or stays in the table and is listed (note)
    #[arg(long, value_name = "MODE", value_enum, group = "followed",
        conflicts_with_all = ["dry_run", "strict", "unfollow", "finish"])]
    follow: Option<OfRefusals>,

    /// A mode of its own for a type of documents
    #[arg(long, value_name = "TYPE=MODE", value_parser = of_type, requires = "follow", conflicts_with = "unfollow")]
    follow_type: Vec<(String, OfRefusals)>,

    /// Let go of a table that is followed, and do nothing else
    #[arg(long, group = "followed", conflicts_with_all = ["dry_run", "strict", "retry", "finish"])]
    unfollow: bool,

    /// The generic table that is followed, or no longer
    #[arg(long, value_name = "SCHEMA.TABLE", default_value = GENERIC_TABLE, requires = "followed")]
    generic_table: String,

    /// Who owns the table where it has to be made: the role of the service
    #[arg(long, value_name = "ROLE", requires = "follow", conflicts_with = "unfollow")]
    service_role: Option<String>,
}

/// What becomes of a document that breaks a rule.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum OfRefusals {
    /// An error of the service
    Refuse,
    /// Listed, and left where it is
    Note,
}

impl From<OfRefusals> for Mode {
    fn from(mode: OfRefusals) -> Self {
        match mode {
            OfRefusals::Refuse => Self::Refuse,
            OfRefusals::Note => Self::Note,
        }
    }
}

fn of_type(text: &str) -> std::result::Result<(String, OfRefusals), String> {
    let parts = text.split_once('=').and_then(|(name, mode)| Some((name, OfRefusals::from_str(mode, false).ok()?)));
    let (name, mode) = parts.ok_or("a type and its mode, such as Observation=note")?;
    Ok((name.to_owned(), mode))
}

impl Following {
    /// Follows the table, if that is asked for.
    pub fn begin(&self, link: &mut Link, options: &Options) -> Result<Option<Followed>> {
        let Some(mode) = self.follow else { return Ok(None) };
        let mut how = Follow::default();
        how.table.clone_from(&self.generic_table);
        how.mode = mode.into();
        how.types = self.follow_type.iter().map(|(name, mode)| (name.clone(), (*mode).into())).collect();
        how.service_role.clone_from(&self.service_role);
        follow(link, options, &how).map(Some)
    }

    /// How many documents are not stored although that was wanted: who has them noted, reads the list.
    pub fn unstored(&self, followed: &Followed) -> u64 {
        if matches!(self.follow, Some(OfRefusals::Note)) { 0 } else { followed.refused }
    }

    /// Lets go of the table, if that is asked for, and says so.
    pub fn end(&self, link: &mut Link, options: &Options) -> Result<Option<String>> {
        if !self.unfollow {
            return Ok(None);
        }
        unfollow(link, options, &self.generic_table)?;
        let table = safe_line(&self.generic_table);
        Ok(Some(format!("{table} is no longer followed; its documents stay there and here.\n")))
    }
}

/// A table that is followed now.
pub fn told(followed: &Followed) -> String {
    let (table, documents) = (safe_line(&followed.table), followed.documents);
    match followed.refused {
        0 => format!("{table} is followed: {documents} documents.\n"),
        refused => format!(
            "{table} is followed: {documents} documents, {refused} of them refused: select * from {table}_refused.\n"
        ),
    }
}
