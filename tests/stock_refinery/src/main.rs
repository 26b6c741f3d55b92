//! Applies the files of `migrations/` with refinery alone, and prints the versions that it applied.

refinery::embed_migrations!("../../migrations");

fn main() {
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL");
    let mut client = postgres::Client::connect(&url, postgres::NoTls).expect("a connection");
    let mut runner = migrations::runner();
    runner.set_migration_table_name("hacs_admin.migrations");
    let report = runner.run(&mut client).expect("a run");
    let versions: Vec<String> = report.applied_migrations().iter().map(|m| m.version().to_string()).collect();
    println!("{}", versions.join(" "));
}
