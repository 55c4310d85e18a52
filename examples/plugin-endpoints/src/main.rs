//! An axum server with endpoints of its own, that mounts its customers' Python under `/plugins/NAME/…`.
//!
//! Customers' code is loaded and unloaded while the server runs. It is also called as a function, in the middle of a
//! native handler. `cargo run -p plugin-endpoints`, then:
//!
//! ```text
//! curl -X PUT localhost:3000/plugins/discount -d '"examples/plugin-endpoints/plugins/discount.py"' \
//!      -H content-type:application/json
//! curl localhost:3000/plugins/discount/
//! curl localhost:3000/orders/discount -H content-type:application/json \
//!      -d '{"customer": "regular", "lines": [{"item": "tea", "amount": 2, "price": 3.5}]}'
//! curl -X DELETE localhost:3000/plugins/discount
//! ```

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use bolt_host::embed::{CallError, Host, LoadError};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Deserialize)]
struct Order {
    customer: String,
    lines: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    item: String,
    amount: u32,
    price: f64,
}

#[derive(Serialize)]
struct Priced {
    lines: usize,
    total: f64,
}

type Failure = (StatusCode, String);

/// A native handler that asks a plugin for the price of an order.
async fn order(
    State(host): State<Host>,
    Path(name): Path<String>,
    Json(order): Json<Order>,
) -> Result<Json<Priced>, Failure> {
    let plugin = host.plugin(&name).ok_or((StatusCode::NOT_FOUND, format!("no plugin {name}")))?;
    let args = serde_json::json!({ "customer": order.customer, "lines": order.lines });
    let total: f64 = plugin.call("total", args).await.map_err(|error| match error {
        CallError::Refused(_) | CallError::Answered(..) => (StatusCode::BAD_REQUEST, error.to_string()),
        other => (StatusCode::BAD_GATEWAY, other.to_string()),
    })?;
    Ok(Json(Priced { lines: order.lines.len(), total }))
}

/// Load a plugin, or a new version of it.
async fn load(
    State(host): State<Host>,
    Path(name): Path<String>,
    Json(file): Json<PathBuf>,
) -> Result<Json<Vec<String>>, Failure> {
    let loaded = host.load(&name, &format!("/plugins/{name}"), file).await;
    let failed = |error: LoadError| {
        let status = match error {
            LoadError::Taken(_) => StatusCode::CONFLICT,
            LoadError::NoInstance(_) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        (status, error.to_string())
    };
    loaded.map(|plugin| Json(plugin.functions())).map_err(failed)
}

async fn unload(State(host): State<Host>, Path(name): Path<String>) -> StatusCode {
    if host.unload(&name) { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

async fn loaded(State(host): State<Host>) -> Json<Vec<(String, String)>> {
    Json(host.plugins())
}

fn app(host: Host) -> Router {
    Router::new()
        .route("/", get(|| async { "native" }))
        .route("/orders/{name}", post(order))
        .route("/plugins", get(loaded))
        .route("/plugins/{name}", put(load).delete(unload))
        .with_state(host.clone())
        // What lies below a plugin's name is the plugin's.
        .route_service("/plugins/{name}/", host.clone())
        .route_service("/plugins/{name}/{*rest}", host)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let host = Host::builder().build()?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app(host)).await?;
    Ok(())
}
