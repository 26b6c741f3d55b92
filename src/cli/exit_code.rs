//! What each exit code means.

use std::process::ExitCode as Process;

use hacs_refinery::{Error, Obstacle};

/// The exit codes of `hacs-refinery`; `--help` and the README list the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    Success = 0,
    Unexpected = 1,
    Usage = 2,
    Connection = 3,
    Pending = 4,
    Locked = 5,
    History = 6,
    Drift = 7,
    Failed = 8,
    Refused = 9,
}

impl From<ExitCode> for Process {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

impl From<&Error> for ExitCode {
    fn from(error: &Error) -> Self {
        match error {
            Error::Connect(error) if error.is_configuration() => Self::Usage,
            Error::NoSuchTarget { .. } | Error::Owner(_) | Error::Pooled => Self::Usage,
            Error::Connect(_) => Self::Connection,
            Error::Database { failure, .. } if failure.is_disconnect() => Self::Connection,
            Error::Database { failure, .. } if failure.sqlstate() == Some("55P03") => Self::Locked,
            Error::CommitUnknown(_) => Self::Connection,
            Error::Locked { .. } | Error::Blocked { .. } => Self::Locked,
            Error::History(_) | Error::Recorded(_) | Error::Newer { .. } | Error::Legacy(_) | Error::Untrusted(_) => {
                Self::History
            }
            Error::Drift(_) | Error::Unlike(_) | Error::NameTaken { .. } => Self::Drift,
            Error::Migration { .. } | Error::Replaced { .. } | Error::NotRepeatable { .. } => Self::Failed,
            Error::Refused(_) => Self::Refused,
            Error::NotAdopted => Self::Pending,
            Error::Distribution(obstacle) => Self::from(&**obstacle),
            Error::Io { error, .. } if error.kind() == std::io::ErrorKind::InvalidInput => Self::Usage,
            Error::Partly { cause, .. } => Self::from(&**cause),
            _ => Self::Unexpected,
        }
    }
}

impl From<&Obstacle> for ExitCode {
    fn from(obstacle: &Obstacle) -> Self {
        match obstacle {
            Obstacle::Pending => Self::Pending,
            Obstacle::Unsealed => Self::Locked,
            Obstacle::Across { .. } | Obstacle::Strangers(_) => Self::Refused,
            Obstacle::Contents(_) | Obstacle::Different(_) => Self::Drift,
            _ => Self::Usage,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_its_documented_number() {
        let numbers = [
            ExitCode::Success,
            ExitCode::Unexpected,
            ExitCode::Usage,
            ExitCode::Connection,
            ExitCode::Pending,
            ExitCode::Locked,
            ExitCode::History,
            ExitCode::Drift,
            ExitCode::Failed,
            ExitCode::Refused,
        ]
        .map(|code| code as u8);
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn errors_lead_to_their_codes() {
        let newer = Error::Newer { owner: None, database: 9, known: 8 };
        let target = Error::NoSuchTarget { target: 9, newest: 8 };
        let nowhere = Error::Connect(hacs_refinery::ConnectError::NotConfigured);
        let locked = Error::Locked { waited: std::time::Duration::ZERO, holder: None };
        let codes = [&newer, &target, &nowhere, &locked].map(ExitCode::from);
        assert_eq!(codes, [ExitCode::History, ExitCode::Usage, ExitCode::Usage, ExitCode::Locked]);
        let partly = Error::Partly { applied: vec!["V9".to_owned()], unfinished: None, cause: Box::new(locked) };
        assert_eq!(ExitCode::from(&partly), ExitCode::Locked);
    }
}
