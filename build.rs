//! Makes cargo notice a migration that was added or removed; changed ones it notices by itself.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
