//! The databases of a server.

use crate::error::{Error, Result};
use crate::server::{Connection, Limit, Message, sql};

/// The names of the databases that take connections, are no templates, and match a pattern: `*` stands for any text,
/// `?` for one character, everything else for itself.
///
/// # Errors
///
/// [`Error::Database`] where the server does not answer.
pub fn databases(client: &mut impl Connection, pattern: &str) -> Result<Vec<String>> {
    client.limit(Limit::ANSWER);
    let mut message = Message::new();
    let at = message.ask(&format!(
        "select datname from pg_database where datallowconn and not datistemplate and datname like {} order by datname",
        sql::literal(&like(pattern))
    ));
    let answers = message.send(client).map_err(Error::during("listing the databases"))?;
    Ok(answers.rows(at).map(|row| row.string(0)).collect())
}

fn like(pattern: &str) -> String {
    let one = |c| match c {
        '*' => "%".to_owned(),
        '?' => "_".to_owned(),
        '%' | '_' | '\\' => format!("\\{c}"),
        other => other.to_string(),
    };
    pattern.chars().map(one).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_stars_and_question_marks_stand_for_others() {
        assert_eq!(super::like("hospital_*"), "hospital\\_%");
        assert_eq!(super::like("a?b%\\'"), "a_b\\%\\\\'");
    }
}
