//! Connection settings under libpq's names, whatever they came from.

use std::collections::BTreeMap;

use super::ConnectError;
use super::vocabulary::{self, LIBPQ, Meaning, Other};

/// What a setting stood in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Url,
    List,
}

/// Settings by libpq keyword. There is no `Debug`: a password may stand in any of them.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Keywords {
    values: BTreeMap<&'static str, String>,
    /// A part of a password may have been taken for something else: nothing is shown.
    doubtful: bool,
}

impl Keywords {
    /// Sets a keyword of libpq. An empty value keeps the environment out, as in libpq.
    pub(crate) fn set(&mut self, keyword: &str, value: &str) -> Result<(), ConnectError> {
        let (keyword, value) = translated(keyword, value);
        let (known, ..) = vocabulary::libpq(keyword).ok_or_else(|| ConnectError::unknown(None, None))?;
        self.values.insert(known, value.to_owned());
        Ok(())
    }

    /// The same for a name that somebody wrote. In a URL, settings of other programs are left out.
    pub(crate) fn set_or_leave_out(&mut self, keyword: &str, value: &str, form: Form) -> Result<(), ConnectError> {
        if vocabulary::libpq(translated(keyword, value).0).is_some() {
            return self.set(keyword, value);
        }
        // After a password, or what may be one, a name may be a part of it.
        let safe = !self.doubtful && !self.values.contains_key("password");
        let shown = super::shown::keyword(keyword).filter(|_| safe);
        match vocabulary::other(keyword) {
            Other::Listed(name) => log::warn!("the connection setting {name} is another program's: it is left out"),
            Other::Harmless if safe && form == Form::Url => {
                let name = shown.map_or_else(|| "with a name that libpq does not have".to_owned(), str::to_owned);
                log::warn!("the connection setting {name} is another program's: it is left out");
            }
            Other::Harmless => return Err(ConnectError::unknown(shown, None)),
            Other::Unknown { meant } => return Err(ConnectError::unknown(shown, meant.filter(|_| safe))),
        }
        Ok(())
    }

    /// Says that nothing of these settings may be shown.
    pub(crate) fn doubt(&mut self) {
        self.doubtful = true;
    }

    pub(crate) fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    /// The value, where there is one that is not empty.
    pub(crate) fn get(&self, keyword: &str) -> Option<&str> {
        self.given(keyword).filter(|value| !value.is_empty())
    }

    /// The value, which may be empty.
    pub(crate) fn given(&self, keyword: &str) -> Option<&str> {
        self.values.get(keyword).map(String::as_str)
    }

    /// The elements of a setting that may be a list, such as `host` and `port`.
    pub(crate) fn list(&self, keyword: &str) -> Vec<&str> {
        self.get(keyword).map(|list| list.split(',').collect()).unwrap_or_default()
    }

    /// Takes over what is not set here.
    pub(crate) fn fill_from(&mut self, other: &Self) {
        for (keyword, value) in &other.values {
            self.values.entry(keyword).or_insert_with(|| value.clone());
        }
    }

    /// What libpq's environment variables say.
    pub(crate) fn from_env() -> Result<Self, ConnectError> {
        let mut keywords = Self::default();
        for (keyword, variable, _) in LIBPQ.into_iter().filter(|(_, variable, _)| !variable.is_empty()) {
            if let Some(value) = super::source::variable(variable)? {
                let (keyword, value) = translated(keyword, &value);
                keywords.values.entry(keyword_of_libpq(keyword)).or_insert_with(|| value.to_owned());
            }
        }
        Ok(keywords)
    }

    /// Refuses what is not supported here, and values that can only be a mistake.
    pub(crate) fn examine(&self) -> Result<(), ConnectError> {
        for (keyword, value) in self.values.iter().filter(|(_, value)| !value.is_empty()) {
            match vocabulary::libpq(keyword) {
                Some((known, _, Meaning::Refused(but))) if !but.contains(&value.as_str()) => {
                    return Err(ConnectError::NotSupported(known));
                }
                Some((_, _, Meaning::NoEffect)) => log::debug!("the connection setting {keyword} has no effect here"),
                _ => super::mistakes::in_value(keyword, value)?,
            }
        }
        Ok(())
    }
}

/// JDBC and asyncpg write `ssl=…` where libpq says `sslmode=…`; libpq itself once said `requiressl=1`.
fn translated<'a>(keyword: &'a str, value: &'a str) -> (&'a str, &'a str) {
    match (keyword, value) {
        ("ssl", "true") => ("sslmode", "require"),
        ("ssl", "false") => ("sslmode", "disable"),
        ("ssl", mode) => ("sslmode", mode),
        ("requiressl", value) if value.starts_with('1') => ("sslmode", "require"),
        ("requiressl", _) => ("sslmode", "prefer"),
        other => other,
    }
}

fn keyword_of_libpq(keyword: &str) -> &'static str {
    vocabulary::libpq(keyword).map_or("", |(known, ..)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_specific_source_wins_even_with_nothing() {
        let (mut first, mut second) = (Keywords::default(), Keywords::default());
        first.set("host", "a").unwrap();
        first.set("dbname", "").unwrap();
        for (keyword, value) in [("host", "b"), ("port", "1"), ("dbname", "c")] {
            second.set(keyword, value).unwrap();
        }
        first.fill_from(&second);
        assert_eq!((first.get("host"), first.get("port"), first.get("dbname")), (Some("a"), Some("1"), None));
    }

    #[test]
    fn an_unknown_keyword_is_named_where_it_can_be_no_part_of_a_password() {
        let told = |keywords: &mut Keywords, keyword, form| match keywords.set_or_leave_out(keyword, "x", form) {
            Ok(()) => "left out".to_owned(),
            Err(error) => error.to_string(),
        };
        let mut keywords = Keywords::default();
        assert!(told(&mut keywords, "hots", Form::Url).contains(r#""hots""#));
        assert!(told(&mut keywords, "surplus", Form::List).contains(r#""surplus""#));
        assert!(!told(&mut keywords, "sslHunter2", Form::Url).contains("Hunter2"));
        assert_eq!(told(&mut keywords, "surplus", Form::Url), "left out");
        keywords.set("password", "a").unwrap();
        for keyword in ["surplus", "hots"] {
            let told = told(&mut keywords, keyword, Form::Url);
            assert!(told.contains("libpq") && !told.contains(keyword), "{told}");
        }
        assert_eq!(told(&mut keywords, "schema", Form::List), "left out");
    }

    #[test]
    fn what_is_not_supported_is_refused_but_where_it_asks_for_nothing() {
        for (keyword, value, taken) in [
            ("require_auth", "scram-sha-256", false),
            ("sslcrldir", "", true),
            ("gssencmode", "require", false),
            ("gssencmode", "prefer", true),
            ("replication", "false", true),
            ("replication", "database", false),
            ("min_protocol_version", "3.2", false),
            ("max_protocol_version", "latest", true),
            ("client_encoding", "LATIN1", true),
        ] {
            let mut keywords = Keywords::default();
            keywords.set(keyword, value).unwrap();
            assert_eq!(keywords.examine().is_ok(), taken, "{keyword}={value}");
        }
    }
}
