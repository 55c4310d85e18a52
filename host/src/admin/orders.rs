//! What the admin endpoint does with the versions of an app: deploy, roll back, pin and prune.

use crate::admin::answer::{Answer, json, text};
use crate::admin::bodies;
use crate::apps::deployments;
use crate::apps::dormant::BuildState;
use crate::apps::slot::Slot;
use hyper::StatusCode;
use hyper::body::Incoming;
use std::sync::Arc;

/// `query`: the version that is named, or how many to keep: `version=ID`, `keep=N`.
pub async fn obey(
    slot: Option<Arc<Slot>>,
    name: &str,
    order: &str,
    query: Option<&str>,
    body: Incoming,
) -> Answer {
    let Some(slot) = slot else {
        bodies::discard(body).await;
        return unknown(name);
    };
    let given = |key: &str| -> Option<String> {
        let pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(found, _)| *found == key).map(|(_, value)| value.to_owned()).next()
    };
    let version = given("version");
    match order {
        "deploy" => deploy(slot, name, body).await,
        "rollback" => {
            let work = move || deployments::roll_back(&slot, version.as_deref());
            done(name, work, |version| format!("{name} is now {}", version.id)).await
        }
        "pin" => {
            let work = move || deployments::pin(&slot, version.as_deref());
            done(name, work, |id| format!("{name} stays at {id}")).await
        }
        "unpin" => {
            let work = move || deployments::unpin(&slot);
            done(name, work, |()| format!("{name} follows deployments and its file again")).await
        }
        "prune" => {
            let Ok(keep) = given("keep").unwrap_or_else(|| "1".to_owned()).parse() else {
                return text(StatusCode::BAD_REQUEST, "keep is a whole number\n");
            };
            let work = move || deployments::prune(&slot, keep);
            done(name, work, |gone| match gone.as_slice() {
                [] => format!("{name} has no more versions than that"),
                gone => format!("removed {}", gone.join(", ")),
            })
            .await
        }
        _ => text(StatusCode::NOT_FOUND, "Not Found\n"),
    }
}

/// The versions of an app, as JSON, oldest first.
pub fn versions(slot: &Slot) -> Answer {
    let record = match deployments::record(slot) {
        Ok(record) => record,
        Err(sentence) => return text(StatusCode::CONFLICT, &(sentence + "\n")),
    };
    let served = match slot.as_dormant().map(|dormant| dormant.state()) {
        Some(BuildState::Ready(version)) => Some(version.id),
        _ => None,
    };
    let shown = record.deployed.iter().map(|version| {
        let is_served = record.current.as_ref() == Some(&version.id);
        serde_json::json!({
            "version": version.id, "deployed": version.at, "served": is_served, "replaced": version.before,
        })
    });
    json(&serde_json::json!({
        "app": slot.name, "served": served, "pinned": record.pinned,
        "file_is_served": record.current.is_none(), "deployed": shown.collect::<Vec<_>>(),
    }))
}

/// Receive a component into the app's store, and deploy it.
async fn deploy(slot: Arc<Slot>, name: &str, body: Incoming) -> Answer {
    let file = match deployments::incoming(&slot) {
        Ok(file) => file,
        Err(sentence) => {
            bodies::discard(body).await;
            return text(StatusCode::CONFLICT, &(sentence + "\n"));
        }
    };
    let most = slot.as_dormant().map_or(0, |app| app.tenant.config.limits.max_component);
    let answer = match bodies::receive(body, &file, most).await {
        Ok(()) => {
            let file = file.clone();
            let work = move || deployments::deploy(&slot, &file);
            done(name, work, |version| format!("{name} is now {}", version.id)).await
        }
        Err(sentence) => text(StatusCode::BAD_REQUEST, &(sentence + "\n")),
    };
    let _ = std::fs::remove_file(&file);
    answer
}

async fn done<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
    told: impl FnOnce(T) -> String,
) -> Answer {
    let outcome = tokio::task::spawn_blocking(work).await;
    match outcome.map_err(|e| e.to_string()).and_then(|outcome| outcome) {
        Ok(value) => text(StatusCode::OK, &(told(value) + "\n")),
        Err(sentence) => {
            text(StatusCode::UNPROCESSABLE_ENTITY, &format!("{name} stays as it is: {sentence}\n"))
        }
    }
}

pub fn unknown(name: &str) -> Answer {
    text(StatusCode::NOT_FOUND, &format!("there is no app {name:?}\n"))
}
