//! Connection settings under libpq's names, whatever they came from.

use std::collections::BTreeMap;
use std::fmt;

use super::ConnectError;

/// libpq's keywords that mean something here, with the environment variable that gives each, where there is one.
const KNOWN: [(&str, &str); 27] = [
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("port", "PGPORT"),
    ("dbname", "PGDATABASE"),
    ("user", "PGUSER"),
    ("password", "PGPASSWORD"),
    ("passfile", "PGPASSFILE"),
    ("service", "PGSERVICE"),
    ("servicefile", "PGSERVICEFILE"),
    ("options", "PGOPTIONS"),
    ("application_name", "PGAPPNAME"),
    ("fallback_application_name", ""),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("sslnegotiation", "PGSSLNEGOTIATION"),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    ("keepalives", ""),
    ("keepalives_idle", ""),
    ("keepalives_interval", ""),
    ("keepalives_count", ""),
    ("tcp_user_timeout", ""),
];

/// Keywords of libpq that change nothing about who is spoken to and how safely: they are dropped.
const IGNORED: [&str; 7] =
    ["client_encoding", "gssdelegation", "gssencmode", "gsslib", "krbsrvname", "sslcompression", "sslsni"];

/// Settings by libpq keyword.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Keywords(BTreeMap<&'static str, String>);

impl Keywords {
    /// Sets a keyword; an empty value means that it is not set, as in libpq.
    pub(crate) fn set(&mut self, keyword: &str, value: &str) -> Result<(), ConnectError> {
        // JDBC and asyncpg write ssl=… where libpq says sslmode=…
        let (keyword, value) = match (keyword, value) {
            ("ssl", "true") => ("sslmode", "require"),
            ("ssl", "false") => ("sslmode", "disable"),
            ("ssl", mode) => ("sslmode", mode),
            other => other,
        };
        if IGNORED.contains(&keyword) {
            log::debug!("the connection setting {keyword} has no effect here");
            return Ok(());
        }
        let (known, _) = KNOWN
            .into_iter()
            .find(|(known, _)| *known == keyword)
            .ok_or_else(|| ConnectError::UnknownKeyword(keyword.to_owned()))?;
        if value.is_empty() {
            self.0.remove(known);
        } else {
            self.0.insert(known, value.to_owned());
        }
        Ok(())
    }

    pub(crate) fn get(&self, keyword: &str) -> Option<&str> {
        self.0.get(keyword).map(String::as_str)
    }

    /// The elements of a setting that may be a list, such as `host` and `port`.
    pub(crate) fn list(&self, keyword: &str) -> Vec<&str> {
        self.get(keyword).map(|list| list.split(',').collect()).unwrap_or_default()
    }

    /// Takes over what is not set here.
    pub(crate) fn fill_from(&mut self, other: &Self) {
        for (keyword, value) in &other.0 {
            self.0.entry(keyword).or_insert_with(|| value.clone());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What libpq's environment variables say.
    pub(crate) fn from_env() -> Self {
        let set = |variable| std::env::var(variable).ok().filter(|value| !value.is_empty());
        let values = KNOWN.into_iter().filter(|(_, variable)| !variable.is_empty());
        Self(values.filter_map(|(keyword, variable)| Some((keyword, set(variable)?))).collect())
    }
}

impl fmt::Debug for Keywords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |keyword: &str, value: &str| if keyword == "password" { "***".into() } else { value.to_owned() };
        f.debug_map().entries(self.0.iter().map(|(k, v)| (k, shown(k, v)))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        let mut keywords = Keywords::default();
        keywords.set("password", "hunter2").unwrap();
        keywords.set("host", "db").unwrap();
        assert_eq!(format!("{keywords:?}"), r#"{"host": "db", "password": "***"}"#);
    }

    #[test]
    fn the_more_specific_source_wins() {
        let (mut first, mut second) = (Keywords::default(), Keywords::default());
        first.set("host", "a").unwrap();
        second.set("host", "b").unwrap();
        second.set("port", "1").unwrap();
        first.fill_from(&second);
        assert_eq!((first.get("host"), first.get("port")), (Some("a"), Some("1")));
    }

    #[test]
    fn an_unknown_keyword_is_named() {
        let error = Keywords::default().set("hots", "db").unwrap_err();
        assert!(error.to_string().contains("hots"), "{error}");
    }
}
