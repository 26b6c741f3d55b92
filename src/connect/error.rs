//! Why there is no connection.

use thiserror::Error;

use crate::server::Failure;

/// Why there is no connection. No text of it holds a password: what is not understood is not shown.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nothing says where the database is.
    #[error("no database is given: set --database-url, DATABASE_URL, or libpq's PGHOST, PGDATABASE, …")]
    NotConfigured,
    /// Two variables name a database.
    #[error("both DATABASE_URL and DATABASE_URL_FILE are set; set one of them")]
    TwoUrls,
    /// The file that is to hold the URL holds nothing.
    #[error("the file of DATABASE_URL_FILE{0} is empty")]
    EmptyFile(String),
    /// A variable or a file has bytes that are no text.
    #[error("{0} is not UTF-8; in a URL, other bytes are written as %XX")]
    NotUtf8(&'static str),
    /// The URL is for something else.
    #[error("the database URL begins with {scheme}; it must be postgres:// or postgresql://",
        scheme = .0.map_or_else(|| "another scheme".to_owned(), |scheme| format!("{scheme}://")))]
    Scheme(Option<&'static str>),
    /// The connection string cannot be read.
    #[error("the connection string cannot be read: {0}")]
    Syntax(&'static str),
    /// A setting has an unusable value.
    #[error("the connection setting {0} cannot be used: {1}")]
    Value(&'static str, &'static str),
    /// A setting of libpq that is not supported here.
    #[error(
        "the connection setting {0} is not supported here, and leaving it out would change who is spoken to or how \
         safely; take it out of the connection string, the service file and the variables"
    )]
    NotSupported(&'static str),
    /// A setting that libpq does not know.
    #[error("{}", unknown_keyword(shown.as_deref(), *meant))]
    UnknownKeyword {
        /// Its name, where that cannot be a part of a password.
        shown: Option<String>,
        /// libpq's name that it is nearly.
        meant: Option<&'static str>,
    },
    /// No user is named, and the system has no name for the one of this process, as in a container with any user id.
    #[error(
        "no user is given, and the user id of this process has no name\n\
         NEXT: Name the role to log in as: in the URL, as in postgresql://role@host/database, or in PGUSER."
    )]
    NoUser,
    /// The service file has no such section.
    #[error(
        "no service file defines the service that is asked for; they are ~/.pg_service.conf, or what PGSERVICEFILE \
         names, and pg_service.conf in the directory of PGSYSCONFDIR"
    )]
    NoService,
    /// Verification is asked for, but against nothing.
    #[error(
        "sslmode asks to verify the server, but there is no root certificate; set sslrootcert to a file or to system"
    )]
    NoRootCertificate,
    /// A file that a setting names cannot be read.
    #[error("the file of {keyword}{file} cannot be read: {source}")]
    File {
        /// The setting.
        keyword: &'static str,
        /// The file between commas, where it is one.
        file: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Certificates or keys that the TLS library does not take.
    #[error("the TLS settings cannot be used: {0}")]
    Tls(native_tls::Error),
    /// The server could not be reached, or did not let us in.
    #[error("cannot connect to {server}: {failure}{hint}", hint = hint(failure, *heals))]
    Failed {
        /// Hosts and database, for people.
        server: String,
        /// What the last attempt met.
        failure: Failure,
        /// Whether the cause may pass by itself, so that [`Database::wait`](crate::Database::wait) tries again.
        heals: bool,
    },
}

impl ConnectError {
    /// Whether the settings are at fault, and no server was asked.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        !matches!(self, Self::Failed { .. })
    }

    pub(super) fn unknown(shown: Option<&str>, meant: Option<&'static str>) -> Self {
        Self::UnknownKeyword { shown: shown.map(str::to_owned), meant }
    }

    /// What was tried and what it met, without advice.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Failed { server, failure, .. } => format!("{server}: {failure}"),
            other => other.to_string(),
        }
    }

    /// Whether it says something about this host only. A host that answers is the right one, so that libpq asks no
    /// other then, unless it says that it takes no connections now.
    pub(super) fn is_host_alone(&self) -> bool {
        matches!(self, Self::Failed { failure, .. } if failure.sqlstate().is_none_or(|code| code == "57P03"))
    }
}

fn unknown_keyword(shown: Option<&str>, meant: Option<&str>) -> String {
    let name = shown.map_or_else(|| "of this name".to_owned(), |name| format!("{name:?}"));
    let meant = meant.map(|meant| format!("; {meant} is nearly the same")).unwrap_or_default();
    let hidden = if shown.is_some() { "" } else { " (its name is not shown: it may be a part of a password)" };
    format!("there is no connection setting {name}{hidden}; the names are libpq's{meant}")
}

/// What to do next about a failed connection.
fn hint(failure: &Failure, heals: bool) -> &'static str {
    match failure.sqlstate() {
        Some("28P01") => "\nHINT: Check user and password; a password can also come from PGPASSWORD or ~/.pgpass.",
        Some("28000") => {
            "\nHINT: The server's pg_hba.conf does not let this user in from here, or the role may not log in."
        }
        Some("3D000") => "\nHINT: Create the database first: createdb, or create database in psql.",
        Some("42501") => "\nHINT: Let the role in: grant connect on database … to the role.",
        Some("08P01") => {
            "\nHINT: A pooler or the server does not take what this connection asks for, such as options=…; leave it out, \
             or connect to the server itself."
        }
        Some("53300") => "\nHINT: The server has no free connection; --wait 1m tries again for that long.",
        Some("57P03") => "\nHINT: The server is starting up or shutting down; --wait 1m tries again for that long.",
        Some(_) => "",
        None => hint_without_answer(&failure.to_string(), heals),
    }
}

fn hint_without_answer(text: &str, heals: bool) -> &'static str {
    if text.contains("certificate") {
        "\nHINT: sslrootcert has to name the authority behind the server's certificate, and with sslmode=verify-full \
         the certificate has to name the host and be in date."
    } else if text.contains("does not support TLS") {
        "\nHINT: The server speaks no TLS: turn it on there, or ask for no more than sslmode=prefer."
    } else if text.contains("password missing") {
        "\nHINT: The server wants a password: give it in the URL, in PGPASSWORD, or in ~/.pgpass."
    } else if text.starts_with("the session is") || text.starts_with("the server is") {
        "\nHINT: target_session_attrs asks for another server, and none of the hosts is one."
    } else if heals {
        "\nHINT: Check that the server runs and that host and port are right; --wait 1m tries again for that long."
    } else {
        "\nHINT: Check that the server runs and that host, port and sslmode are right."
    }
}
