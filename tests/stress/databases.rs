//! Databases of a tenant that means harm: the neighbour is served as before, and nothing is left of it. `--nocapture` prints a
//! table.

use crate::common::pair::{Answers, Pair, Terms, attack_time};
use crate::common::scratch;

#[test]
fn statements_harm_nobody_else() {
    let file = scratch("stored").join("a.db");
    let a = format!("sql-size = \"20MiB\"\n[app.a.sql]\nmain = \"sqlite:{}\"\n", file.display());
    let pair = Pair::new(&Terms { a: &a, slack: 8 << 20, ..Terms::default() });
    assert_eq!(pair.server.get("/a/stored/setup").status, 200);
    let all = |pair: &Pair| {
        let row = |name: &str, path: &str| {
            let harm =
                |pair: &Pair| -> Answers { pair.flood_for(&format!("/stored/{path}"), 8, attack_time()) };
            pair.attack(name, harm);
        };
        row("a query without end", "endless");
        row("sorting without end", "sorted");
        row("ten million rows", "rows");
        row("1 000 statements that nobody reads", "unread");
        row("transactions that do not end", "open");
        row("arguments of 8 MB, for ever", "large");
        row("100 statements at a time, for ever", "many");
        row("writing until the database is full", "write");
        row("statements that are wrong, for ever", "wrong");
    };
    // Warm up everything.
    all(&pair);
    pair.report(all);
    assert!(file.metadata().unwrap().len() <= 20 << 20);
}
