//! `seal`.

use std::fmt::Write;

use hacs_refinery::seals::{Sealed, seal};
use hacs_refinery::{Result, safe_line};

use super::args::Args;
use super::json::versioned;
use super::{Done, connect_to, signals};

/// Carries it out.
pub fn run(args: &Args, json: bool) -> Result<Done> {
    let run = signals::begin(None);
    let sealed = seal(&mut connect_to(args, &run)?, &run.standing())?;
    Ok(Done::success(if json { versioned(&sealed) } else { lines(&sealed) }))
}

fn lines(sealed: &Sealed) -> String {
    let mut text = String::new();
    let known = |text: &Option<String>| text.as_deref().map(|text| safe_line(text).into_owned());
    let _ = writeln!(text, "Made         {} seal{}", sealed.seals, if sealed.seals == 1 { "" } else { "s" });
    if let (Some(number), Some(at), Some(digest)) = (sealed.newest, known(&sealed.sealed_at), known(&sealed.digest)) {
        let _ = writeln!(text, "Newest       {number} of {at}, digest {digest}");
    }
    let _ = match known(&sealed.complete_until) {
        _ if sealed.not_sealed == 0 => writeln!(text, "Not sealed   nothing"),
        Some(since) => writeln!(text, "Not sealed   {} numbers, since {since}", sealed.not_sealed),
        None => writeln!(text, "Not sealed   {} numbers, all there are", sealed.not_sealed),
    };
    if sealed.waits_for > 0 {
        let since = known(&sealed.waits_since).map_or_else(String::new, |since| format!(", the oldest since {since}"));
        let _ = writeln!(text, "Waits for    {} open transactions with changes{since}", sealed.waits_for);
    }
    text
}
