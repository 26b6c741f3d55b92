//! Migrations outside a transaction, between others, for the tests; and what they make.

use hacs_refinery::Options;
use refinery::Migration;

use crate::database::Database;

pub const MARK: &str = "-- hacs-refinery: no transaction\n";

/// The embedded migrations, and these from V100 on, far from HACS's own.
pub fn with(files: &[&str]) -> Options {
    let mut options = Options::default();
    for (index, sql) in files.iter().enumerate() {
        let name = format!("V{}__mine.sql", index + 100);
        options.migrations.push(Migration::unapplied(&name, sql).unwrap());
    }
    options
}

/// Before, outside, after.
pub fn three() -> [String; 3] {
    [
        "alter table hacs_core.patients add column ward text".to_owned(),
        format!(
            "-- Two indexes.\n{MARK}
             create index concurrently if not exists patients_ward_idx on hacs_core.patients (public.slowly(ward));
             comment on index hacs_core.patients_ward_idx is 'Patients of a ward';
             create unique index concurrently if not exists patients_phone_key on hacs_core.patients (public.slowly(phone));\n"
        ),
        "alter table hacs_core.patients alter column ward set default 'none'".to_owned(),
    ]
}

/// The function that makes it slow to index a row.
pub fn slowly(database: &Database, seconds: f64) {
    let sql = format!(
        "create or replace function public.slowly(text) returns text immutable language plpgsql
             as 'begin perform pg_sleep({seconds}); return $1; end'"
    );
    database.client().batch_execute(&sql).unwrap();
}

/// A migrated database with so many patients.
pub fn with_patients(rows: u32) -> Database {
    filled(Database::migrated(), rows)
}

pub fn filled(database: Database, rows: u32) -> Database {
    slowly(&database, 0.001);
    database
        .client()
        .batch_execute(&format!(
            "insert into hacs_core.patients (id, family, phone) select 'p' || n, 'F', 'tel ' || n from generate_series(1, {rows}) as s (n)"
        ))
        .unwrap();
    database
}

/// The versions beyond the embedded ones.
pub fn versions(database: &Database) -> String {
    database
        .text("select string_agg(version::text, ' ' order by version) from hacs_admin.migrations where version >= 100")
}

/// The indexes that the migrations make, and whether they can be used.
pub fn indexes(database: &Database) -> String {
    database.text(
        "select coalesce(string_agg(indexrelid::regclass || ' ' || indisvalid, ', ' order by indexrelid::regclass::text), 'none')
         from pg_index where indexrelid::regclass::text ~ 'patients_(ward|phone)'",
    )
}

/// What [`indexes`] says of a complete database.
pub const BOTH: &str = "hacs_core.patients_phone_key true, hacs_core.patients_ward_idx true";
