//! Where the statements of an SQL script begin and end.
//!
//! For error reports, and for migrations outside a transaction; else the server itself splits what it executes.

use squawk_lexer::{TokenKind, tokenize};

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
    // depth of `begin atomic … end` and of parentheses, as a rule has them: semicolons in them end no statement
    let mut depth = 0_usize;
    let mut parentheses = 0_usize;
    let mut previous_word = "";
    let mut rest = 0;

    for token in tokenize(script) {
        let at = rest..rest + token.len as usize;
        rest = at.end;
        match token.kind {
            TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment { .. } => continue,
            TokenKind::Semi if depth == 0 && parentheses == 0 => {
                statements.extend(start.take().map(|start| Statement { start, end }));
                previous_word = "";
                continue;
            }
            TokenKind::OpenParen => parentheses += 1,
            TokenKind::CloseParen => parentheses = parentheses.saturating_sub(1),
            _ => {}
        }
        let word = if token.kind == TokenKind::Ident { &script[at.clone()] } else { "" };
        let is = |name: &str| word.eq_ignore_ascii_case(name);
        if is("atomic") && previous_word.eq_ignore_ascii_case("begin") || depth > 0 && is("case") {
            depth += 1;
        } else if depth > 0 && is("end") {
            depth -= 1;
        }
        previous_word = word;
        start.get_or_insert(at.start);
        end = at.end;
    }
    statements.extend(start.map(|start| Statement { start, end }));
    statements
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
            "select U&'d;\\0061', u&\"d;\\0061\", N'a;b', b'1;', x'f;'",
            "select 1 -- until;\r + 1",
            "create rule r as on insert to t do also (insert into u values (1); notify v;)",
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
