//! The log, on standard error.

use std::io::Write;

use hacs_refinery::{safe_json, safe_lines};
use log::{LevelFilter, Record};

use super::args::{Args, Command, LogFormat};
use super::fleet::current;

/// Sends the log to standard error.
pub fn start(args: &Args) {
    let global = &args.global;
    let hidden = hides_statements(&args.command);
    let is_hidden = move |record: &Record<'_>| hidden && record.target().starts_with("tokio_postgres");
    super::signals::speak_json(global.log_format == LogFormat::Json);
    let level = match (global.quiet, global.verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "info",
        (false, 2) => "debug",
        (false, _) => "trace",
    };
    let asked = std::env::var_os("RUST_LOG").filter(|filter| !filter.is_empty());
    let filter = asked.as_ref().and_then(|filter| filter.to_str()).filter(|filter| is_filter(filter));
    let mut builder = env_logger::Builder::new();
    builder.parse_filters(filter.unwrap_or(level));
    builder.parse_write_style(&std::env::var("RUST_LOG_STYLE").unwrap_or_default());
    match global.log_format {
        LogFormat::Json => builder.format(move |out, record| {
            if is_hidden(record) {
                return Ok(());
            }
            let mut line = serde_json::json!({
                "time": out.timestamp_millis().to_string(),
                "level": record.level().as_str(),
                "target": record.target(),
                "message": record.args().to_string(),
            });
            if let (Some(name), Some(line)) = (current(), line.as_object_mut()) {
                line.insert("database".to_owned(), name.into());
            }
            writeln!(out, "{}", safe_json(&line.to_string()))
        }),
        LogFormat::Text => builder.format(move |out, record| {
            if is_hidden(record) {
                return Ok(());
            }
            let style = out.default_level_style(record.level());
            let (time, level, target) = (out.timestamp(), record.level(), record.target());
            let of = current().map(|name| format!("{name}: ")).unwrap_or_default();
            let message = format!("{of}{}", record.args());
            writeln!(out, "[{time} {style}{level:<5}{style:#} {target}] {}", safe_lines(&message))
        }),
    };
    builder.init();
    if asked.is_some() && filter.is_none() {
        log::warn!("RUST_LOG is not used: it is no list of levels, such as debug or hacs_refinery=trace");
    }
}

/// Whether the statements of a command hold ids and values of patients, or what was given as a pattern: the client's
/// own log would show them.
fn hides_statements(command: &Command) -> bool {
    let fleet = match command {
        Command::Import(_) | Command::Export(_) => return true,
        Command::Migrate(of) => &of.fleet,
        Command::Status { fleet, .. } | Command::Verify { fleet, .. } => fleet,
        _ => return false,
    };
    fleet.all_databases.is_some()
}

/// Whether a filter can be read. The logger itself would show what it cannot read.
fn is_filter(text: &str) -> bool {
    let is_target = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "_:- ".contains(c));
    text.split(',').all(|part| match part.split_once('=') {
        Some((target, level)) => is_target(target) && (level.is_empty() || level.trim().parse::<LevelFilter>().is_ok()),
        None => is_target(part),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_list_of_levels() {
        for filter in ["trace", "hacs_refinery=debug,tokio_postgres=off", "warn, hacs_refinery::connect=TRACE"] {
            assert!(is_filter(filter), "{filter}");
        }
        for other in ["postgresql://u:p@h/d", "a=b", "debug=hunter2", "a=info=b"] {
            assert!(!is_filter(other), "{other}");
        }
    }
}
