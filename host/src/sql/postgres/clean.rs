//! What a connection keeps of a statement, by the statement's text, and what undoes it. A connection serves one request after
//! the other, and none may find what another one has left.

/// Statements that leave nothing behind.
const PLAIN: [&str; 6] = ["select", "insert", "update", "delete", "with", "values"];
/// What begins and ends transactions.
const TRANSACTION: [&str; 8] =
    ["begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release"];
/// Longest text that is looked through: a longer one is taken for one that leaves something behind. The thread is everybody's.
const LONGEST: usize = 64 * 1024;
/// What may stand before a parenthesis in a plain statement: words of SQL, and functions of Postgres that change no session. Others
/// are an app's, and may do anything. In order, for a binary search.
#[rustfmt::skip]
const HARMLESS: [&str; 208] = [
    "abs", "all", "and", "any", "array", "array_agg", "array_append", "array_length", "array_position",
    "array_remove", "array_to_json", "array_to_string", "as", "asc", "avg", "between", "bool_and",
    "bool_or", "btrim", "by", "case", "cast", "ceil", "ceiling", "char", "char_length", "character",
    "coalesce", "concat", "concat_ws", "conflict", "count", "cross", "cube", "cume_dist", "current_date",
    "date", "date_part", "date_trunc", "decimal", "default", "dense_rank", "desc", "distinct", "do", "else",
    "encode", "every", "except", "exists", "exp", "extract", "filter", "first_value", "floor", "format",
    "from", "full", "gen_random_uuid", "generate_series", "greatest", "group", "grouping", "having", "if",
    "in", "initcap", "inner", "insert", "int", "integer", "intersect", "interval", "into", "is", "isnull",
    "join", "json", "json_agg", "json_array_elements", "json_build_array", "json_build_object",
    "json_object_agg", "jsonb", "jsonb_agg", "jsonb_array_elements", "jsonb_array_length",
    "jsonb_build_array", "jsonb_build_object", "jsonb_each", "jsonb_object_agg", "jsonb_path_query",
    "jsonb_set", "lag", "last_value", "lateral", "lead", "least", "left", "length", "like", "limit", "ln",
    "log", "lower", "lpad", "ltrim", "make_date", "make_interval", "materialized", "max", "md5", "min",
    "mod", "natural", "nextval", "not", "now", "ntile", "nullif", "numeric", "octet_length", "offset", "on",
    "or", "order", "over", "overlay", "partition", "percent_rank", "percentile_cont", "percentile_disc",
    "pg_sleep", "pi", "plainto_tsquery", "position", "power", "precision", "random", "rank", "regexp_match",
    "regexp_matches", "regexp_replace", "regexp_split_to_array", "repeat", "replace", "returning",
    "reverse", "right", "rollup", "round", "row", "row_number", "row_to_json", "rpad", "rtrim", "select",
    "set", "sets", "sign", "similar", "some", "split_part", "sqrt", "starts_with", "statement_timestamp",
    "stddev", "string_agg", "string_to_array", "strpos", "substr", "substring", "sum", "text", "then",
    "time", "timestamp", "timestamptz", "to", "to_char", "to_date", "to_json", "to_jsonb", "to_number",
    "to_timestamp", "to_tsquery", "to_tsvector", "transaction_timestamp", "translate", "trim", "trunc",
    "ts_rank", "unnest", "update", "upper", "using", "uuid", "values", "varchar", "variance", "varying",
    "websearch_to_tsquery", "when", "where", "width_bucket", "window", "with", "within",
];

/// What is to be known of a statement before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traits {
    /// Why it is not run, if it is none for a shared connection.
    pub refused: Option<&'static str>,
    pub effect: Effect,
    /// It may change the connection for whoever has it next.
    pub leaves_traces: bool,
    /// It may change what the server has prepared. Code of an app may.
    pub may_prepare: bool,
}

impl Traits {
    pub fn of(text: &str) -> Self {
        let word = first_word(text);
        let (is_plain, is_of_transaction) = (PLAIN.contains(&&*word), TRANSACTION.contains(&&*word));
        let is_unseen = || {
            text.len() > LONGEST
                || has_word(text, "temp")
                || has_word(text, "temporary")
                || calls_others(text)
        };
        Self {
            refused: refused(&word),
            effect: effect(&word, text),
            leaves_traces: !is_of_transaction && (!is_plain || is_unseen()),
            may_prepare: !is_plain && !is_of_transaction,
        }
    }
}

fn refused(word: &str) -> Option<&'static str> {
    match word {
        // The server would wait for the data, for ever.
        "copy" => Some("COPY is not supported: insert rows, or select them"),
        "prepare" | "deallocate" | "discard" | "execute" => Some(
            "the host prepares statements by itself, so PREPARE, EXECUTE, DEALLOCATE and DISCARD are refused",
        ),
        "listen" | "unlisten" => Some("LISTEN is not supported, because a connection serves many requests"),
        _ => None,
    }
}

fn has_word(text: &str, wanted: &str) -> bool {
    text.split(|c: char| !is_of_name(c)).any(|word| word.eq_ignore_ascii_case(wanted))
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}

/// Whether there is a parenthesis behind a name that is none of the harmless ones.
fn calls_others(text: &str) -> bool {
    text.match_indices('(').any(|(at, _)| {
        let before = text[..at].trim_end();
        let start = before.trim_end_matches(is_of_name).len();
        let name = before[start..].to_ascii_lowercase();
        match name.is_empty() {
            // Behind a quoted name, or a comment, there may be any.
            true => before.ends_with(['"', '/']),
            false => before[..start].ends_with(['.', '"']) || HARMLESS.binary_search(&&*name).is_err(),
        }
    })
}

/// Undo what a connection was told, but for the statements that it has prepared.
pub const UNDO: &str = "rollback; close all; set session authorization default; reset all; \
    unlisten *; select pg_advisory_unlock_all(); discard temp; discard sequences";

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

fn effect(word: &str, text: &str) -> Effect {
    match word {
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
            rest = line.split_once(['\n', '\r']).map_or("", |(_, after)| after);
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

    fn effect_of(text: &str) -> Effect {
        Traits::of(text).effect
    }

    #[test]
    fn harmless_words_are_in_order() {
        assert!(HARMLESS.is_sorted());
        let long = format!("select {}", "lower(a) ".repeat(LONGEST / 8));
        assert!(Traits::of(&long).leaves_traces);
    }

    #[test]
    fn a_connection_is_told_from_the_text() {
        for plain in ["select 1", "/* a /* b */ c */ Insert into t", "-- set\nwith x as (select 1)", "commit"]
        {
            assert!(!Traits::of(plain).leaves_traces, "{plain}");
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
            "select f()",
            "select public.lower(x)",
            "select \"lower\" (x)",
            "select U&\"set\\005fconfig\"('a', 'b', false)",
            "select 1 into temp t",
            "explain analyze create temp table t as select 1",
        ] {
            assert!(Traits::of(other).leaves_traces, "{other}");
        }
        for never in
            ["copy t from stdin", "/* /* */ x */ COPY t to stdout", ";;-- a\n;copy t from stdin", "listen x"]
        {
            assert!(Traits::of(never).refused.is_some(), "{never}");
        }
        assert_eq!(effect_of("rollback to savepoint x"), Effect::RestoresSavepoint);
        assert_eq!(effect_of("-- a\rbegin /*\nselect */"), Effect::Begins);
        assert_eq!(effect_of("ROLLBACK"), Effect::RollsBack);
        assert_eq!(effect_of("start transaction"), Effect::Begins);
    }
}
