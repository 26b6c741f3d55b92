//! What the server answers to a message.

use postgres::{SimpleQueryMessage, SimpleQueryRow};

/// The rows among the answers to a simple query.
pub(crate) fn rows(messages: &[SimpleQueryMessage]) -> impl Iterator<Item = &SimpleQueryRow> {
    messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    })
}
