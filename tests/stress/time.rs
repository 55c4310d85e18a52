//! Every moment of a guest has an owner and a clock: hand-made components that compute where no request is.

use crate::common::Server;
use crate::common::handmade::Handmade;
use serde_json::json;

#[test]
fn a_handmade_component_is_served() {
    let wasm = Handmade {
        routes: &[("/ok", false, "call $ok"), ("/async", true, "call $ok")],
        ..Handmade::default()
    }
    .write("plain");
    let server = Server::start(&wasm, &["--workers", "1"]);
    for path in ["/ok", "/async", "/ok", "/async"] {
        assert_eq!(server.get(path).json(), json!(null), "{path}");
    }
    server.assert_no_panic("handmade");
}
