//! What a connection keeps of a statement, by the statement's text, and what undoes it. A connection serves one request after
//! the other, and none may find what another one has left.

/// Statements that leave nothing behind.
const PLAIN: [&str; 6] = ["select", "insert", "update", "delete", "with", "values"];
/// What begins and ends transactions.
const TRANSACTION: [&str; 9] =
    ["begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release", "explain"];
/// Functions that change a session, also within a plain statement.
const FUNCTIONS: [&str; 5] = ["set_config", "advisory_lock", "setseed", "dblink", "lo_"];

/// Why a statement is not run, if it is none for a shared connection.
pub fn refused(text: &str) -> Option<&'static str> {
    match &*first_word(text) {
        // The server would wait for the data, for ever.
        "copy" => Some("COPY is not supported: insert rows, or select them"),
        "prepare" | "deallocate" | "discard" | "execute" => Some(
            "the host prepares statements by itself, so PREPARE, EXECUTE, DEALLOCATE and DISCARD are refused",
        ),
        "listen" | "unlisten" => Some("LISTEN is not supported, because a connection serves many requests"),
        _ => None,
    }
}

/// Whether a statement may change the connection for whoever has it next.
pub fn leaves_traces(text: &str) -> bool {
    let word = first_word(text);
    if !PLAIN.contains(&&*word) && !TRANSACTION.contains(&&*word) {
        return true;
    }
    let bytes = text.as_bytes();
    FUNCTIONS
        .iter()
        .any(|name| bytes.windows(name.len()).any(|part| part.eq_ignore_ascii_case(name.as_bytes())))
}

/// Undo what a connection was told, but for the statements that it has prepared.
pub const UNDO: &str = "rollback; close all; set session authorization default; reset all; \
    select pg_advisory_unlock_all(); discard temp; discard sequences";

/// What a statement does to the transaction that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Begins,
    Commits,
    RollsBack,
    /// Back to a savepoint.
    RestoresSavepoint,
    None,
}

pub fn effect(text: &str) -> Effect {
    match &*first_word(text) {
        "begin" | "start" => Effect::Begins,
        "commit" | "end" => Effect::Commits,
        "rollback" | "abort" => {
            let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
            let is_to = words.any(|word| word.eq_ignore_ascii_case("to"));
            if is_to { Effect::RestoresSavepoint } else { Effect::RollsBack }
        }
        _ => Effect::None,
    }
}

/// In lower case, behind comments, which Postgres nests.
fn first_word(text: &str) -> String {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ';');
        if let Some(line) = rest.strip_prefix("--") {
            rest = line.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(inside) = rest.strip_prefix("/*") {
            rest = after_comment(inside);
        } else {
            let length = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
            return rest[..length].to_ascii_lowercase();
        }
    }
}

fn after_comment(text: &str) -> &str {
    let (mut depth, mut at, bytes) = (1, 0, text.as_bytes());
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" if depth == 1 => return &text[at + 2..],
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_told_from_the_text() {
        for plain in ["select 1", "/* a /* b */ c */ Insert into t", "-- set\nwith x as (select 1)", "commit"]
        {
            assert!(!leaves_traces(plain), "{plain}");
        }
        for other in [
            "set role x",
            "select SET_CONFIG('a', 'b', false)",
            "create temp table t (x int)",
            "",
            "select pg_advisory_lock(1)",
            "do $$ begin end $$",
            "/* select",
            "(select 1)",
        ] {
            assert!(leaves_traces(other), "{other}");
        }
        for never in
            ["copy t from stdin", "/* /* */ x */ COPY t to stdout", ";;-- a\n;copy t from stdin", "listen x"]
        {
            assert!(refused(never).is_some(), "{never}");
        }
        assert_eq!(effect("rollback to savepoint x"), Effect::RestoresSavepoint);
        assert_eq!(effect("ROLLBACK"), Effect::RollsBack);
        assert_eq!(effect("start transaction"), Effect::Begins);
    }
}
