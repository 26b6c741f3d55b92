//! libpq's `keyword=value` form.

use std::iter::Peekable;
use std::str::Chars;

use super::ConnectError;
use super::keywords::{Form, Keywords};

/// `host=a user='b c'`: values in single quotes may hold spaces; a backslash takes the next character as it is.
pub(crate) fn parse(text: &str) -> Result<Keywords, ConnectError> {
    let mut keywords = Keywords::default();
    let mut chars = text.chars().peekable();
    skip_spaces(&mut chars);
    while chars.peek().is_some() {
        let mut keyword = String::new();
        while let Some(c) = chars.next_if(|c| *c != '=' && !is_space(*c)) {
            keyword.push(c);
        }
        skip_spaces(&mut chars);
        chars.next_if_eq(&'=').ok_or(ConnectError::Syntax("a setting has no ="))?;
        skip_spaces(&mut chars);
        let value = value(&mut chars)?;
        keywords.set_or_leave_out(&keyword, &value, Form::List)?;
        skip_spaces(&mut chars);
    }
    Ok(keywords)
}

fn value(chars: &mut Peekable<Chars<'_>>) -> Result<String, ConnectError> {
    let quoted = chars.next_if_eq(&'\'').is_some();
    let mut value = String::new();
    loop {
        match chars.next() {
            Some('\\') => value.extend(chars.next()),
            Some('\'') if quoted => return Ok(value),
            Some(c) if !quoted && is_space(c) => return Ok(value),
            Some(c) => value.push(c),
            None if quoted => return Err(ConnectError::Syntax("a quoted value is never closed")),
            None => return Ok(value),
        }
    }
}

fn skip_spaces(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|c| is_space(*c)).is_some() {}
}

/// As C has it.
fn is_space(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\u{b}'
}
