//! Stores, connections and a Postgres database of a tenant that means harm: the neighbour is served as before, and nothing is left
//! of it. `--nocapture` prints a table.

use crate::common::pair::{Answers, Pair, Terms, attack_time};
use crate::common::postgres::Postgres;
use crate::common::scratch;
use std::collections::VecDeque;
use std::io::Write;
use std::net::{TcpListener, TcpStream};

fn attack(pair: &Pair, rows: &[(&str, String)]) {
    let all = || {
        for (name, path) in rows {
            pair.attack(name, |pair: &Pair| -> Answers {
                pair.flood_for(&format!("/kept/{path}"), 8, attack_time())
            });
        }
    };
    // Warm up everything.
    all();
    pair.report(|_| all());
}

#[test]
fn stores_harm_nobody_else() {
    let file = scratch("kept").join("a.kv");
    let a = format!("kv-size = \"20MiB\"\n[app.a.kv]\nmain = {:?}\n", file.display().to_string());
    let pair = Pair::new(&Terms { a: &a, slack: 8 << 20, ..Terms::default() });
    attack(
        &pair,
        &[
            ("the largest values, until a store is full", "fill".to_owned()),
            ("reading all of a store, for ever", "scan".to_owned()),
            ("200 commands at a time that nobody waits for", "commands".to_owned()),
            ("keys that expire at once, for ever", "brief".to_owned()),
        ],
    );
    assert!(file.metadata().unwrap().len() <= 20 << 20);
}

/// A server; `take` gets its connections.
fn serve(take: impl FnMut(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().flatten().for_each(take));
    port
}

#[test]
fn connections_harm_nobody_else() {
    // A thread for each of them would reach the kernel's limit on mappings.
    let mut held = VecDeque::new();
    let silent = serve(move |stream| {
        held.push_back(stream);
        if held.len() > 2000 {
            held.pop_front();
        }
    });
    let endless = serve(|mut stream| {
        std::thread::spawn(move || while stream.write_all(&[b'x'; 65536]).is_ok() {});
    });
    let a = format!("[app.a.tcp]\nallow = [\"127.0.0.1:{silent}\", \"127.0.0.1:{endless}\"]\n");
    let pair = Pair::new(&Terms { a: &a, slack: 8 << 20, ..Terms::default() });
    attack(
        &pair,
        &[
            ("connecting, for ever", format!("connect?port={silent}")),
            ("connections whose bytes nobody reads", format!("full?port={endless}")),
            ("sending to a server that reads nothing", format!("push?port={silent}")),
            ("TLS with a server that speaks none", format!("handshakes?port={endless}")),
        ],
    );
}

#[test]
fn a_postgres_database_harms_nobody_else() {
    let Some(postgres) = Postgres::start("pg-harm") else { return };
    let a = format!("[app.a.sql]\nremote = {:?}\n", postgres.url());
    let pair = Pair::new(&Terms { a: &a, slack: 16 << 20, ..Terms::default() });
    attack(
        &pair,
        &[
            ("a query without end", "endless".to_owned()),
            ("ten million rows", "rows".to_owned()),
            ("rows that are too large", "wide".to_owned()),
            ("transactions that do not end", "open".to_owned()),
            ("results that nobody reads", "unread".to_owned()),
            ("statements that are all different", "many".to_owned()),
            ("notices without end", "noisy".to_owned()),
        ],
    );
}
