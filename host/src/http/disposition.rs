//! Names in a `Content-Disposition` that is not UTF-8. As in Starlette, its bytes are latin-1 then; multer finds no name in it.

use hyper::HeaderMap;
use hyper::header::CONTENT_DISPOSITION;

/// The value of a parameter, if the header is not UTF-8.
pub fn latin1(headers: &HeaderMap, parameter: &str) -> Option<String> {
    let bytes = headers.get(CONTENT_DISPOSITION)?.as_bytes();
    if std::str::from_utf8(bytes).is_ok() {
        return None;
    }
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    parameters(&text).find(|(name, _)| name.eq_ignore_ascii_case(parameter)).map(|(_, value)| value)
}

/// The names and values after the type, such as `form-data; name="a"; filename=b`.
fn parameters(text: &str) -> impl Iterator<Item = (String, String)> {
    let (mut rest, mut is_quoted, mut parts) = (text.chars(), false, vec![String::new()]);
    while let Some(c) = rest.next() {
        let Some(part) = parts.last_mut() else { break };
        match c {
            // An escaped character keeps its backslash until the quotes are taken off.
            '\\' if is_quoted => part.extend(['\\'].into_iter().chain(rest.next())),
            ';' if !is_quoted => parts.push(String::new()),
            c => {
                is_quoted ^= c == '"';
                part.push(c);
            }
        }
    }
    parts.into_iter().skip(1).filter_map(|part| {
        let (name, value) = part.split_once('=')?;
        Some((name.trim().to_owned(), unquoted(value.trim())))
    })
}

/// Only a quote is escaped: Windows sends paths as they are.
fn unquoted(value: &str) -> String {
    match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
        Some(inside) => inside.replace("\\\"", "\""),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    /// Starlette 1.10 with the same headers.
    #[test]
    fn names_that_are_not_utf_8_are_latin_1() {
        let found = |header: &[u8], parameter: &str| {
            let value = HeaderValue::from_bytes(header).unwrap();
            latin1(&HeaderMap::from_iter([(CONTENT_DISPOSITION, value)]), parameter)
        };
        let some = |text: &str| Some(text.to_owned());
        let header = b"form-data; name=\"f\"; filename=\"\xe9; \\\"x\\\".txt\"";
        assert_eq!(found(header, "filename"), some("\u{e9}; \"x\".txt"));
        assert_eq!(found(header, "name"), some("f"));
        assert_eq!(found(b"form-data; FileName=\xff.txt ; name=f", "filename"), some("\u{ff}.txt"));
        assert_eq!(found(b"form-data; name=\"\xff", "filename"), None);
        assert_eq!(found("form-data; filename=\"é\"".as_bytes(), "filename"), None, "multer reads it");
    }
}
