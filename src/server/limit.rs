//! How long an answer is waited for, by this side's clock.

use std::time::Duration;

/// How long an answer is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// So long for each statement of a message; zero sets no limit.
    Statement(Duration),
    /// So long, whatever is asked.
    Answer(Duration),
}

impl Limit {
    /// Where no statement timeout says otherwise: a server that was frozen, or a proxy that lost it, would keep us for
    /// ever.
    pub(crate) const ANSWER: Self = Self::Answer(Duration::from_secs(300));

    /// On top of what the statements may take: for the way there and back, and for a server that has much to do.
    const MARGIN: Duration = Duration::from_secs(10);

    /// For a message of so many statements.
    pub(crate) fn of(self, statements: usize) -> Option<Duration> {
        match self {
            Self::Answer(limit) => Some(limit),
            Self::Statement(Duration::ZERO) => None,
            Self::Statement(limit) => {
                let statements = u32::try_from(statements).unwrap_or(u32::MAX);
                Some(limit.saturating_mul(statements).saturating_add(Self::MARGIN))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Message;

    #[test]
    fn each_statement_of_a_message_has_its_time_and_the_settings_have_none() {
        let limit = Limit::Statement(Duration::from_secs(4));
        let of = |message: Message| limit.of(message.statements());
        assert_eq!(of(Message::bare("select 1")), Some(Duration::from_secs(14)));
        assert_eq!(of(Message::new().then("select 1")), Some(Duration::from_secs(14)));
        assert_eq!(of(Message::bare("begin; select 1; commit")), Some(Duration::from_secs(22)));
        assert_eq!(Limit::Statement(Duration::ZERO).of(1), None);
        assert_eq!(Limit::Answer(Duration::from_secs(9)).of(2), Some(Duration::from_secs(9)));
    }
}
