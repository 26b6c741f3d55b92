//! `sslmode`, certificates and passwords against servers with a private authority; psql is asked the same each time.

use std::fs;
use std::path::Path;
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::database::{Database, Ended, ended, tool};
use crate::server::{self, Server};

/// An authority, and what it signs.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "an authority of the tests");
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for a name with its key, both PEM; it may be out of date.
    fn sign(&self, name: &str, expired: bool) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        if expired {
            params.not_before = rcgen::date_time_ymd(2001, 1, 1);
            params.not_after = rcgen::date_time_ymd(2002, 1, 1);
        }
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// A server on TCP with these lines in pg_hba.conf, and a certificate where one is given.
fn server(hba: &str, certificate: Option<&(String, String)>, client_authority: Option<&Authority>) -> Server {
    let mut server = Server::start_with_tcp(&["password_encryption = 'scram-sha-256'"]);
    let conf = server.dir.join("data/postgresql.conf");
    let mut settings = fs::read_to_string(&conf).unwrap();
    if let Some((certificate, key)) = certificate {
        let (certificate, key) = (server.write("server.crt", certificate), server.write("server.key", key));
        settings +=
            &format!("ssl = on\nssl_cert_file = '{}'\nssl_key_file = '{}'\n", certificate.display(), key.display());
    }
    if let Some(authority) = client_authority {
        settings += &format!("ssl_ca_file = '{}'\n", server.write("ca.crt", &authority.pem).display());
    }
    fs::write(conf, settings).unwrap();
    fs::write(server.dir.join("data/pg_hba.conf"), format!("local all all trust\n{hba}\n")).unwrap();
    server.restart();
    // Whom lines with trust name: nobody who may do anything.
    server.config().connect(postgres::NoTls).unwrap().batch_execute("create role guest login").unwrap();
    server
}

/// A home without certificates and passwords.
fn home(command: &mut Command, home: &Path) -> Ended {
    ended(command.env("HOME", home).output().unwrap())
}

/// The tool's and psql's view of a connection string; they have to agree on whether it connects.
fn connects(url: &str, home_dir: &Path) -> Result<(), String> {
    let end = home(&mut tool(&["status", "-d", url]), home_dir);
    let mut psql = Command::new(server::bindir().join("psql"));
    psql.env_clear().env("LD_LIBRARY_PATH", server::bindir().join("../lib"));
    let psql = home(psql.args(["-X", "-w", "-c", "select 1", url]), home_dir);
    assert!([Some(0), Some(2), Some(3)].contains(&end.code), "{url}: {end:?}");
    assert_eq!(end.code == Some(0), psql.code == Some(0), "{url}: {end:?} but psql: {psql:?}");
    if end.code == Some(0) { Ok(()) } else { Err(end.stderr) }
}

const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

#[test]
fn each_sslmode_connects_to_each_kind_of_server_or_not_as_libpq_does() {
    let (authority, other) = (Authority::new(), Authority::new());
    let good = authority.sign("localhost", false);
    let expired = authority.sign("localhost", true);
    let both = "host all guest 127.0.0.1/32 trust";
    let plaintext = server(both, None, None);
    let encrypted = server(both, Some(&good), None);
    let only_encrypted = server("hostssl all guest 127.0.0.1/32 trust", Some(&good), None);
    let only_plain = server("hostnossl all guest 127.0.0.1/32 trust", Some(&good), None);
    let out_of_date = server("hostssl all guest 127.0.0.1/32 trust", Some(&expired), None);

    let files = tempfile::tempdir().unwrap();
    let (right, wrong) = (files.path().join("right.crt"), files.path().join("wrong.crt"));
    fs::write(&right, &authority.pem).unwrap();
    fs::write(&wrong, &other.pem).unwrap();
    let (right, wrong) = (format!("sslrootcert={}", right.display()), format!("sslrootcert={}", wrong.display()));

    // Server, name by which it is called, root certificate; y or n for each mode.
    let table = [
        ("plaintext only", &plaintext, "localhost", "", "yyyn  "),
        ("plaintext only", &plaintext, "localhost", &right, "yyynnn"),
        ("either, no root", &encrypted, "localhost", "", "yyyy  "),
        ("either, right root", &encrypted, "localhost", &right, "yyyyyy"),
        ("either, wrong name", &encrypted, "127.0.0.1", &right, "yyyyyn"),
        ("either, wrong root", &encrypted, "localhost", &wrong, "yyynnn"),
        ("TLS only, no root", &only_encrypted, "localhost", "", "nyyy  "),
        ("TLS only, right root", &only_encrypted, "localhost", &right, "nyyyyy"),
        ("TLS only, wrong name", &only_encrypted, "127.0.0.1", &right, "nyyyyn"),
        ("TLS only, wrong root", &only_encrypted, "localhost", &wrong, "nnnnnn"),
        ("refuses TLS users", &only_plain, "localhost", "", "yyyn  "),
        ("refuses TLS users", &only_plain, "localhost", &right, "yyynnn"),
        ("expired, no root", &out_of_date, "localhost", "", "nyyy  "),
        ("expired, right root", &out_of_date, "localhost", &right, "nnnnnn"),
    ];
    let mut wrong = Vec::new();
    for (what, server, host, root, expected) in table {
        // Without a root certificate the last two modes are a wrong setting: see below.
        for (mode, expected) in MODES.into_iter().zip(expected.trim_end().chars()) {
            let address = if host == "localhost" { "hostaddr=127.0.0.1 " } else { "" };
            let url =
                format!("host={host} {address}port={} user=guest dbname=postgres sslmode={mode} {root}", server.port);
            match (expected, connects(&url, files.path())) {
                ('y', Err(error)) => wrong.push(format!("{what}, {mode}: {error}")),
                ('n', Ok(())) => wrong.push(format!("{what}, {mode}: connected")),
                ('n', Err(error)) if !error.contains("\nHINT: ") => wrong.push(format!("no hint: {error}")),
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");

    let url = format!("host=localhost hostaddr=127.0.0.1 port={} user=guest sslmode=verify-full", encrypted.port);
    let end = home(&mut tool(&["status", "-d", &url]), files.path());
    assert_eq!(end.code, Some(2), "verification without a root certificate is a setting at fault: {end:?}");
    let system = home(&mut tool(&["status", "-d", &format!("{url} sslrootcert=system")]), files.path());
    assert_eq!(system.code, Some(3), "no public authority signed it: {system:?}");
}

#[test]
fn client_certificates_and_passwords_let_in_who_has_them() {
    let authority = Authority::new();
    let files = tempfile::tempdir().unwrap();
    let hba = "hostssl all by_certificate 127.0.0.1/32 cert clientcert=verify-full
        host all refused 127.0.0.1/32 reject
        host all all 127.0.0.1/32 scram-sha-256";
    let server = server(hba, Some(&authority.sign("localhost", false)), Some(&authority));
    let database = Database::on(&server);
    let sql = "create role by_certificate login; create role refused login;
        create role by_password login password 'gröber Unfug'; create role absent nologin password 'x'";
    database.client().batch_execute(sql).unwrap();

    let write = |name: &str, text: &str, mode| {
        let path = files.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        path.display().to_string()
    };
    let root = write("root.crt", &authority.pem, 0o644);
    let (certificate, key) = authority.sign("by_certificate", false);
    let (certificate, key) = (write("client.crt", &certificate, 0o644), write("client.key", &key, 0o600));
    let (foreign, foreign_key) = Authority::new().sign("by_certificate", false);
    let (foreign, foreign_key) = (write("foreign.crt", &foreign, 0o644), write("foreign.key", &foreign_key, 0o600));
    let base = format!(
        "host=localhost hostaddr=127.0.0.1 port={} dbname={} sslmode=verify-full sslrootcert={root}",
        server.port, database.name
    );
    let expect = |settings: &str, words: Option<&[&str]>| {
        let result = connects(&format!("{base} {settings}"), files.path());
        match (words, result) {
            (None, result) => assert_eq!(result, Ok(()), "{settings}"),
            (Some(words), Err(error)) => {
                words.iter().for_each(|words| assert!(error.contains(words), "{settings}: {words}: {error}"));
                assert!(!error.contains("Unfug"), "{error}");
            }
            (Some(_), Ok(())) => panic!("{settings}: connected"),
        }
    };
    expect(&format!("user=by_certificate sslcert={certificate} sslkey={key}"), None);
    // libpq's rule: a group may read a key that root owns, as a mounted secret with fsGroup is; no other.
    use std::os::unix::fs::MetadataExt;
    let by_root = fs::metadata(&key).unwrap().uid() == 0;
    let refused: &[&str] = &["sslkey cannot be used: others may read or change the file"];
    for (mode, taken) in [(0o400, true), (0o640, by_root), (0o440, by_root), (0o660, false), (0o644, false)] {
        fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        let settings = format!("user=by_certificate sslcert={certificate} sslkey={key}");
        expect(&settings, if taken { None } else { Some(refused) });
    }
    if by_root {
        let foreign = write("nobodys.key", &fs::read_to_string(&key).unwrap(), 0o640);
        std::os::unix::fs::chown(&foreign, Some(65534), Some(65534)).unwrap();
        let settings = format!("user=by_certificate sslcert={certificate} sslkey={foreign}");
        expect(&settings, Some(refused));
        fs::set_permissions(&foreign, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        expect(&settings, None);
    }
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    expect(&format!("user=by_certificate sslcert={certificate} sslkey={key} sslcertmode=disable"), Some(&["28000"]));
    expect("user=by_certificate", Some(&["(SQLSTATE 28000)", "HINT: The server's pg_hba.conf does not let"]));
    expect(&format!("user=by_certificate sslcert={foreign} sslkey={foreign_key}"), Some(&["HINT: "]));
    expect(&format!("user=other sslcert={certificate} sslkey={key}"), Some(&["HINT: "]));
    expect("user=by_password password='gröber Unfug'", None);
    expect("user=by_password password='gröber Unfug' channel_binding=require", None);
    expect(
        "user=by_password password='grober Unfug'",
        Some(&["password authentication failed", "(SQLSTATE 28P01)", "HINT: Check user and password"]),
    );
    expect("user=by_password", Some(&["password missing", "HINT: The server wants a password"]));
    expect("user=nobody_of_this_name password=x", Some(&["(SQLSTATE 28P01)"]));
    expect("user=refused password=x", Some(&["(SQLSTATE 28000)", "HINT: The server's pg_hba.conf"]));
    expect("user=absent password=x", Some(&["is not permitted to log in (SQLSTATE 28000)", "HINT: "]));

    // What cannot heal is not waited for.
    let url = format!("{base} user=by_password password=wrong");
    let start = std::time::Instant::now();
    let end = home(&mut tool(&["migrate", "--wait", "60s", "-d", &url]), files.path());
    assert_eq!(end.code, Some(3), "{end:?}");
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());

    // A signal's cancel takes the same way as the connection: it needs the certificates as well.
    let url = format!("{base} user=by_password password='gröber Unfug'");
    database.client().batch_execute(&format!("grant create on database {} to by_password", database.name)).unwrap();
    let end = home(&mut tool(&["migrate", "--target", "7", "-d", &url]), files.path());
    assert_eq!(end.code, Some(0), "{end:?}");
    let mut writer = database.client();
    writer.batch_execute("begin; lock table hacs_core.patients in row exclusive mode").unwrap();
    let mut waiting = tool(&["migrate", "-d", &url]);
    let waiting = waiting.env("HOME", files.path()).stdout(std::process::Stdio::piped());
    let waiting = waiting.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let blocked = "select exists (select from pg_stat_activity where wait_event_type = 'Lock')";
    database.until(blocked);
    server::signal(waiting.id(), "INT");
    let end = ended(waiting.wait_with_output().unwrap());
    assert_eq!(end.code, Some(130), "{end:?}");
    assert!(end.stderr.contains("canceling statement due to user request"), "{end:?}");
}

#[test]
fn on_a_unix_socket_there_is_no_tls_whatever_sslmode_says() {
    let database = crate::database::Database::empty();
    for mode in ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] {
        let end = ended(tool(&["status", "-d", &format!("{} sslmode={mode}", database.conninfo())]).output().unwrap());
        assert_eq!(end.code, Some(0), "{mode}: {end:?}");
    }
}
