//! Text of others (a server, a history, names and comments in a catalogue) as it may be shown. A terminal obeys what
//! lies in it, and whoever reads a log takes a forged line for one of ours.

use std::borrow::Cow;

/// One line: whatever is no plain character is written as `\\u{…}`, line breaks too.
#[must_use]
pub fn safe_line(text: &str) -> Cow<'_, str> {
    escaped(text, |_, _| false)
}

/// Several lines, of which all but the first are indented, so that none can pass for one of ours.
#[must_use]
pub fn safe_lines(text: &str) -> Cow<'_, str> {
    let text = escaped(text, |c, _| c == '\n' || c == '\t');
    if text.contains('\n') { Cow::Owned(text.replace('\n', "\n    ")) } else { text }
}

/// What goes to a terminal or into a log, as the last step: colours of our own stay, the rest is escaped. What comes
/// from others has been through one of the two above where it was put in; this is for what was forgotten.
#[must_use]
pub fn safe_output<'a>(text: &'a str, colours: &[String]) -> Cow<'a, str> {
    escaped(text, |c, rest| c == '\n' || c == '\t' || colours.iter().any(|colour| rest.starts_with(colour.as_str())))
}

/// JSON, as the last step: the same, as JSON writes it. Between its strings are line breaks alone.
#[must_use]
pub fn safe_json(json: &str) -> Cow<'_, str> {
    let units = |c: char| c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect();
    replaced(json, |c, _| c == '\n', units)
}

fn escaped(text: &str, stays: impl Fn(char, &str) -> bool) -> Cow<'_, str> {
    replaced(text, stays, |c| c.escape_unicode().to_string())
}

/// `stays` is asked for each character that is not plain, with the text from there on.
fn replaced(text: &str, stays: impl Fn(char, &str) -> bool, by: impl Fn(char) -> String) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if is_plain(c) || stays(c, text.get(at..).unwrap_or_default()) {
            safe.push(c);
        } else {
            safe += &by(c);
        }
    }
    Cow::Owned(safe)
}

/// Neither a control character nor one that is not seen, or turns the direction of what is.
fn is_plain(c: char) -> bool {
    !(c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown_and_not_sent() {
        assert_eq!(safe_line("Zoë's «table» 表"), "Zoë's «table» 表");
        assert_eq!(safe_line("a\x1b[2Jb\r\nc\u{9b}d\u{202e}e\x7f"), r"a\u{1b}[2Jb\u{d}\u{a}c\u{9b}d\u{202e}e\u{7f}");
        assert_eq!(safe_lines("a\n[2026] ERROR\x07"), "a\n    [2026] ERROR\\u{7}");
    }

    #[test]
    fn our_own_colours_stay_and_no_others() {
        let colours = ["\x1b[1m".to_owned(), "\x1b[0m".to_owned()];
        assert_eq!(safe_output("\x1b[1mbad\x1b[0m\x1b[8m\n", &colours), "\x1b[1mbad\x1b[0m\\u{1b}[8m\n");
    }

    #[test]
    fn json_stays_json() {
        let value = serde_json::json!({ "name": "a\x1b\u{9b}\u{202e}\u{e0001}\n" });
        let text = serde_json::to_string_pretty(&value).unwrap();
        let safe = safe_json(&text);
        assert!(safe.chars().all(|c| is_plain(c) || c == '\n'), "{safe}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
    }
}
