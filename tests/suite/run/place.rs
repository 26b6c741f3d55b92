//! A database in which a stranger made things before the first run, or makes them beside it.

use crate::database::{Database, Ended, ended, tool};

/// A stranger who may create schemas, a migrator, and a mark that the stranger's code leaves when it runs as somebody
/// else.
pub struct Place {
    pub database: Database,
    pub stranger: String,
    pub migrator: String,
}

impl Place {
    pub fn new() -> Self {
        let database = Database::empty();
        let [stranger, migrator] = ["stranger", "migrator"].map(|role| format!("{role}_{}", database.name));
        let sql = format!(
            "create role {stranger} login; create role {migrator} login;
             grant create on database {name} to {stranger}, {migrator};
             grant create on schema public to {stranger};
             create sequence public.ran; grant all on sequence public.ran to public",
            name = database.name
        );
        database.client().batch_execute(&sql).unwrap();
        let place = Self { database, stranger, migrator };
        place.by_stranger(
            "create schema evil; grant usage on schema evil to public;
             create function evil.f() returns text language plpgsql volatile as $$
             begin
                 if current_user not like 'stranger%' then perform nextval('public.ran'); end if;
                 return 'x';
             end $$;
             create function evil.t() returns trigger language plpgsql as $$
             begin perform evil.f(); return new; end $$",
        );
        place
    }

    pub fn by_stranger(&self, sql: &str) {
        self.database.client_as(&self.stranger).batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    pub fn by_superuser(&self, sql: &str) {
        self.database.client().batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    pub fn run_as(&self, role: &str, args: &[&str]) -> Ended {
        let url = self.database.conninfo().replacen("user=postgres", &format!("user={role}"), 1);
        ended(tool(args).env("DATABASE_URL", url).output().unwrap())
    }

    pub fn nothing_foreign_ran(&self, what: &str) {
        assert_eq!(self.database.text("select is_called from public.ran"), "f", "foreign code ran: {what}");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for role in [&self.stranger, &self.migrator] {
            let _ = self.database.client().batch_execute(&format!("drop owned by {role} cascade; drop role {role}"));
        }
    }
}
