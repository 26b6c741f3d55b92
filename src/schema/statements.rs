//! Where the statements of an SQL script begin and end.
//!
//! For error reports, and for migrations outside a transaction; else the server itself splits what it executes.

/// A statement of a script, by its byte offsets; leading white space and comments and the final `;` are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    pub start: usize,
    pub end: usize,
}

impl Statement {
    pub(crate) fn text(self, script: &str) -> &str {
        &script[self.start..self.end]
    }
}

/// The statements of a script in order, with `standard_conforming_strings` on.
pub(crate) fn split(script: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut start = None;
    let mut end = 0;
    // depth of `begin atomic … end`, whose inner semicolons end no statement of the script
    let mut depth = 0_usize;
    let mut previous_word = "";
    let mut rest = 0;

    while let Some(token) = next_token(script, rest) {
        rest = token.end;
        match token.kind {
            Kind::Blank => continue,
            Kind::Semicolon if depth == 0 => {
                if let Some(start) = start.take() {
                    statements.push(Statement { start, end });
                }
                previous_word = "";
                continue;
            }
            Kind::Word => {
                let word = &script[token.start..token.end];
                let is = |name: &str| word.eq_ignore_ascii_case(name);
                if is("atomic") && previous_word.eq_ignore_ascii_case("begin") || depth > 0 && is("case") {
                    depth += 1;
                } else if depth > 0 && is("end") {
                    depth -= 1;
                }
                previous_word = word;
            }
            Kind::Semicolon | Kind::Other => previous_word = "",
        }
        start.get_or_insert(token.start);
        end = token.end;
    }
    statements.extend(start.map(|start| Statement { start, end }));
    statements
}

#[derive(Clone, Copy)]
enum Kind {
    Blank,
    Semicolon,
    Word,
    Other,
}

struct Token {
    kind: Kind,
    start: usize,
    end: usize,
}

fn next_token(script: &str, start: usize) -> Option<Token> {
    let text = &script[start..];
    let first = text.chars().next()?;
    let word_len = text.find(|c: char| !is_word(c)).unwrap_or(text.len());
    let quoted = |len| (Kind::Other, len);
    let (kind, len) = match first {
        ';' => (Kind::Semicolon, 1),
        '\'' => quoted(quoted_len(text, '\'', false)),
        '"' => quoted(quoted_len(text, '"', false)),
        'e' | 'E' if text[1..].starts_with('\'') => quoted(1 + quoted_len(&text[1..], '\'', true)),
        '$' => quoted(dollar_len(text)),
        '-' if text.starts_with("--") => (Kind::Blank, text.find('\n').map_or(text.len(), |at| at + 1)),
        '/' if text.starts_with("/*") => (Kind::Blank, comment_len(text)),
        c if c.is_whitespace() => (Kind::Blank, c.len_utf8()),
        c if is_word(c) => (Kind::Word, word_len),
        c => (Kind::Other, c.len_utf8()),
    };
    Some(Token { kind, start, end: start + len })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

/// Length of a text that begins with `quote`; a doubled quote stands for itself.
fn quoted_len(text: &str, quote: char, backslash_escapes: bool) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && backslash_escapes {
            chars.next();
        } else if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return at + c.len_utf8();
        }
    }
    text.len()
}

/// Length of `$tag$ … $tag$`, or 1 where the dollar opens no quotation.
fn dollar_len(text: &str) -> usize {
    let Some(tag_end) = text[1..].find('$') else { return 1 };
    let tag = &text[..tag_end + 2];
    let name = &tag[1..tag.len() - 1];
    if name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(|c| is_word(c) && c != '$') {
        return 1;
    }
    text[tag.len()..].find(tag).map_or(text.len(), |at| tag.len() + at + tag.len())
}

/// Length of a comment in `/* … */`, which may hold others.
fn comment_len(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(script: &str) -> Vec<&str> {
        split(script).into_iter().map(|s| s.text(script)).collect()
    }

    #[test]
    fn semicolons_end_statements_and_comments_belong_to_none() {
        assert_eq!(
            texts("-- first;\nselect 1;\n/* a /* nested; */ one */ select 2 ; ;\n select 3 -- last"),
            ["select 1", "select 2", "select 3"]
        );
    }

    #[test]
    fn semicolons_inside_quotations_end_nothing() {
        for statement in [
            "select ';'",
            "select 'it''s; fine'",
            r"select E'a\';b'",
            r"select '\', 1",
            "select \"odd;name\"",
            "do $$ begin; end $$",
            "do $body$ select ';$$;' $body$",
            "select $1, a$b$c",
            "select 'größer; 日本' -- ünï;\n + 1",
        ] {
            assert_eq!(texts(&format!("{statement};select 2")), [statement, "select 2"]);
        }
    }

    #[test]
    fn a_function_body_in_begin_atomic_is_one_statement() {
        let function = "create function f() returns int begin atomic select case when true then 1 end; select 2; end";
        assert_eq!(texts(&format!("{function}; select 3")), [function, "select 3"]);
    }

    #[test]
    fn what_is_never_closed_reaches_to_the_end() {
        for script in ["select 'open; x", "select $a$ open; x", "select \"open; x"] {
            assert_eq!(texts(script), [script]);
        }
        assert_eq!(texts("/* open; x"), [""; 0]);
    }

    #[test]
    fn the_embedded_migrations_hold_no_transaction_control() {
        for migration in crate::schema::embedded::migrations() {
            let script = migration.sql().unwrap();
            for statement in split(script) {
                let first = statement.text(script).split_whitespace().next().unwrap().to_lowercase();
                let forbidden = ["begin", "commit", "rollback", "start", "savepoint", "release", "abort", "end"];
                assert!(!forbidden.contains(&first.as_str()), "{migration}: {first}");
            }
        }
    }
}
