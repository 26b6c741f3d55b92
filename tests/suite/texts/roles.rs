//! `deploy/roles.sql`: the roles of the examples, with their passwords, and what each may do then.

use std::fs;
use std::process::Command;

use crate::database::{Database, Ended, ended, tool};
use crate::server::{self, Server};

const PASSWORDS: [(&str, &str); 4] = [
    ("MIGRATOR", "m@ss/w:rd%&'\"\\"),
    ("APP", "a pass $(id) `id` word"),
    ("AUDITOR", "u';drop role hacs_app;--"),
    ("SEALER", "s{é}:'x'"),
];

/// A server on TCP that asks for passwords, and logs every statement.
struct Site {
    server: Server,
    database: Database,
}

impl Site {
    fn new() -> Self {
        let mut server = Server::start_with_tcp(&[
            "log_statement = 'all'",
            "log_min_duration_statement = 0",
            "log_min_duration_sample = 0",
            "log_transaction_sample_rate = 1",
        ]);
        server.write("data/pg_hba.conf", "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n");
        server.restart();
        let database = Database::on(&server);
        Self { server, database }
    }

    fn script(&self, name: &str, args: &[&str], variables: &[(&str, &str)]) -> Ended {
        let mut psql = Command::new(server::bindir().join("psql"));
        for who in ["MIGRATOR", "APP", "AUDITOR", "SEALER"] {
            psql.env_remove(format!("{who}_PASSWORD")).env_remove(format!("{who}_PASSWORD_FILE"));
        }
        psql.args(["-X", "-q", "-d", &self.database.conninfo(), "-f", name]).args(args);
        ended(psql.envs(variables.iter().copied()).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap())
    }

    /// The tool, logged in over TCP with a password.
    fn run_as(&self, who: &str, password: &str, args: &[&str]) -> Ended {
        let role = format!("hacs_{}", who.to_lowercase());
        let url = format!("host=127.0.0.1 port={} user={role} dbname={}", self.server.port, self.database.name);
        ended(tool(args).env("DATABASE_URL", url).env("PGPASSWORD", password).output().unwrap())
    }

    fn roles(&self) -> String {
        self.database.text("select coalesce(string_agg(rolname, ' ' order by rolname), 'none') from pg_roles where rolname like 'hacs\\_%'")
    }
}

#[test]
fn the_roles_are_made_with_their_passwords_which_no_log_shows_and_each_may_do_its_work_alone() {
    let site = Site::new();
    let named = PASSWORDS.map(|(who, password)| (format!("{who}_PASSWORD"), password));
    let variables: Vec<(&str, &str)> = named.iter().map(|(name, password)| (name.as_str(), *password)).collect();
    for missing in 0..3 {
        let mut some = variables.clone();
        some.remove(missing);
        let end = site.script("deploy/roles.sql", &[], &some);
        assert!(end.code == Some(3) && end.stderr.contains("a password is missing, so no role was made"), "{end:?}");
        assert_eq!(site.roles(), "none");
    }
    let end = site.script("deploy/roles.sql", &[], &variables[..3]);
    assert!(end.code == Some(0) && end.stderr.is_empty(), "{end:?}");
    assert_eq!(site.roles(), "hacs_app hacs_auditor hacs_migrator");

    // The sealer may come later; his password from a file, as a secret is mounted.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sealer_password");
    fs::write(&file, format!("{}\n", PASSWORDS[3].1)).unwrap();
    let with_file = [&variables[..3], &[("SEALER_PASSWORD_FILE", file.to_str().unwrap())]].concat();
    for _ in 0..2 {
        let end = site.script("deploy/roles.sql", &[], &with_file);
        assert!(end.code == Some(0) && end.stderr.is_empty(), "{end:?}");
        assert_eq!(site.roles(), "hacs_app hacs_auditor hacs_migrator hacs_sealer");
    }
    let plain = "select count(*) from pg_roles where rolname like 'hacs\\_%' and rolcanlogin
        and not (rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls)";
    assert_eq!(site.database.text(plain), "4");

    let run = |at: usize, args: &[&str]| site.run_as(PASSWORDS[at].0, PASSWORDS[at].1, args);
    for (who, _) in PASSWORDS {
        assert_eq!(site.run_as(who, "password", &["status"]).code, Some(3), "{who} logs in with another password");
    }
    assert_eq!(run(0, &["migrate"]).code, Some(0));
    let grants = ["-v", "app_role=hacs_app", "-v", "auditor_role=hacs_auditor", "-v", "sealer_role=hacs_sealer"];
    let end = site.script("scripts/grant-app-role.sql", &grants, &[]);
    assert_eq!(end.code, Some(0), "{end:?}");
    let mut app = site.database.client_as("hacs_app");
    app.batch_execute("insert into hacs_core.patients (id, family) values ('p', 'P')").unwrap();
    assert!(app.batch_execute("select from hacs_audit.resource_changes").is_err());
    assert!(site.database.client_as("hacs_sealer").batch_execute("select from hacs_core.patients").is_err());
    let end = run(3, &["seal"]);
    assert!(end.code == Some(0) && end.stdout.starts_with("Made         1 seal\n"), "{end:?}");
    let end = run(2, &["verify", "--seals"]);
    assert!(end.code == Some(0) && end.stdout.contains("Seals       intact"), "{end:?}");
    assert_eq!((run(1, &["seal"]).code, run(2, &["seal"]).code), (Some(1), Some(1)));
    assert_eq!(run(1, &["migrate"]).code, Some(1));

    let log = fs::read_to_string(site.server.dir.join("log")).unwrap();
    assert!(log.contains("create role") || log.contains("hacs_migrator"), "nothing is logged");
    for (who, password) in PASSWORDS {
        let quoted = password.replace('\'', "''");
        assert!(!log.contains(password) && !log.contains(&quoted), "the log has the password of {who}");
    }
}
