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

use tracing::error;

use super::{auth::Caller, problem::Problem, task::to_the_end};
use crate::{
    accounts::vault::Place,
    clock,
    context::{Context, Shared},
    store::Begun,
};

const NAME: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const LONGEST: usize = 255;

/// Does `work` once for each key of the project, and to its end even if the client hangs up: that
/// is when it will ask again. Only a success is remembered: what failed may be tried again with
/// the same key.
pub(super) async fn once<B, R, F>(
    context: Shared,
    caller: &Caller,
    headers: &HeaderMap,
    what: &str,
    body: &B,
    work: impl FnOnce(Shared) -> F,
) -> Result<Response, Problem>
where
    B: Serialize,
    R: Serialize + Send + 'static,
    F: Future<Output = Result<R, Problem>> + Send + 'static,
{
    let work = work(context.clone());
    let Some(key) = given(headers)? else {
        return Ok((StatusCode::CREATED, Json(to_the_end(work).await?)).into_response());
    };
    let told = serde_json::to_vec(body).map_err(|_| Problem::internal())?;
    let hash = Sha256::new().chain_update(what).chain_update("\n").chain_update(told).finalize();
    let request = Request { project: caller.project_id.clone(), key, hash: HEXLOWER.encode(&hash) };
    to_the_end(async move { request.answer(&context, work).await }).await
}

/// A request that names itself.
struct Request {
    project: String,
    key: String,
    hash: String,
}

impl Request {
    async fn answer<R: Serialize>(
        &self,
        context: &Context,
        work: impl Future<Output = Result<R, Problem>>,
    ) -> Result<Response, Problem> {
        let (store, now) = (&context.store, clock::now());
        match store.begin_idempotent(&self.project, &self.key, &self.hash, now).await? {
            Begun::Fresh => self.first(context, work).await,
            Begun::Replay { status, body } => {
                let body = context.vault.open(self.place(), &body);
                let body = body.map_err(|_| Problem::internal())?;
                Ok(replay(status, body.expose_secret()))
            }
            Begun::InProgress => Err(Problem::conflict(
                "the first request with this Idempotency-Key is still worked on",
            )),
            Begun::Mismatch => Err(Problem::field(
                "Idempotency-Key",
                "it was used for another request; give a new one",
            )),
        }
    }

    async fn first<R: Serialize>(
        &self,
        context: &Context,
        work: impl Future<Output = Result<R, Problem>>,
    ) -> Result<Response, Problem> {
        let (store, status) = (&context.store, StatusCode::CREATED);
        let (noted, answer) = match work.await {
            Ok(made) => {
                let text = serde_json::to_string(&made).map_err(|_| Problem::internal())?;
                // A body may hold what is shown only once, such as a new API key.
                let sealed = context.vault.seal(self.place(), &SecretString::from(text));
                let finish =
                    store.finish_idempotent(&self.project, &self.key, status.as_u16(), &sealed);
                (finish.await, Ok((status, Json(made)).into_response()))
            }
            Err(problem) => {
                (store.abandon_idempotent(&self.project, &self.key).await, Err(problem))
            }
        };
        if let Err(error) = noted {
            // What was done is done: the client is told that, rather than this.
            error!(%error, "the outcome of a request with an Idempotency-Key is not noted");
        }
        answer
    }

    fn place(&self) -> Place<'_> {
        Place { table: "idempotency_keys", column: "body", row: &self.key, project: &self.project }
    }
}

fn given(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(NAME) else {
        return Ok(None);
    };
    let sound = |text: &&str| {
        (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let text = value.to_str().ok().filter(sound);
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
