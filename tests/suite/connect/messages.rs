//! What a server says, byte by byte: the messages of PostgreSQL's protocol.

/// A message with its length.
pub fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    with_length(tag, i32::try_from(body.len() + 4).unwrap(), body)
}

/// A message with another length.
pub fn with_length(tag: u8, length: i32, body: &[u8]) -> Vec<u8> {
    [&[tag], &length.to_be_bytes()[..], body].concat()
}

pub fn authentication(kind: i32, rest: &[u8]) -> Vec<u8> {
    message(b'R', &[&kind.to_be_bytes()[..], rest].concat())
}

pub fn ok() -> Vec<u8> {
    authentication(0, b"")
}

pub fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

pub fn parameter(name: &str, value: &[u8]) -> Vec<u8> {
    message(b'S', &[name.as_bytes(), b"\0", value, b"\0"].concat())
}

/// An error or a notice of these fields.
pub fn fields(tag: u8, fields: &[(u8, &[u8])]) -> Vec<u8> {
    let mut body: Vec<u8> = fields.iter().flat_map(|(name, value)| [&[*name], *value, b"\0"].concat()).collect();
    body.push(0);
    message(tag, &body)
}

pub fn refusal(code: &str) -> Vec<u8> {
    fields(b'E', &[(b'S', b"ERROR"), (b'V', b"ERROR"), (b'C', code.as_bytes()), (b'M', b"the fake refuses")])
}

pub fn notice(text: &[u8]) -> Vec<u8> {
    fields(b'N', &[(b'S', b"NOTICE"), (b'V', b"NOTICE"), (b'C', b"00000"), (b'M', text)])
}

/// What a server says once it has let a client in.
pub fn logged_in() -> Vec<u8> {
    [ok(), parameter("server_version", b"17.0"), message(b'K', &[0, 0, 0, 7, 0, 0, 0, 9]), ready()].concat()
}

pub fn columns(names: &[&[u8]]) -> Vec<u8> {
    let mut body = u16::try_from(names.len()).unwrap().to_be_bytes().to_vec();
    for name in names {
        // table, column, type text, its size, modifier, format
        body.extend([name, &b"\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"[..]].concat());
    }
    message(b'T', &body)
}

pub fn row(values: &[Option<&[u8]>]) -> Vec<u8> {
    let mut body = u16::try_from(values.len()).unwrap().to_be_bytes().to_vec();
    for value in values {
        match value {
            None => body.extend((-1_i32).to_be_bytes()),
            Some(bytes) => {
                body.extend(i32::try_from(bytes.len()).unwrap().to_be_bytes());
                body.extend(*bytes);
            }
        }
    }
    message(b'D', &body)
}

pub fn done(tag: &str) -> Vec<u8> {
    message(b'C', &[tag.as_bytes(), b"\0"].concat())
}
