//! A database of its own on each node of a Citus cluster.

use std::sync::atomic::{AtomicUsize, Ordering};

use postgres::{Client, Config, NoTls};

use crate::database::{Ended, ended, quoted, tool};

/// A database on the coordinator and the workers, with the extension, dropped with this value.
pub struct Cluster {
    pub name: String,
    coordinator: Config,
    workers: Vec<Config>,
}

/// The URL of the coordinator, where there is one; else it is told what was not run.
pub fn url(what: &str) -> Option<Config> {
    match std::env::var("TEST_CITUS_URL") {
        Ok(url) if !url.is_empty() => Some(url.parse().expect("TEST_CITUS_URL")),
        _ => {
            println!("NOT RUN: {what}, since TEST_CITUS_URL names no coordinator of Citus");
            None
        }
    }
}

fn connect(config: &Config, database: &str) -> Client {
    config.clone().dbname(database).connect(NoTls).expect("the node lets us in")
}

impl Cluster {
    /// With few parts of each table, which is quick.
    pub fn empty(what: &str) -> Option<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let coordinator = url(what)?;
        let home = coordinator.get_dbname().unwrap_or("postgres").to_owned();
        let nodes = connect(&coordinator, &home)
            .query("select nodename, nodeport, groupid = 0 from pg_dist_node where isactive order by groupid", &[])
            .unwrap();
        let names: Vec<(String, i32)> = nodes.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert!(names.len() > 2, "a coordinator and two workers are registered in {home}: {names:?}");
        let worker = |(host, port): &(String, i32)| {
            let mut config = Config::new();
            config.host(host).port(u16::try_from(*port).unwrap()).dbname(&home);
            config.user(coordinator.get_user().unwrap_or("postgres"));
            coordinator.get_password().map(|password| config.password(password));
            config
        };
        let name = format!("hacs_citus_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let workers: Vec<Config> = names[1..].iter().map(worker).collect();
        let cluster = Self { name, coordinator, workers };
        for node in std::iter::once(&cluster.coordinator).chain(&cluster.workers) {
            let create = format!("create database {} template template0", quoted(&cluster.name));
            connect(node, &home).batch_execute(&create).expect("a database");
            connect(node, &cluster.name).batch_execute("create extension citus").expect("Citus");
        }
        let mut client = cluster.client();
        client.execute("select citus_set_coordinator_host($1, $2)", &[&names[0].0, &names[0].1]).unwrap();
        for (host, port) in &names[1..] {
            client.execute("select citus_add_node($1, $2)", &[host, port]).unwrap();
        }
        let parts = format!("alter database {} set citus.shard_count = 4", quoted(&cluster.name));
        client.batch_execute(&parts).unwrap();
        Some(cluster)
    }

    pub fn migrated(what: &str) -> Option<Self> {
        let cluster = Self::empty(what)?;
        let end = cluster.run(&["migrate", "-q"]);
        assert_eq!(end.code, Some(0), "{end:?}");
        Some(cluster)
    }

    pub fn distributed(what: &str) -> Option<Self> {
        let cluster = Self::migrated(what)?;
        let end = cluster.run(&["distribute"]);
        assert_eq!(end.code, Some(0), "{end:?}");
        Some(cluster)
    }

    pub fn client(&self) -> Client {
        connect(&self.coordinator, &self.name)
    }

    /// A connection to the first worker.
    pub fn on_worker(&self) -> Client {
        connect(&self.workers[0], &self.name)
    }

    pub fn conninfo(&self) -> String {
        conninfo(&self.coordinator, &self.name)
    }

    pub fn worker(&self) -> String {
        conninfo(&self.workers[0], &self.name)
    }

    pub fn run(&self, args: &[&str]) -> Ended {
        run(&self.conninfo(), args)
    }

    /// One value of one row, as text.
    pub fn text(&self, query: &str) -> String {
        text(&mut self.client(), query)
    }

    /// The error of a statement.
    pub fn refused(&self, sql: &str) -> postgres::error::DbError {
        let error = self.client().batch_execute(sql).expect_err(sql);
        error.as_db_error().unwrap_or_else(|| panic!("{sql}: {error}")).clone()
    }
}

pub fn run(conninfo: &str, args: &[&str]) -> Ended {
    let mut command = tool(args);
    ended(command.env("DATABASE_URL", conninfo).output().expect("the tool runs"))
}

pub fn text(client: &mut Client, query: &str) -> String {
    let messages = client.simple_query(query).unwrap_or_else(|error| panic!("{query}: {error:?}"));
    let mut rows = messages.iter().filter_map(|message| match message {
        postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("null").to_owned()),
        _ => None,
    });
    rows.next().unwrap_or_else(|| panic!("{query}: no row"))
}

fn conninfo(config: &Config, name: &str) -> String {
    let host = match &config.get_hosts()[0] {
        postgres::config::Host::Tcp(name) => name.clone(),
        postgres::config::Host::Unix(path) => path.display().to_string(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let mut text = format!("host={host} port={port} user={} dbname={name}", config.get_user().unwrap_or("postgres"));
    if let Some(password) = config.get_password() {
        text += &format!(" password='{}'", String::from_utf8_lossy(password));
    }
    text
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let home = self.coordinator.get_dbname().unwrap_or("postgres").to_owned();
        let sql = format!("drop database if exists {} with (force)", quoted(&self.name));
        for node in std::iter::once(&self.coordinator).chain(&self.workers) {
            if let Ok(mut client) = node.clone().dbname(&home).connect(NoTls) {
                let _ = client.batch_execute(&sql);
            }
        }
    }
}
