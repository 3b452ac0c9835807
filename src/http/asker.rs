//! Who asks: the key that was shown, the name that its holder gives, and a reason.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderName;
use axum::http::request::Parts;
use dunlin_workflows::actor::{ActorName, Origin, Reason};
use dunlin_workflows::source::Source;

use crate::http::App;
use crate::http::api_key::Admitted;
use crate::http::problem::{Code, Problem};

/// The name that the holder of a key gives: a person, a service. Trusted as far as the key is.
const ACTOR: HeaderName = HeaderName::from_static("dunlin-actor");
/// Why, in one line.
const REASON: HeaderName = HeaderName::from_static("dunlin-reason");

/// Who asks, and why.
#[derive(Debug, Clone)]
pub(super) struct Asker(pub(super) Origin);

impl FromRequestParts<Arc<App>> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let key = Admitted::from_request_parts(parts, app).await?;
        let header = |name: &HeaderName| {
            parts.headers.get(name).map(|value| {
                value.to_str().map_err(|_not_ascii| {
                    Problem::new(Code::BadRequest, format!("{name} holds characters beyond ASCII"))
                })
            })
        };
        let refuse = |name: &HeaderName, why: &dyn std::fmt::Display| {
            Problem::new(Code::BadRequest, format!("{name}: {why}"))
        };
        let named = header(&ACTOR).transpose()?;
        let who = match named {
            Some(name) => format!("{}/{name}", key.name()),
            None => key.name().to_owned(),
        };
        let actor = who.parse::<ActorName>().map_err(|error| refuse(&ACTOR, &error))?;
        let reason = header(&REASON).transpose()?.map(str::parse::<Reason>).transpose();
        let reason = reason.map_err(|error| refuse(&REASON, &error))?;
        Ok(Self(Origin { source: Source::Api, actor: Some(actor), reason }))
    }
}
