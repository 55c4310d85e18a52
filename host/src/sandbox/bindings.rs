//! Generated from `wit/bolt.wit`: the types and calls on both sides of the boundary. Nothing else is in here.

wasmtime::component::bindgen!({
    path: "wit",
    world: "app",
    imports: {
        "bolt:host/host.park": async | store,
        "bolt:host/http.wait": async | trappable,
        default: trappable,
    },
    exports: { default: async | store },
});
