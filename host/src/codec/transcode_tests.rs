//! Tests of the transcoder, on data that CPython wrote and on data that nobody would.

use super::*;

fn json(data: &[u8]) -> Result<String> {
    let mut out = Vec::new();
    Reader::new(data, 10_000, &mut Work::alone()).json(&mut out, 10_000)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn references_are_copies() {
    // marshal.dumps([a, a], 4) with a = ["x", 1] shared.
    assert_eq!(json(b"[\x02\0\0\0\xdb\x02\0\0\0z\x01xi\x01\0\0\0r\0\0\0\0").unwrap(), r#"[["x",1],["x",1]]"#);
    // A shared int as a value and then as a key, and the reverse.
    assert_eq!(json(b"[\x02\0\0\0\xe9\x07\0\0\0{r\0\0\0\0N0").unwrap(), r#"[7,{"7":null}]"#);
    assert_eq!(json(b"{\xe9\x07\0\0\0r\0\0\0\0z\x01k\xfa\x01v0").unwrap(), r#"{"7":7,"k":"v"}"#);
    assert_eq!(json(b"[\x02\0\0\0\xdb\0\0\0\0{r\0\0\0\0N0"), Err(UNHASHABLE));
}

#[test]
fn cycles_and_chains_are_errors() {
    assert_eq!(json(b"\xdb\x01\0\0\0r\0\0\0\0"), Err(EncodeError::Cycle));
    assert_eq!(json(b"r\x05\0\0\0"), Err(EncodeError::Truncated));
    assert_eq!(json(b"[\x02\0\0\0\xa9\0\xf2\0\0\0\0"), Err(EncodeError::UnknownCode(0xf2)));
    // None, and others of which there is one, are not referred to.
    for code in *b"NTF.0" {
        let flagged = code | code::FLAG_REF;
        assert_eq!(json(&[flagged]), Err(EncodeError::UnknownCode(flagged)));
    }
}
