//! Bodies of requests to the admin endpoint: components and log filters.

use crate::admin::connections::PATIENCE;
use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::telemetry::log_output;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::path::Path;
use tokio::io::AsyncWriteExt;

/// Most of a body that is read in vain, in bytes.
const MOST_DISCARDED: usize = 512 << 20;

/// Longest log filter, in bytes.
const LONGEST_FILTER: usize = 1000;

/// The next part of a body; `None` at its end. Trailers are empty parts. Errors are sentences for people.
async fn next_part(body: &mut Incoming) -> Result<Option<Bytes>, String> {
    match tokio::time::timeout(PATIENCE, body.frame()).await {
        Ok(None) => Ok(None),
        Ok(Some(Ok(frame))) => Ok(Some(frame.into_data().unwrap_or_default())),
        Ok(Some(Err(error))) => Err(format!("the body did not arrive: {error}")),
        Err(_) => Err(format!("no more of the body arrived within {} s", PATIENCE.as_secs())),
    }
}

/// Read and drop a body: a client that is still sending would not see the response.
pub async fn discard(mut body: Incoming) {
    let mut size = 0;
    while let Ok(Some(data)) = next_part(&mut body).await {
        size += data.len();
        if size > MOST_DISCARDED {
            return;
        }
    }
}

/// Set the log filter that a body has.
pub async fn set_log(mut body: Incoming) -> Result<(), String> {
    let mut filter = Vec::new();
    while let Some(data) = next_part(&mut body).await? {
        if filter.len() + data.len() > LONGEST_FILTER {
            discard(body).await;
            return Err(format!("a log filter has at most {LONGEST_FILTER} bytes"));
        }
        filter.extend_from_slice(&data);
    }
    log_output::set_filter(String::from_utf8_lossy(&filter).trim())
}

/// Write a body of at most so many bytes to a file.
pub async fn receive(mut body: Incoming, path: &Path, most: usize) -> Result<(), String> {
    let outcome = write_to(path, &mut body, most).await;
    if outcome.is_err() {
        discard(body).await;
    }
    outcome
}

async fn write_to(path: &Path, body: &mut Incoming, most: usize) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("{} cannot be stored: {e}", path.display());
    let mut file = tokio::fs::File::create(path).await.map_err(failed)?;
    let mut size = 0;
    while let Some(data) = next_part(body).await? {
        size += data.len();
        if size > most {
            let limit = limit_name::of(Limit::MaxComponent);
            return Err(format!("a component of this app has at most {most} bytes ({limit})"));
        }
        file.write_all(&data).await.map_err(failed)?;
    }
    file.sync_all().await.map_err(failed)
}
