# List the recipes.
default:
    @just --list

# Check format and lints, also without default features and with internals.
check:
    cargo fmt --all --check
    cargo clippy --all-targets -- -D warnings
    cargo clippy --package bolt-host --lib --no-default-features -- -D warnings
    cargo clippy --package bolt-host --all-targets --features internals -- -D warnings

# Run all tests.
test:
    cargo test

# Run the unit tests only.
test-quick:
    cargo test --lib

# Compare bolt-host with other servers: half an hour, writes to benches/runs.
bench:
    cargo build --release --workspace --bin bolt-host --bin bare_hyper
    python3 benches/run.py

# Fail if bolt-host got slower, relative to bare hyper.
gate:
    cargo build --release --workspace --bin bolt-host --bin bare_hyper
    python3 benches/run.py --gate benches/gate.json

# Fuzz reply, request, manifest or flatten; needs nightly and cargo-fuzz.
fuzz TARGET:
    cargo +nightly fuzz run {{TARGET}}

# Build the API documentation.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Check licences, banned crates and sources of dependencies, offline; needs cargo-deny.
audit:
    cargo deny --offline check --hide-inclusion-graph licenses bans sources

# Build an app and serve it.
run APP *FLAGS:
    cargo run --release -- run {{APP}} {{FLAGS}}

# Serve an app from source.
dev APP *FLAGS:
    cargo run --release -- dev {{APP}} {{FLAGS}}
