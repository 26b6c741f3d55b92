//! What the server answers to a message, statement by statement.

use std::str::FromStr;

use postgres::{SimpleQueryMessage, SimpleQueryRow};

/// The rows that each statement of a message gave.
#[derive(Debug, Default)]
pub struct Answers(Vec<Vec<SimpleQueryRow>>);

/// A row, with its columns by their places: a name could be that of somebody else's column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a>(&'a SimpleQueryRow);

impl From<Vec<SimpleQueryMessage>> for Answers {
    /// Each statement ends with a message of its own.
    fn from(messages: Vec<SimpleQueryMessage>) -> Self {
        let mut answers = Vec::new();
        let mut rows = Vec::new();
        for message in messages {
            match message {
                SimpleQueryMessage::Row(row) => rows.push(row),
                SimpleQueryMessage::CommandComplete(_) => answers.push(std::mem::take(&mut rows)),
                _ => {}
            }
        }
        Self(answers)
    }
}

impl Answers {
    /// The answer to the statement at a place, from 0.
    pub(crate) fn rows(&self, at: usize) -> impl Iterator<Item = Row<'_>> {
        self.0.get(at).into_iter().flatten().map(Row)
    }

    /// The place of the answer that many before the last: for a message that has statements of others in its middle.
    pub(crate) fn before_last(&self, back: usize) -> usize {
        self.0.len().saturating_sub(1 + back)
    }

    /// The first column of the first row.
    pub(crate) fn value(&self, at: usize) -> Option<&str> {
        self.rows(at).next()?.text(0)
    }

    /// Whether that is true.
    pub(crate) fn is_true(&self, at: usize) -> bool {
        self.value(at) == Some("t")
    }
}

impl<'a> Row<'a> {
    /// The text of a column; `None` for null, and where there is no such column.
    pub(crate) fn text(self, column: usize) -> Option<&'a str> {
        self.0.try_get(column).ok().flatten()
    }

    /// What a column is as a number, or of another type that is written as it is; `None` also where it is none.
    pub(crate) fn parsed<T: FromStr>(self, column: usize) -> Option<T> {
        self.text(column)?.parse().ok()
    }

    /// The same, with 0 for null.
    pub(crate) fn number<T: FromStr + Default>(self, column: usize) -> T {
        self.parsed(column).unwrap_or_default()
    }

    /// The text without null.
    pub(crate) fn string(self, column: usize) -> String {
        self.text(column).unwrap_or_default().to_owned()
    }
}
