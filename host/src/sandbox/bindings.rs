//! Bindings generated from `wit/bolt.wit`: the types and calls between host and guest.

wasmtime::component::bindgen!({
    path: "wit",
    world: "app",
    imports: {
        "bolt:host/host.park": async | store | trappable,
        "bolt:host/http.wait": async | trappable,
        "bolt:host/streams.wait": async | trappable,
        "bolt:host/sql.wait": async | trappable,
        "bolt:host/kv.wait": async | trappable,
        "bolt:host/tcp.wait": async | trappable,
        default: trappable,
    },
    exports: { default: async | store },
});
