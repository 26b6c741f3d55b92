//! Colours. They are taken out again where the output is no terminal, or `NO_COLOR` is set.

use anstyle::{AnsiColor, Style};

pub const BAD: Style = AnsiColor::Red.on_default().bold();
pub const WARNING: Style = AnsiColor::Yellow.on_default();
pub const GOOD: Style = AnsiColor::Green.on_default();

/// A text in a colour.
pub fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// A text that holds our colours and no other sequence that a terminal obeys.
pub fn safe(text: &str) -> String {
    let colours = [BAD, WARNING, GOOD].map(|style| format!("{style}{style:#}")).concat();
    let sequences: Vec<String> = colours.split('\u{1b}').skip(1).map(|sequence| format!("\u{1b}{sequence}")).collect();
    hacs_refinery::safe_output(text, &sequences).into_owned()
}
