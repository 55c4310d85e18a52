//! Tests of the table of limits, and of the page that has it.

use super::*;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_limit_has_its_row_and_names_of_its_own() {
    for (index, row) in TABLE.iter().enumerate() {
        assert_eq!(row.limit as usize, index, "{}", row.flag);
    }
    let flags: BTreeSet<_> = TABLE.iter().map(|row| row.flag).collect();
    let keys: BTreeSet<_> = TABLE.iter().map(|row| row.key).collect();
    assert_eq!((flags.len(), keys.len()), (TABLE.len(), TABLE.len()));
}

#[test]
fn what_is_set_is_what_is_got() {
    for row in &TABLE {
        let value = 9000;
        let got = match row.place {
            Place::App { get, set } => {
                let mut limits = Limits::default();
                set(&mut limits, value);
                get(&limits)
            }
            Place::Server { get, set } => {
                let mut limits = ServerLimits::default();
                set(&mut limits, value);
                get(&limits)
            }
        };
        assert_eq!(got, Some(value), "{}", row.flag);
        if let Some(default) = row.default() {
            assert_eq!(row.kind.parse(&row.kind.show(default)), Ok(default), "{}", row.flag);
        }
    }
}

/// The flags page has this table. `UPDATE_PAGES=1` rewrites it.
#[test]
fn the_page_of_flags_has_every_limit() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/15-flags.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- limits: begin -->\n", "<!-- limits: end -->");
    let (before, rest) = text.split_once(begin).unwrap();
    let (found, after) = rest.split_once(end).unwrap();
    if std::env::var_os("UPDATE_PAGES").is_some() {
        std::fs::write(&path, [before, begin, &page(), end, after].concat()).unwrap();
    } else {
        assert_eq!(found, page(), "run the tests with UPDATE_PAGES=1");
    }
}
