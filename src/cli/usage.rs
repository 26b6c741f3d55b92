//! What is said about a command line that is not understood: which part of it, and never its text. It may be a URL.

use std::ffi::OsString;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use super::args::{Args, NO_DURATION, NO_NUMBER, NO_VERSION, NOT_COUNTED};
use super::export::{NO_MOMENT, NO_TYPE};

/// Help and version as they are; an error without whatever was typed.
pub fn told(error: &Error, given: &[OsString]) -> String {
    if !error.use_stderr() {
        return error.render().ansi().to_string();
    }
    let ours = |kind| error.get(kind).and_then(text);
    let place = [ContextKind::InvalidArg, ContextKind::InvalidSubcommand, ContextKind::InvalidValue]
        .into_iter()
        .filter_map(ours)
        .find_map(|typed| place(&typed, given));
    let place = place.map(|place| format!(" (number {place})")).unwrap_or_default();
    // What clap calls the argument is its own name only where it knows the argument.
    let argument = ours(ContextKind::InvalidArg).filter(|name| is_ours(name)).map(|name| format!("'{name}'"));
    let argument = argument.unwrap_or_else(|| "an argument".to_owned());
    let what = match error.kind() {
        ErrorKind::UnknownArgument => {
            format!("an argument{place} is not known; it is not shown, as it may hold a password")
        }
        ErrorKind::InvalidSubcommand => {
            format!("the command{place} is not known; it is not shown, as it may hold a password")
        }
        ErrorKind::InvalidUtf8 => "an argument is not UTF-8".to_owned(),
        ErrorKind::NoEquals => format!("{argument} needs an = before its value"),
        ErrorKind::ArgumentConflict => conflict(&argument, ours(ContextKind::PriorArg)),
        ErrorKind::TooManyValues | ErrorKind::WrongNumberOfValues | ErrorKind::TooFewValues => {
            format!("{argument} has not the number of values that it takes")
        }
        ErrorKind::MissingRequiredArgument => format!("{argument} is missing"),
        ErrorKind::InvalidValue if ours(ContextKind::InvalidValue).is_none_or(|value| value.is_empty()) => {
            format!("a value is required for {argument}, but none was given")
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            format!("the value of {argument} cannot be used{}", why(error))
        }
        // Only where no command is given: its text is the help.
        _ if ours(ContextKind::InvalidValue).is_none() && ours(ContextKind::InvalidArg).is_none() => {
            return error.render().ansi().to_string();
        }
        _ => "the command line cannot be understood".to_owned(),
    };
    format!("error: {what}\n{}{}\nFor more information, try '--help'.\n", choices(error), usage(error))
}

fn conflict(argument: &str, with: Option<String>) -> String {
    match with.filter(|with| is_ours(with)) {
        Some(with) if argument.trim_matches('\'') == with => format!("{argument} is given twice"),
        Some(with) => format!("{argument} cannot be used with '{with}'"),
        None => format!("{argument} cannot be used with another argument, or twice"),
    }
}

/// Our own reason, if it was our own look at the value that failed.
fn why(error: &Error) -> String {
    use std::error::Error as _;
    let reasons = [NO_DURATION, NO_NUMBER, NO_VERSION, NOT_COUNTED, NO_TYPE, NO_MOMENT];
    let source = error.source().map(ToString::to_string).unwrap_or_default();
    reasons.into_iter().find(|reason| *reason == source).map(|reason| format!(": {reason}")).unwrap_or_default()
}

/// What could have been meant, in our own words.
fn choices(error: &Error) -> String {
    let mut text = String::new();
    let tips = [
        (ContextKind::SuggestedArg, "argument"),
        (ContextKind::SuggestedSubcommand, "command"),
        (ContextKind::SuggestedValue, "value"),
    ];
    for (kind, noun) in tips {
        if let Some(tip) = error.get(kind).and_then(text_of_first) {
            text += &format!("  tip: there is a similar {noun}: '{tip}'\n");
        }
    }
    if let Some(ContextValue::Strings(values)) = error.get(ContextKind::ValidValue)
        && !values.is_empty()
    {
        text += &format!("  possible values: {}\n", values.join(", "));
    }
    text
}

fn usage(error: &Error) -> String {
    match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => format!("\n{usage}\n"),
        _ => String::new(),
    }
}

/// The position on the command line, from 1.
fn place(typed: &str, given: &[OsString]) -> Option<usize> {
    let is_it = |argument: &OsString| {
        argument
            .to_str()
            .and_then(|a| a.strip_prefix(typed))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    };
    given.iter().rposition(is_it).map(|index| index + 1)
}

/// Whether a name is that of an argument of this program.
fn is_ours(name: &str) -> bool {
    let mut command = Args::command();
    command.build();
    let known = |command: &clap::Command| command.get_arguments().any(|argument| argument.to_string() == name);
    known(&command) || command.get_subcommands().any(known)
}

fn text(value: &ContextValue) -> Option<String> {
    match value {
        ContextValue::String(text) => Some(text.clone()),
        other => text_of_first(other),
    }
}

fn text_of_first(value: &ContextValue) -> Option<String> {
    match value {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => texts.first().cloned(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn what_was_typed_is_told_by_its_place_and_never_shown() {
        for (line, expected) in [
            ("hunter2x", "the command (number 1) is not known"),
            ("migrat", "a similar command: 'migrate'"),
            ("status -d hunter2x hunter2x", "an argument (number 4) is not known"),
            ("help hunter2x", "the command (number 2) is not known"),
            ("status --hunter2x=a", "an argument (number 2) is not known"),
            ("verify --jsn=hunter2x", "a similar argument: '--json'"),
            ("status --wait hunter2x", "the value of '--wait <DURATION>' cannot be used: a time is written as"),
            ("migrate --target hunter2x", "'--target <N>' cannot be used: a version is written as 3"),
            ("show hunter2x", "a version is written as V3"),
            ("export --type hunter2x", "'--type <TYPE>' cannot be used: a type is written as Patient"),
            ("export --since 'hunter2x", "a moment is written as 2026-01-31T12:00:00Z"),
            ("status --log-format hunter2x", "possible values: text, json"),
            ("status --quiet=hunter2x", "'--quiet' has not the number of values"),
            ("status -d hunter2x -d hunter2x", "'--database-url <URL>' is given twice"),
            ("status -d", "a value is required for '--database-url <URL>'"),
            ("plan --json --sql", "'--json' cannot be used with '--sql'"),
            ("-xhunter2x", "an argument is not known"),
        ] {
            let given: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let error = Args::try_parse_from([OsString::from("hacs-refinery")].iter().chain(&given)).unwrap_err();
            let text = told(&error, &given);
            assert!(text.contains(expected) && !text.contains("hunter2"), "{line}: {text}");
        }
    }
}
