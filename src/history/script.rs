//! Several migrations as one message to the server, and the way back from an error to a file and line.

use crate::server::Message;

/// The savepoint before the migration at an index of a script.
pub(crate) fn savepoint(index: usize) -> String {
    format!("hacs_refinery_{index}")
}

/// A text made of parts that remembers where each part begins.
#[derive(Default)]
pub(crate) struct Script {
    text: String,
    /// For each migration, the offset in `text` at which its SQL begins.
    migrations: Vec<usize>,
}

impl Script {
    /// Adds a migration and the INSERT that records it.
    pub(crate) fn push(&mut self, sql: &str, record: &str) {
        let index = self.migrations.len();
        if let Some(before) = index.checked_sub(1) {
            self.text += &format!("release savepoint {};\n", savepoint(before));
        }
        // What another migration has set does not reach this one. The savepoint tells afterwards how far the script
        // came. The setting is read by the default of the history's `duration`.
        let settings = Message::of_run();
        self.text += &format!(
            "savepoint {};\n{}select set_config('hacs_refinery.migration_started', clock_timestamp()::text, true);\n",
            savepoint(index),
            settings.text()
        );
        self.migrations.push(self.text.len());
        self.text += sql;
        // A file may end in a comment without a line end.
        self.text += &format!("\n;\n{record};\n");
    }

    /// All of it as one message, with statements after it.
    pub(crate) fn message(&self, after: &[&str]) -> Message {
        let after = after.iter().fold(Message::within(), |message, statement| message.then(statement));
        Message::bare(&format!("{}{}", self.text, after.text()))
    }

    pub(crate) fn migrations(&self) -> usize {
        self.migrations.len()
    }

    /// Index of the migration, and byte offset in its SQL, at the server's position: characters from 1.
    pub(crate) fn find(&self, position: u32) -> Option<(usize, usize)> {
        let position = usize::try_from(position).ok()?.checked_sub(1)?;
        let (offset, _) = self.text.char_indices().nth(position)?;
        let index = self.migrations.iter().rposition(|start| *start <= offset)?;
        Some((index, offset - self.migrations.get(index)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::location::Location;
    use crate::schema::owned::OwnedMigration;
    use refinery::Migration;

    #[test]
    fn a_position_of_the_server_is_led_back_to_file_and_line() {
        let first = Migration::unapplied("V1__first.sql", "select 'ö';\n").unwrap();
        let second = Migration::unapplied("V2__second.sql", "-- ä\nselect 1;\n\nselect\n    wrong;\n").unwrap();
        let mut script = Script::default();
        for migration in [&first, &second] {
            script.push(migration.sql().unwrap(), "insert into h values (1)");
        }
        let at = script.text.find("wrong").unwrap();
        let position = script.text[..at].chars().count() + 1;

        let (index, offset) = script.find(u32::try_from(position).unwrap()).unwrap();

        assert_eq!(index, 1);
        let location = Location::at(&OwnedMigration::from(second.clone()), offset);
        assert_eq!(location.to_string(), "V2__second.sql, line 5");
        assert_eq!(location.statement.as_deref(), Some("select wrong"));
    }
}
