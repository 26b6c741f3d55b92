//! Text into documents: lines of NDJSON, the elements of a JSON array, or JSON values one after another.

use std::io::{self, BufRead};

/// No document may be longer: it is held in memory, and PostgreSQL keeps no value of more than a quarter of a gigabyte.
const LONGEST: usize = 64 << 20;

/// A document as it was written, on one line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Document {
    /// The line on which it begins, from 1.
    pub line: u64,
    pub text: Vec<u8>,
    /// It holds what no JSON has, and what would confuse COPY.
    pub broken: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Unknown,
    Lines,
    Values,
    Array,
}

/// Reads document by document.
pub(super) struct Documents<R> {
    reader: R,
    /// Line breaks so far.
    breaks: u64,
    form: Form,
}

/// How deep in objects, lists and texts a place in JSON is.
#[derive(Default)]
struct Nesting {
    depth: u32,
    in_text: bool,
    escaped: bool,
}

impl Nesting {
    fn step(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.in_text => self.escaped = true,
            b'"' => self.in_text = !self.in_text,
            b'{' | b'[' if !self.in_text => self.depth += 1,
            b'}' | b']' if !self.in_text => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    fn is_open(&self) -> bool {
        self.depth > 0 || self.in_text
    }
}

impl Document {
    /// Adds a byte; what stands for a space outside of texts becomes one, so that the document is one line.
    fn push(&mut self, byte: u8, nesting: &mut Nesting) {
        nesting.step(byte);
        if byte < b' ' {
            self.broken |= nesting.in_text || !matches!(byte, b'\n' | b'\r' | b'\t');
            self.text.push(b' ');
        } else {
            self.text.push(byte);
        }
    }
}

impl<R: BufRead> Documents<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, breaks: 0, form: Form::Unknown }
    }

    /// How many lines were read.
    pub(super) fn lines(&self) -> u64 {
        self.breaks
    }

    /// The next document, until there is none.
    pub(super) fn next(&mut self) -> io::Result<Option<Document>> {
        if self.form == Form::Unknown {
            return self.first();
        }
        let Some(byte) = self.skip_space()? else { return Ok(None) };
        match (self.form, byte) {
            (Form::Array, b']') => {
                self.reader.consume(1);
                self.form = Form::Values;
                self.next()
            }
            (Form::Lines, _) => Ok(Some(self.line()?)),
            _ => Ok(Some(self.value(Document { line: self.breaks + 1, ..Document::default() }, Nesting::default())?)),
        }
    }

    /// The first byte says whether it is a list, the first line whether its documents have a line each.
    fn first(&mut self) -> io::Result<Option<Document>> {
        if self.reader.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
            self.reader.consume(3);
        }
        self.form = Form::Values;
        match self.skip_space()? {
            None => Ok(None),
            Some(b'[') => {
                self.reader.consume(1);
                self.form = Form::Array;
                self.next()
            }
            Some(_) => {
                let line = self.line()?;
                let mut nesting = Nesting::default();
                line.text.iter().for_each(|byte| nesting.step(*byte));
                if nesting.is_open() {
                    return Ok(Some(self.value(line, nesting)?));
                }
                self.form = Form::Lines;
                Ok(Some(line))
            }
        }
    }

    /// The next byte that is no space, nor a comma between the elements of a list.
    fn skip_space(&mut self) -> io::Result<Option<u8>> {
        loop {
            let Some(byte) = self.peek()? else { return Ok(None) };
            match byte {
                b'\n' => self.breaks += 1,
                b' ' | b'\t' | b'\r' => {}
                b',' if self.form == Form::Array => {}
                _ => return Ok(Some(byte)),
            }
            self.reader.consume(1);
        }
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.reader.fill_buf()?.first().copied())
    }

    fn line(&mut self) -> io::Result<Document> {
        let mut document = Document { line: self.breaks + 1, ..Document::default() };
        let mut nesting = Nesting::default();
        loop {
            let buffer = self.reader.fill_buf()?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
            part.iter().for_each(|byte| document.push(*byte, &mut nesting));
            let (read, last) = (part.len(), buffer.is_empty());
            self.reader.consume(read);
            check_length(&document)?;
            if last || end.is_some() {
                return Ok(document);
            }
        }
    }

    /// Goes on with a value until it is closed.
    fn value(&mut self, mut document: Document, mut nesting: Nesting) -> io::Result<Document> {
        loop {
            let Some(byte) = self.peek()? else { return Ok(document) };
            // a number or a word ends where something else begins
            let scalar = !nesting.is_open() && !document.text.is_empty();
            if scalar && (byte.is_ascii_whitespace() || matches!(byte, b',' | b'[' | b']' | b'{')) {
                return Ok(document);
            }
            self.breaks += u64::from(byte == b'\n');
            self.reader.consume(1);
            document.push(byte, &mut nesting);
            check_length(&document)?;
            if !nesting.is_open() && matches!(byte, b'}' | b']' | b'"') {
                return Ok(document);
            }
        }
    }
}

fn check_length(document: &Document) -> io::Result<()> {
    if document.text.len() > LONGEST {
        return Err(io::Error::other(format!("line {}: a document of more than 64 MB", document.line)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<(u64, String, bool)> {
        // a buffer that ends in the middle of everything
        let mut documents = Documents::new(io::BufReader::with_capacity(3, text.as_bytes()));
        let mut found = Vec::new();
        while let Some(document) = documents.next().unwrap() {
            found.push((document.line, String::from_utf8(document.text).unwrap().trim().to_owned(), document.broken));
        }
        found
    }

    fn texts(text: &str) -> Vec<String> {
        split(text).into_iter().map(|(_, text, _)| text).collect()
    }

    #[test]
    fn lines_arrays_and_values_are_told_apart() {
        assert_eq!(texts("{\"a\": 1}\n\n{\"b\": \"}{\"}\r\n"), ["{\"a\": 1}", "{\"b\": \"}{\"}"]);
        assert_eq!(texts("\u{feff} [{\"a\": [1]}, {\"b\": \"],\\\"\"}]"), ["{\"a\": [1]}", "{\"b\": \"],\\\"\"}"]);
        assert_eq!(texts("{\n \"a\": 1\n}\n{\n \"b\": 2 }"), ["{  \"a\": 1 }", "{  \"b\": 2 }"]);
        assert_eq!(texts("[\n1, null,{}]\n"), ["1", "null", "{}"]);
        assert_eq!(texts(" \n"), [] as [&str; 0]);
    }

    #[test]
    fn a_line_that_is_no_json_does_not_swallow_the_next() {
        let found = split("{\"a\": 1}\n{\"b\": \n{\"c\": 3}\n{\"d\": \"\u{1}\"}");
        let lines: Vec<_> = found.iter().map(|(line, _, broken)| (*line, *broken)).collect();
        assert_eq!(lines, [(1, false), (2, false), (3, false), (4, true)]);
    }

    #[test]
    fn a_line_break_in_a_text_is_no_json() {
        let found = split("{\n\"a\": \"x\ny\"}\n{\"b\": 1}");
        assert_eq!(found.iter().map(|(line, _, broken)| (*line, *broken)).collect::<Vec<_>>(), [(1, true), (4, false)]);
    }
}
