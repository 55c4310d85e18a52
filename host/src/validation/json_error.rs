//! Where and why CPython's `json` stops at a body, which is what FastAPI reports. Runs only for a body that is refused,
//! once over it.

/// Position in characters, and the message. `None` if CPython would take the body, such as one with NaN.
pub fn json_error(body: &str) -> Option<(usize, &'static str)> {
    let mut scan = Scan { text: body.as_bytes(), at: 0 };
    let (at, message) = scan.document().err()?;
    Some((body.get(..at).unwrap_or(body).chars().count(), message))
}

/// Position in bytes, and the message.
type Scanned = Result<(), (usize, &'static str)>;

const VALUE: &str = "Expecting value";
const NAME: &str = "Expecting property name enclosed in double quotes";
const COMMA: &str = "Expecting ',' delimiter";

struct Scan<'t> {
    text: &'t [u8],
    at: usize,
}

/// An object or a list that is open.
#[derive(Clone, Copy, PartialEq)]
enum Open {
    Object,
    List,
}

impl Scan<'_> {
    fn document(&mut self) -> Scanned {
        let mut open = Vec::new();
        loop {
            self.space();
            let is_entered = match self.peek() {
                Some(b'{') => self.enter(Open::Object, &mut open)?,
                Some(b'[') => self.enter(Open::List, &mut open)?,
                Some(b'"') => {
                    self.string()?;
                    false
                }
                _ => {
                    self.scalar()?;
                    false
                }
            };
            if !is_entered && !self.leave(&mut open)? {
                break;
            }
        }
        self.space();
        if self.at < self.text.len() { Err((self.at, "Extra data")) } else { Ok(()) }
    }

    /// The start of a container. False if it is empty, and over.
    fn enter(&mut self, kind: Open, open: &mut Vec<Open>) -> Result<bool, (usize, &'static str)> {
        self.at += 1;
        self.space();
        let end = if kind == Open::Object { b'}' } else { b']' };
        if self.peek() == Some(end) {
            self.at += 1;
            return Ok(false);
        }
        if kind == Open::Object {
            self.name()?;
        }
        open.push(kind);
        Ok(true)
    }

    /// What follows a value: ends of containers, up to the start of the next value. False at the end of the document.
    fn leave(&mut self, open: &mut Vec<Open>) -> Result<bool, (usize, &'static str)> {
        while let Some(kind) = open.last().copied() {
            self.space();
            let (end, trailing) = match kind {
                Open::Object => (b'}', "Illegal trailing comma before end of object"),
                Open::List => (b']', "Illegal trailing comma before end of array"),
            };
            match self.peek() {
                Some(found) if found == end => {
                    self.at += 1;
                    open.pop();
                }
                Some(b',') => {
                    let comma = self.at;
                    self.at += 1;
                    self.space();
                    if self.peek() == Some(end) {
                        return Err((comma, trailing));
                    }
                    if kind == Open::Object {
                        self.name()?;
                    }
                    return Ok(true);
                }
                _ => return Err((self.at, COMMA)),
            }
        }
        Ok(false)
    }

    fn name(&mut self) -> Scanned {
        if self.peek() != Some(b'"') {
            return Err((self.at, NAME));
        }
        self.string()?;
        self.space();
        if self.peek() != Some(b':') {
            return Err((self.at, "Expecting ':' delimiter"));
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Scanned {
        let start = self.at;
        let unterminated = Err((start, "Unterminated string starting at"));
        self.at += 1;
        loop {
            match self.peek() {
                None => return unterminated,
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(..0x20) => return Err((self.at, "Invalid control character at")),
                Some(b'\\') => match self.text.get(self.at + 1) {
                    None => return unterminated,
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
                    Some(b'u') => {
                        let digits = self.text.get(self.at + 2..self.at + 6);
                        if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                            return Err((self.at + 1, "Invalid \\uXXXX escape"));
                        }
                        self.at += 6;
                    }
                    Some(_) => return Err((self.at, "Invalid \\escape")),
                },
                Some(_) => self.at += 1,
            }
        }
    }

    /// A name or a number; of one that goes on wrongly the right start is taken.
    fn scalar(&mut self) -> Scanned {
        let rest = &self.text[self.at..];
        let words: [&[u8]; 6] = [b"null", b"true", b"false", b"NaN", b"Infinity", b"-Infinity"];
        if let Some(word) = words.iter().find(|word| rest.starts_with(word)) {
            self.at += word.len();
            return Ok(());
        }
        let digits =
            |from: usize| rest[from.min(rest.len())..].iter().take_while(|b| b.is_ascii_digit()).count();
        let sign = usize::from(rest.first() == Some(&b'-'));
        let whole = if rest.get(sign) == Some(&b'0') { 1 } else { digits(sign) };
        if whole == 0 {
            return Err((self.at, VALUE));
        }
        let mut end = sign + whole;
        if rest.get(end) == Some(&b'.') && digits(end + 1) > 0 {
            end += 1 + digits(end + 1);
        }
        if matches!(rest.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(rest.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end + 1 + sign);
            if exponent > 0 {
                end += 1 + sign + exponent;
            }
        }
        self.at += end;
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// CPython 3.14's `json.loads` with the same texts.
    #[test]
    fn errors_are_those_of_cpython() {
        for (text, expected) in [
            ("{\"id\":1,}", Some((7, "Illegal trailing comma before end of object"))),
            ("nul", Some((0, "Expecting value"))),
            ("[1,]", Some((2, "Illegal trailing comma before end of array"))),
            ("[1 2]", Some((3, "Expecting ',' delimiter"))),
            ("{\"a\" 1}", Some((5, "Expecting ':' delimiter"))),
            ("{\"a\":}", Some((5, "Expecting value"))),
            ("{a:1}", Some((1, "Expecting property name enclosed in double quotes"))),
            ("\"abc", Some((0, "Unterminated string starting at"))),
            ("1 2", Some((2, "Extra data"))),
            ("{\"a\":1", Some((6, "Expecting ',' delimiter"))),
            ("[", Some((1, "Expecting value"))),
            ("{", Some((1, "Expecting property name enclosed in double quotes"))),
            ("tru", Some((0, "Expecting value"))),
            ("-", Some((0, "Expecting value"))),
            ("01", Some((1, "Extra data"))),
            ("1.", Some((1, "Extra data"))),
            ("1e", Some((1, "Extra data"))),
            ("\"\\x\"", Some((1, "Invalid \\escape"))),
            ("\"\n\"", Some((1, "Invalid control character at"))),
            ("[1,\n 2,\n]", Some((6, "Illegal trailing comma before end of array"))),
            ("{\"a\":1,\"b\"}", Some((10, "Expecting ':' delimiter"))),
            ("\"\\u12\"", Some((2, "Invalid \\uXXXX escape"))),
            ("{\"é\":x}", Some((5, "Expecting value"))),
            ("\"é\" x", Some((4, "Extra data"))),
            ("{\"a\":nul}", Some((5, "Expecting value"))),
            (" nul", Some((1, "Expecting value"))),
            ("[nul]", Some((1, "Expecting value"))),
            ("{\"a\":1 \"b\":2}", Some((7, "Expecting ',' delimiter"))),
            ("{\"a\":\"x}", Some((5, "Unterminated string starting at"))),
            ("{\"a\":-}", Some((5, "Expecting value"))),
            ("{\"a\":1.}", Some((6, "Expecting ',' delimiter"))),
            ("{\"a\":01}", Some((6, "Expecting ',' delimiter"))),
            ("{,}", Some((1, "Expecting property name enclosed in double quotes"))),
            ("{\"a\":1,,}", Some((7, "Expecting property name enclosed in double quotes"))),
            ("[,]", Some((1, "Expecting value"))),
            ("", Some((0, "Expecting value"))),
            ("   ", Some((3, "Expecting value"))),
            ("{\"a\":\"\u{1}\"}", Some((6, "Invalid control character at"))),
            ("{'a':1}", Some((1, "Expecting property name enclosed in double quotes"))),
            ("{\"a\":1}}", Some((7, "Extra data"))),
            ("{\"a\":tru}", Some((5, "Expecting value"))),
            ("{\"a\":\"\\u12g4\"}", Some((7, "Invalid \\uXXXX escape"))),
            ("[[[", Some((3, "Expecting value"))),
            ("{\"a\":[1,}", Some((8, "Expecting value"))),
            ("{\"a\":1e}", Some((6, "Expecting ',' delimiter"))),
            ("{\"a\":.5}", Some((5, "Expecting value"))),
            ("{\"a\":+1}", Some((5, "Expecting value"))),
            ("[1,2", Some((4, "Expecting ',' delimiter"))),
            ("\"\\", Some((0, "Unterminated string starting at"))),
            ("\"\\u", Some((2, "Invalid \\uXXXX escape"))),
            ("{\"a\":1, }", Some((6, "Illegal trailing comma before end of object"))),
            ("[1, ]", Some((2, "Illegal trailing comma before end of array"))),
            ("{\"a\":1,b}", Some((7, "Expecting property name enclosed in double quotes"))),
            ("[1.5e+]", Some((4, "Expecting ',' delimiter"))),
            ("[-x]", Some((1, "Expecting value"))),
            ("{\"a\"", Some((4, "Expecting ':' delimiter"))),
            ("{\"a\":", Some((5, "Expecting value"))),
            ("[NaN", Some((4, "Expecting ',' delimiter"))),
            ("[Infinity,}", Some((10, "Expecting value"))),
            ("{\"a\":{\"b\":[}}", Some((11, "Expecting value"))),
        ] {
            assert_eq!(json_error(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_an_error_within_it_or_none(text in "[\\[\\]{}:,\"\\\\nutrefals0-9.e+ -]{0,40}") {
            if let Some((at, _)) = json_error(&text) {
                prop_assert!(at <= text.chars().count());
            }
            // What is JSON has no error.
            if serde_json::from_str::<serde_json::Value>(&text).is_ok() {
                prop_assert_eq!(json_error(&text), None);
            }
        }
    }
}
