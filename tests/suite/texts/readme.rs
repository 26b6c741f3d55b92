//! The commands of README.md and of the documents that it was before: each is run, or stands in a script that runs it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::database::{Database, Ended, ended, tool};
use crate::server::{self, Server};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// In the order in which one database lives through them.
const DOCUMENTS: [&str; 9] = [
    "README.md",
    "docs/command-line.md",
    "docs/dba.md",
    "docs/backup.md",
    "docs/data.md",
    "docs/alerts.md",
    "docs/audit.md",
    "docs/containers.md",
    "docs/fleet.md",
];

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Language and text of each fenced block.
fn blocks(text: &str) -> Vec<(String, String)> {
    let fenced = text.split("\n```").skip(1).step_by(2);
    fenced.map(|block| block.split_once('\n').unwrap()).map(|(tag, text)| (tag.to_owned(), text.to_owned())).collect()
}

/// What stands between backticks outside of the blocks.
fn spans(text: &str) -> Vec<String> {
    let prose: Vec<&str> = text.split("\n```").step_by(2).collect();
    let spans = prose.iter().flat_map(|prose| prose.split('`').skip(1).step_by(2));
    spans.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

struct Reader {
    database: Database,
    /// A copy of the scripts, where commands run, and where no `.env` of the developer's counts.
    dir: tempfile::TempDir,
    /// How many commands were run here, and how many were found in a script.
    run: usize,
    found: usize,
}

impl Reader {
    fn new(server: &Server) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("scripts")).unwrap();
        for entry in fs::read_dir(Path::new(ROOT).join("scripts")).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, dir.path().join("scripts").join(path.file_name().unwrap())).unwrap();
        }
        Self { database: Database::on(server), dir, run: 0, found: 0 }
    }

    /// A program with the tool and the server's programs on its PATH, and the database in libpq's variables.
    fn command(&self, program: &str) -> Command {
        let tool = Path::new(env!("CARGO_BIN_EXE_hacs-refinery")).parent().unwrap().to_owned();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let dirs = [tool, server::bindir()].into_iter().chain(std::env::split_paths(&path));
        let mut command = Command::new(program);
        command.env_clear().env("PATH", std::env::join_paths(dirs).unwrap()).current_dir(self.dir.path());
        command.env("LD_LIBRARY_PATH", server::bindir().join("../lib")).stdin(Stdio::null());
        let conninfo = self.database.conninfo();
        for (key, variable) in [("host", "PGHOST"), ("port", "PGPORT"), ("user", "PGUSER")] {
            let value = conninfo.split(' ').find_map(|part| part.strip_prefix(&format!("{key}="))).unwrap();
            command.env(variable, value);
        }
        command.env("PGDATABASE", &self.database.name);
        command
    }

    fn sh(&mut self, line: &str) -> Ended {
        self.run += 1;
        let mut sh = self.command("sh");
        // What production has to have, and the name of the one database of a test.
        for name in ["POSTGRES_PASSWORD", "MIGRATOR_PASSWORD", "APP_PASSWORD", "AUDITOR_PASSWORD"] {
            sh.env(name, "hard to guess");
        }
        sh.args(["-ec", line]);
        let end = ended(sh.output().unwrap());
        assert_eq!(end.code, Some(0), "{line}: {end:?}");
        end
    }

    fn psql(&mut self, script: &str) -> Ended {
        let file = self.dir.path().join("script.sql");
        fs::write(&file, script).unwrap();
        let end = self.sh("psql -XqAt -v ON_ERROR_STOP=1 -f script.sql");
        assert_eq!(end.stderr, "", "{script}");
        end
    }

    /// With psycopg, which is fetched once where python has none.
    fn python(&mut self, text: &str) {
        fs::write(self.dir.path().join("program.py"), text).unwrap();
        let libraries = Path::new(ROOT).join("target/python");
        let run = format!(
            "export PYTHONPATH={0} HOME=/tmp
             python3 -c 'import psycopg' 2>/dev/null || python3 -m pip install -q --target {0} 'psycopg[binary]' >&2
             python3 program.py",
            libraries.display()
        );
        self.sh(&run);
    }

    /// A command line of a block.
    fn line(&mut self, line: &str) {
        let line = line.split("  #").next().unwrap().trim();
        let stands_in = |script: &str, text: &str| {
            let found = read(script).lines().any(|line| line.contains(text));
            assert!(found, "{script} does not run {text:?}");
        };
        match line.split(' ').next().unwrap() {
            "" => {}
            "hacs-refinery" => drop(self.sh(line)),
            "scripts/quickstart.sh" | "scripts/test.sh" => {
                stands_in(".ci/run", line);
                self.found += 1;
            }
            "docker" => {
                stands_in("scripts/test-containers.sh", &line.replace("docker compose ", "\"${compose[@]}\" "));
                self.found += 1;
            }
            "scripts/deploy-with-migrations.sh" if line.ends_with("--dry-run") => drop(self.sh(line)),
            "scripts/deploy-with-migrations.sh" => {
                stands_in("scripts/test-containers.sh", line);
                self.found += 1;
            }
            _ => panic!("no way is known to try this command: {line}"),
        }
    }

    fn block(&mut self, language: &str, text: &str) {
        match language {
            "sh" => text.lines().for_each(|line| self.line(line)),
            "sql" => drop(self.psql(text)),
            // Doc tests of src/lib.rs, and what scripts/test-moving.sh does in its own way.
            "rust,no_run" | "text" => {}
            "rust" => {
                assert!(read("examples/documents.rs").contains(text.trim_matches('\n')), "no example runs {text}")
            }
            "python" => self.python(text),
            "json" => assert_eq!(
                self.sh("hacs-refinery status --json").stdout,
                text.trim_start_matches('\n').to_owned() + "\n"
            ),
            "dockerfile" => {
                let tried = read("scripts/test-containers.sh").replace("$image", "hacs-migration");
                assert!(tried.contains(text), "scripts/test-containers.sh does not build with {text}");
                self.found += 1;
            }
            _ => panic!("no way is known to try a block of {language:?}:\n{text}"),
        }
    }

    /// Code in a sentence or a table: what is a command there is run as well, SQL without lasting effect.
    fn span(&mut self, span: &str) {
        let first = span.split(' ').next().unwrap();
        match first {
            "hacs-refinery" if span.contains(' ') && !span.contains("--help") => drop(self.sh(span)),
            "psql" => drop(self.sh(span)),
            "select" | "insert" | "set" | "grant" if span.contains(' ') => {
                let sql = span.replace("on database hacs ", &format!("on database {} ", self.database.name));
                self.psql(&format!("begin;\n{sql};\nrollback;\n"));
            }
            "cargo" => {
                assert!(read(".ci/run").contains(span), ".ci/run does not run {span}");
                self.found += 1;
            }
            _ if first.starts_with("scripts/") => assert!(self.dir.path().join(first).exists(), "there is no {first}"),
            _ => {}
        }
    }
}

#[test]
fn every_command_of_the_readme_and_of_its_documents_works() {
    // A server of its own: a seal waits for what other databases of a cluster are doing.
    let server = Server::start(&[]);
    let mut reader = Reader::new(&server);
    let mut client = reader.database.client();
    client.batch_execute("create role hacs_migrator; create role hacs_app; create role hacs_reader; create role hacs_auditor; create role hacs_sealer").unwrap();
    for document in DOCUMENTS {
        if document == "docs/audit.md" {
            let prepared = "create schema my; create table my.wards (id text primary key)";
            client.batch_execute(prepared).unwrap();
        }
        let text = read(document);
        if document == "docs/fleet.md" {
            let (_, list) = blocks(&text).into_iter().find(|(language, _)| language == "text").unwrap();
            fs::write(reader.dir.path().join("hospitals"), list).unwrap();
            client.batch_execute("create database hospital_1").unwrap();
            client.batch_execute("create database hospital_2").unwrap();
        }
        let (ran, found) = (reader.run, reader.found);
        for (language, block) in blocks(&text) {
            if let Some((_, quarter)) = block.split_once("detach_quarter('") {
                // A change of the quarter that goes.
                let old = format!(
                    "insert into hacs_audit.resource_changes
                         (changed_at, operation, schema_name, table_name, resource_type, resource_id)
                     values ('{}', 'INSERT', 's', 't', 'X', 'old');
                     select hacs_audit.ensure_partitions()",
                    &quarter[..10]
                );
                client.batch_execute(&old).unwrap();
            }
            reader.block(&language, &block);
        }
        for span in spans(&text) {
            reader.span(&span);
        }
        println!("{document}: {} run, {} found in scripts", reader.run - ran, reader.found - found);
        assert!(reader.run > ran, "{document}");
    }
    assert!(reader.run > 40 && reader.found >= 6, "{} {}", reader.run, reader.found);

    // What docs/audit.md says of a subscriber whose triggers fire for local writes alone.
    assert_eq!(reader.database.text("select string_agg(distinct audit, ' ') from hacs_audit.coverage"), "disabled");
    let verify = ended(tool(&["verify"]).env("DATABASE_URL", reader.database.conninfo()).output().unwrap());
    assert_eq!(verify.code, Some(7), "{verify:?}");
    assert!(verify.stdout.contains("trigger hacs_core.patients.audit_row\n"), "{verify:?}");
}

#[test]
fn the_gate_runs_what_the_readme_cannot_and_everything_with_all_features() {
    let gate = read(".ci/run");
    for script in
        ["scripts/quickstart.sh", "scripts/test.sh", "scripts/check-manifests.sh", "scripts/test-containers.sh"]
    {
        assert!(gate.lines().any(|line| line.trim() == script), "{script}");
    }
    // 3: nobody but root can make the user.
    assert!(gate.contains("\nscripts/test-newcomer.sh || [ $? = 3 ]\n"));
    let newcomer = read("scripts/test-newcomer.sh");
    for tried in [
        "useradd ",
        "umask 077",
        "CARGO_TARGET_DIR=",
        "nice -n 19",
        "start_cluster \"$place/tmp/hacs-quickstart-another\"",
        "load_each_core\ncheck \"a second time, on a busy machine, it ends well too\" as_newcomer scripts/quickstart.sh ",
        "load_each_core\n: >\"$place/said\"\ncheck \"test.sh ends well\" as_newcomer env HACS_TEST_FILTER=\"$filter\" scripts/test.sh\n",
    ] {
        assert!(newcomer.contains(tried), "scripts/test-newcomer.sh: {tried}");
    }
    // scripts/README.md says which of the tests it does not run; the suite itself runs test-migration.sh.
    for row in read("scripts/README.md").lines().filter(|row| row.starts_with("| `test-")) {
        let name = row.split('`').nth(1).unwrap();
        let runs = gate.contains(&format!("scripts/{name}")) || name == "test-migration.sh";
        assert_eq!(row.contains("not in the gate"), !runs, "{row}");
    }
    let tests = read("scripts/test.sh");
    for command in ["cargo clippy", "cargo test", "cargo doc"] {
        let line = tests.lines().find(|line| line.contains(command)).unwrap();
        assert!(line.contains("--all-features"), "{line}");
    }
    assert!(tests.contains("cargo clippy --locked --quiet --lib --bins"), "the library without features");
}

#[test]
fn the_exit_codes_of_the_readme_are_those_of_the_help() {
    let readme = read("README.md");
    let (_, table) = readme.split_once("| code | meaning |\n|---|---|\n").unwrap();
    let codes: Vec<&str> = table.lines().map_while(|line| line.strip_prefix("| ")?.split(" |").next()).collect();
    let help = ended(tool(&["--help"]).output().unwrap()).stdout;
    let (_, list) = help.split_once("Exit codes:\n").unwrap();
    let list = list.split("\n\n").next().unwrap();
    let of_help: Vec<&str> =
        list.lines().filter_map(|line| line.strip_prefix("  ")?.split_once("  ")).map(|(code, _)| code).collect();
    assert_eq!(codes, of_help);
}

#[test]
fn the_first_screen_says_what_it_is_for_whom_and_what_to_type_and_the_tables_come_after_what_it_prints() {
    let readme = read("README.md");
    let screen: Vec<&str> = readme.lines().take(45).collect();
    let screen = screen.join("\n");
    let order = [
        "makes the PostgreSQL database of HACS",
        "This project is for you if you",
        "## A database in one minute",
        "\ndocker compose up -d\n",
        "\nhacs-refinery migrate\n",
        "\nscripts/quickstart.sh\nscripts/test.sh\n",
        "\n```text\n",
    ];
    let places: Vec<usize> = order
        .iter()
        .map(|part| screen.find(part).unwrap_or_else(|| panic!("not on the first screen: {part}")))
        .collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(!screen.contains("|---"), "a table before what it prints");
    let cargo = read("Cargo.toml");
    let rust = cargo.split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(screen.contains(&format!("Rust {rust}")) && screen.contains("cargo install --path . --locked"), "{rust}");
    let (_, printed) = blocks(&readme).into_iter().find(|(language, _)| language == "text").unwrap();
    let migrated = Database::empty().run(&["migrate"]);
    let untimed = |line: &str| {
        let (before, after) = line.split_once(" applied in ").unwrap();
        format!("{before}; {}", after.split_once(" ms; ").unwrap().1)
    };
    assert_eq!(untimed(printed.trim()), untimed(migrated.stdout.lines().last().unwrap()));
}
