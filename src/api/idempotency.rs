//! `Idempotency-Key`: a creation that is sent twice is done once, and answered twice alike.

use std::future::Future;

use axum::{
    Json,
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use data_encoding::HEXLOWER;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{auth::Caller, problem::Problem};
use crate::{accounts::vault::Place, clock, context::Context, store::Begun};

const NAME: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const LONGEST: usize = 255;

/// Does `work` once for each key of the project. Only a success is remembered: what failed may
/// be tried again with the same key.
pub(super) async fn once<B: Serialize, R: Serialize>(
    context: &Context,
    caller: &Caller,
    headers: &HeaderMap,
    what: &str,
    body: &B,
    work: impl Future<Output = Result<R, Problem>>,
) -> Result<Response, Problem> {
    let Some(key) = given(headers)? else {
        return Ok((StatusCode::CREATED, Json(work.await?)).into_response());
    };
    let project = &caller.project_id;
    let place = Place { table: "idempotency_keys", column: "body", row: &key, project };
    let told = serde_json::to_vec(body).map_err(|_| Problem::internal())?;
    let hash = Sha256::new().chain_update(what).chain_update("\n").chain_update(told).finalize();
    match context
        .store
        .begin_idempotent(project, &key, &HEXLOWER.encode(&hash), clock::now())
        .await?
    {
        Begun::Fresh => {}
        Begun::Replay { status, body } => {
            let body = context.vault.open(place, &body).map_err(|_| Problem::internal())?;
            return Ok(replay(status, body.expose_secret()));
        }
        Begun::InProgress => {
            return Err(Problem::conflict(
                "the first request with this Idempotency-Key is still worked on",
            ));
        }
        Begun::Mismatch => {
            return Err(Problem::field(
                "Idempotency-Key",
                "it was used for another request; give a new one",
            ));
        }
    }
    match work.await {
        Ok(made) => {
            let text = serde_json::to_string(&made).map_err(|_| Problem::internal())?;
            // A body may hold what is shown only once, such as a new API key.
            let sealed = context.vault.seal(place, &SecretString::from(text));
            let status = StatusCode::CREATED;
            context.store.finish_idempotent(project, &key, status.as_u16(), &sealed).await?;
            Ok((status, Json(made)).into_response())
        }
        Err(problem) => {
            context.store.abandon_idempotent(project, &key).await?;
            Err(problem)
        }
    }
}

fn given(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(NAME) else {
        return Ok(None);
    };
    let text = value.to_str().ok().filter(|text| !text.is_empty() && text.len() <= LONGEST);
    text.map(|text| Some(text.to_owned())).ok_or_else(|| {
        Problem::field("Idempotency-Key", format!("give 1 to {LONGEST} visible ASCII characters"))
    })
}

fn replay(status: u16, body: &str) -> Response {
    let mut response = Response::new(Body::from(body.to_owned()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
