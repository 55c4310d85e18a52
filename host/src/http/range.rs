//! Which part of a file a request asks for: RFC 9110, 13.1.5 and 14.

use hyper::HeaderMap;
use hyper::header::{ETAG, HeaderValue, IF_RANGE, LAST_MODIFIED, RANGE};

/// The range that a request asks for, and the version that it has to be of.
#[derive(Debug, Default)]
pub struct RangeWanted {
    range: Option<HeaderValue>,
    if_range: Option<HeaderValue>,
}

/// What of a file is sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Selection {
    Whole,
    /// Both in bytes.
    Part {
        from: u64,
        length: u64,
    },
    /// The range is outside the file.
    Nothing,
}

impl RangeWanted {
    /// Only for GET: with other methods a range has no meaning.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut ranges = headers.get_all(RANGE).iter();
        let range = ranges.next().filter(|_| ranges.next().is_none());
        Self { range: range.cloned(), if_range: headers.get(IF_RANGE).cloned() }
    }

    /// Of a file of so many bytes. `response`: has its validators.
    pub fn select(&self, size: u64, response: &HeaderMap) -> Selection {
        let Some(Ok(range)) = self.range.as_ref().map(HeaderValue::to_str) else { return Selection::Whole };
        // A weak validator is no match, and neither is another time, be it earlier or later.
        let is_same = |known: &HeaderValue| {
            [ETAG, LAST_MODIFIED].iter().any(|validator| response.get(validator) == Some(known))
                && !known.as_bytes().starts_with(b"W/")
        };
        if !self.if_range.as_ref().is_none_or(is_same) {
            return Selection::Whole;
        }
        select(range, size).unwrap_or(Selection::Whole)
    }
}

/// `None`: it is not well formed, of another unit, or has several parts, and is ignored.
fn select(range: &str, size: u64) -> Option<Selection> {
    let (unit, set) = range.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    // A list may have empty elements.
    let mut specs = set.split(',').map(|spec| spec.trim_matches([' ', '\t'])).filter(|spec| !spec.is_empty());
    let (first, last) = specs.next()?.split_once('-')?;
    if specs.next().is_some() {
        return None;
    }
    if first.is_empty() {
        let from = size.saturating_sub(number(last)?);
        return Some(part(from, size, size));
    }
    let from = number(first)?;
    let last = if last.is_empty() { u64::MAX } else { number(last)? };
    (from <= last).then(|| part(from, last.saturating_add(1), size))
}

fn part(from: u64, end: u64, size: u64) -> Selection {
    let end = end.min(size);
    if from < end { Selection::Part { from, length: end - from } } else { Selection::Nothing }
}

/// A position or a length; one that is too large for a number is larger than any file.
fn number(digits: &str) -> Option<u64> {
    let are_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    are_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Selection = Selection::Part { from: 0, length: 20 };

    #[test]
    fn ranges_of_a_file_of_20_bytes() {
        let part = |from, length| Selection::Part { from, length };
        for (range, selection) in [
            ("bytes=0-4", part(0, 5)),
            ("bytes=5-", part(5, 15)),
            ("bytes=-5", part(15, 5)),
            ("bytes=-20", ALL),
            ("bytes=-21", ALL),
            ("bytes=0-99", ALL),
            ("bytes=19-99", part(19, 1)),
            ("bytes=0-99999999999999999999999", ALL),
            ("bytes=-99999999999999999999999", ALL),
            ("Bytes=0-0", part(0, 1)),
            ("bytes= 0-4 ", part(0, 5)),
            ("bytes=,0-4,", part(0, 5)),
            ("bytes=20-", Selection::Nothing),
            ("bytes=20-30", Selection::Nothing),
            ("bytes=-0", Selection::Nothing),
            ("bytes=99999999999999999999999-", Selection::Nothing),
        ] {
            assert_eq!(select(range, 20), Some(selection), "{range}");
        }
        for range in [
            "bytes=-",
            "bytes=",
            "bytes",
            "bytes=4-0",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=1-2-3",
            "bytes=1 - 2",
            "bytes=0-1,3-4",
            "lines=0-4",
            "bytes=0x1-2",
            "bytes=1.0-2",
        ] {
            assert_eq!(select(range, 20), None, "{range}");
        }
        assert_eq!(select("bytes=0-", 0), Some(Selection::Nothing));
        assert_eq!(select("bytes=-5", 0), Some(Selection::Nothing));
    }

    #[test]
    fn a_range_is_of_the_version_that_the_client_has() {
        let mut response = HeaderMap::new();
        response.insert(ETAG, HeaderValue::from_static("\"a\""));
        response.insert(LAST_MODIFIED, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
        let select = |if_range: &'static str| {
            let mut request = HeaderMap::new();
            request.insert(RANGE, HeaderValue::from_static("bytes=0-99"));
            request.insert(IF_RANGE, HeaderValue::from_static(if_range));
            RangeWanted::of(&request).select(20, &response)
        };
        for same in ["\"a\"", "Sun, 06 Nov 1994 08:49:37 GMT"] {
            assert_eq!(select(same), ALL, "{same}");
        }
        for other in [
            "\"b\"",
            "W/\"a\"",
            "a",
            "Sun, 06 Nov 1994 08:49:38 GMT",
            "Sun, 06 Nov 1994 08:49:36 GMT",
            "x",
            "",
        ] {
            assert_eq!(select(other), Selection::Whole, "{other}");
        }
        let mut twice = HeaderMap::new();
        twice.append(RANGE, HeaderValue::from_static("bytes=0-1"));
        twice.append(RANGE, HeaderValue::from_static("bytes=0-1"));
        assert_eq!(RangeWanted::of(&twice).select(20, &response), Selection::Whole);
        assert_eq!(RangeWanted::default().select(20, &response), Selection::Whole);
    }
}
