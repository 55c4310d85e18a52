//! Components written by hand: core WebAssembly that implements our contract without the SDK, and does what no SDK does.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{root, scratch};
use std::fmt::Write as _;
use std::path::PathBuf;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The parts of a component, each in the text format. Their functions may call:
///
/// - `$log` (request i64, level i32, text i32 i32), `$reply` (request i64, text i32 i32), `$serving` (request i64),
///   `$linger` (request i64, done i32), `$upload` (request i64, file i32, offset i64, size i32, result i32), `$alarm` (nanoseconds
///   i64), `$park` () in `$run` only, `$park-begin` () → i32: begins a `park` and returns the status of its subtask;
/// - `$http-begin` (head i32 i32, body i32 i32, more i32) → i64, `$http-write` (exchange i64, chunk i32 i32, more i32) → i32,
///   `$http-response` (exchange i64, result i32), `$http-read` (exchange i64, result i32), `$http-close` (exchange i64),
///   `$http-wait` (exchange i64), `$http-news` (result i32);
/// - `$stream-open` (request i64) → i32, `$stream-write` (request i64, chunk i32 i32) → i32, `$stream-close` (request i64,
///   failed i32), `$stream-read` (request i64, result i32), `$stream-wait` (request i64), `$stream-news` (result i32);
/// - `$set-new` () → i32, `$join` (waitable i32, set i32), `$drop-subtask` (subtask i32);
/// - `$ok` () → i32: what a handler returns to answer with 200 and `null`;
/// - `$spin` (): never returns. `$sleep` (nanoseconds i64): blocks.
///
/// Memory below 1024 is theirs, and so is that from `0x10000` to `0x20000`.
pub struct Handmade<'t> {
    /// Runs when the component is instantiated.
    pub start: &'t str,
    /// Runs before the manifest is returned.
    pub describe: &'t str,
    /// The body of `call`, by route: a path, whether the route is `async def`, and the code. `$request` is its argument; it
    /// leaves the address of a pointer and a length, as `$ok` does. The address of two zeros means: no reply yet.
    pub routes: &'t [(&'t str, bool, &'t str)],
    pub cancel: &'t str,
    /// Leaves an i32: 1 if the host has to wait.
    pub leave: &'t str,
    /// The event loop: leaves 0 (exit), 1 (yield), or 2 plus 16 × a waitable set.
    pub run: &'t str,
    /// The same, when it is resumed. `$event`, `$waitable` and `$code` are its arguments.
    pub resumed: &'t str,
    /// Further functions, globals and data.
    pub more: &'t str,
    /// Whether it has a lifespan.
    pub lifespan: bool,
    /// In pages of 64 KiB.
    pub memory: u32,
    /// The version of the contract. That of 0.4.0 has no streams.
    pub abi: &'t str,
}

impl Default for Handmade<'_> {
    fn default() -> Self {
        let (nothing, leave) = ("", "i32.const 0");
        Self {
            start: nothing,
            describe: nothing,
            routes: &[("/ok", false, "call $ok")],
            cancel: nothing,
            leave,
            // Parked until something happens.
            run: "call $wait-in-park",
            resumed: "call $wait-in-park",
            more: nothing,
            lifespan: false,
            memory: 64,
            abi: "0.4.4",
        }
    }
}

/// The reply `(200, None)`, marshalled, each byte as the character with its number.
const OK: &str = r"\29\02\69\c3\88\00\00\00\4e";

/// The part of WASI that these components use.
const WASI_IO: &str = "package wasi:io@0.2.6; interface poll { resource pollable { block: func(); } }";
const WASI_CLOCKS: &str = "package wasi:clocks@0.2.6; interface monotonic-clock {
    use wasi:io/poll@0.2.6.{pollable};
    subscribe-duration: func(when: u64) -> pollable;
}";
const WORLD: &str = "package test:handmade; world handmade {
    include bolt:host/app@0.4.4;
    import wasi:io/poll@0.2.6;
    import wasi:clocks/monotonic-clock@0.2.6;
}";

const FIXED: &str = r#"
  (import "bolt:host/host@0.4.4" "log" (func $log (param i64 i32 i32 i32)))
  (import "bolt:host/host@0.4.4" "reply" (func $reply (param i64 i32 i32)))
  (import "bolt:host/host@0.4.4" "serving" (func $serving (param i64)))
  (import "bolt:host/host@0.4.4" "linger" (func $linger (param i64 i32)))
  (import "bolt:host/host@0.4.4" "upload" (func $upload (param i64 i32 i64 i32 i32)))
  (import "bolt:host/host@0.4.4" "alarm" (func $alarm (param i64)))
  (import "bolt:host/host@0.4.4" "park" (func $park))
  (import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration" (func $subscribe-duration (param i64) (result i32)))
  (import "wasi:io/poll@0.2.6" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/poll@0.2.6" "[resource-drop]pollable" (func $drop-pollable (param i32)))
  (import "bolt:host/host@0.4.4" "[async-lower]park" (func $park-begin (result i32)))
  (import "bolt:host/http@0.4.4" "begin" (func $http-begin (param i32 i32 i32 i32 i32) (result i64)))
  (import "bolt:host/http@0.4.4" "write" (func $http-write (param i64 i32 i32 i32) (result i32)))
  (import "bolt:host/http@0.4.4" "response" (func $http-response (param i64 i32)))
  (import "bolt:host/http@0.4.4" "read" (func $http-read (param i64 i32)))
  (import "bolt:host/http@0.4.4" "close" (func $http-close (param i64)))
  (import "bolt:host/http@0.4.4" "wait" (func $http-wait (param i64)))
  (import "bolt:host/http@0.4.4" "news" (func $http-news (param i32)))
  (import "bolt:host/streams@0.4.4" "open" (func $stream-open (param i64) (result i32)))
  (import "bolt:host/streams@0.4.4" "write" (func $stream-write (param i64 i32 i32) (result i32)))
  (import "bolt:host/streams@0.4.4" "close" (func $stream-close (param i64 i32)))
  (import "bolt:host/streams@0.4.4" "read" (func $stream-read (param i64 i32)))
  (import "bolt:host/streams@0.4.4" "wait" (func $stream-wait (param i64)))
  (import "bolt:host/streams@0.4.4" "news" (func $stream-news (param i32)))
  (import "$root" "[waitable-set-new]" (func $set-new (result i32)))
  (import "$root" "[waitable-join]" (func $join (param i32 i32)))
  (import "$root" "[subtask-drop]" (func $drop-subtask (param i32)))
  (import "[export]bolt:host/handlers@0.4.4" "[task-return]run" (func $run-returns))
  (global $set (mut i32) (i32.const 0))
  (global $top (mut i32) (i32.const 0x20000))
  (func $sleep (param $nanoseconds i64) (local $pollable i32)
    (local.set $pollable (call $subscribe-duration (local.get $nanoseconds)))
    (call $block (local.get $pollable))
    (call $drop-pollable (local.get $pollable)))
  (func $spin (loop $again (br $again)))
  (func $ok (result i32) (i32.const 1024))
  ;; Begins a park, and waits for it in a set.
  (func $wait-in-park (result i32) (local $status i32)
    (if (i32.eqz (global.get $set)) (then (global.set $set (call $set-new))))
    (local.set $status (call $park-begin))
    (if (i32.eq (i32.and (local.get $status) (i32.const 15)) (i32.const 2)) (then (return (i32.const 1))))
    (call $join (i32.shr_u (local.get $status) (i32.const 4)) (global.get $set))
    (i32.or (i32.const 2) (i32.shl (global.get $set) (i32.const 4))))
  ;; Memory that the host fills is never given back: each attack has few calls, or resets $top itself.
  (func (export "cabi_realloc") (param $old i32) (param $was i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
    (global.set $top (i32.add (local.get $at) (local.get $size)))
    (if (i32.gt_u (global.get $top) (i32.mul (memory.size) (i32.const 65536)))
      (then (drop (memory.grow (i32.const 16)))))
    (local.get $at))
  (func (export "bolt:host/handlers@0.4.4#cancel") (param $request i64) (call $cancel (local.get $request)))
  (func (export "bolt:host/handlers@0.4.4#leave") (result i32) (call $leave))
  (func (export "[async-lift]bolt:host/handlers@0.4.4#run") (result i32) (call $run))
  (func (export "[callback][async-lift]bolt:host/handlers@0.4.4#run") (param $event i32) (param $waitable i32) (param $code i32)
    (result i32)
    (if (i32.eq (local.get $event) (i32.const 1)) (then (call $drop-subtask (local.get $waitable))))
    (call $resumed (local.get $event) (local.get $waitable) (local.get $code)))
"#;

impl Handmade<'_> {
    /// The component, as a file.
    pub fn write(&self, name: &str) -> PathBuf {
        let file = scratch("handmade").join(format!("{name}.wasm"));
        std::fs::write(&file, self.component()).unwrap();
        file
    }

    fn component(&self) -> Vec<u8> {
        let mut resolve = Resolve::default();
        resolve.push_str("wasi-io.wit", WASI_IO).unwrap();
        resolve.push_str("wasi-clocks.wit", WASI_CLOCKS).unwrap();
        let contract = std::fs::read_to_string(root().join("wit/bolt.wit")).unwrap();
        resolve.push_str("bolt.wit", &self.of_its_version(&contract)).unwrap();
        let package = resolve.push_str("handmade.wit", &self.of_its_version(WORLD)).unwrap();
        let world = resolve.select_world(&[package], Some("handmade")).unwrap();
        let text = self.of_its_version(&self.module());
        let mut module = wat::parse_str(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        let mut encoder = ComponentEncoder::default().validate(true).module(&module).unwrap();
        encoder.encode().unwrap()
    }

    /// What this text was in its version of the contract.
    fn of_its_version(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if self.abi == "0.4.0" {
            if let (Some(begin), Some(end)) =
                (text.find("interface streams {"), text.find("interface handlers {"))
            {
                text.replace_range(begin..end, "");
            }
            let later = [
                "bolt:host/streams@",
                "import streams;",
                "import sockets;",
                "import topics;",
                "import sql;",
                "import tcp;",
                "import kv;",
            ];
            let is_earlier = |line: &&str| !later.iter().any(|later| line.contains(later));
            text = text.lines().filter(is_earlier).map(|line| format!("{line}\n")).collect();
        }
        text.replace("@0.4.4", &format!("@{}", self.abi))
    }

    fn manifest(&self) -> String {
        let routes: Vec<_> = self
            .routes
            .iter()
            .map(|(path, is_async, _)| {
                serde_json::json!({
                    "method": "GET", "path": path, "name": path, "file": "handmade.wat", "line": 1, "async": is_async,
                    "status": 200, "params": [], "returns": { "t": "any" },
                })
            })
            .collect();
        let manifest = serde_json::json!({
            "abi": 4, "sdk": "0", "interpreter": "none", "marshal": 4, "app": "handmade:api", "lifespan": self.lifespan,
            "routes": routes,
        });
        manifest.to_string()
    }

    fn module(&self) -> String {
        let Self { start, describe, routes, cancel, leave, run, resumed, more, memory, .. } = self;
        let manifest = self.manifest();
        let mut text = format!("(module {FIXED}\n (memory (export \"memory\") {memory})\n {more}\n");
        let _ = writeln!(text, " (data (i32.const 1024) \"\\10\\04\\00\\00\\09\\00\\00\\00\")");
        let _ = writeln!(text, " (data (i32.const 1040) \"{OK}\")");
        let quoted = manifest.replace('\\', "\\\\").replace('"', "\\\"");
        assert!(manifest.len() < 0x10000 - 4096);
        let _ = writeln!(text, " (data (i32.const 4096) \"{quoted}\")");
        let _ =
            writeln!(text, " (func (export \"bolt:host/handlers@0.4.4#describe\") (result i32) {describe}");
        let _ = writeln!(text, "  (i32.store (i32.const 1056) (i32.const 4096))");
        let _ = writeln!(text, "  (i32.store (i32.const 1060) (i32.const {}))", manifest.len());
        let _ = writeln!(text, "  (i32.const 1056))");
        let _ = writeln!(text, " (func $cancel (param $request i64) {cancel})");
        let _ = writeln!(text, " (func $leave (result i32) {leave})");
        let _ = writeln!(text, " (func $run (result i32) {run})");
        let params = "(param $event i32) (param $waitable i32) (param $code i32)";
        let _ = writeln!(text, " (func $resumed {params} (result i32) {resumed})");
        let mut chosen = "unreachable".to_owned();
        for (number, (_, _, code)) in routes.iter().enumerate() {
            let _ = writeln!(text, " (func $route{number} (param $request i64) (result i32) {code})");
            chosen = format!(
                "(if (result i32) (i32.eq (local.get $route) (i32.const {number})) (then (call $route{number} (local.get \
                 $request))) (else {chosen}))"
            );
        }
        let call = "bolt:host/handlers@0.4.4#call";
        let params = "(param $request i64) (param $route i32) (param $args i32) (param $length i32)";
        let _ = writeln!(text, " (func (export \"{call}\") {params} (result i32) {chosen})");
        if !start.is_empty() {
            let _ = writeln!(text, " (func $start {start}) (start $start)");
        }
        text.push(')');
        text
    }
}
