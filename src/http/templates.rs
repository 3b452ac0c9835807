//! `/v1/templates`: texts with variables, their versions, and what they look like filled.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, RawQuery, State as Extract};
use axum::http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, RequestPartsExt as _};
use dunlin_storage::{InstanceEvent, InstanceKind, JournalSeq, Reader, Templates, Users, record};
use dunlin_workflows::message::UserId;
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::policy::{self, ZoneByRegion};
use dunlin_workflows::template::{CheckedContent, Content, Event, Locale, Rejection, Template, TemplateKey};
use dunlin_workflows::zone::Zone;
use serde_json::{Map, Value, json};

use crate::engine::ask::{AskError, TemplateAsk, TemplateWish};
use crate::http::accept::MESSAGE_MAX;
use crate::http::asker::Asker;
use crate::http::field_errors::{FieldErrors, object};
use crate::http::paging::{self, Paging};
use crate::http::problem::{Code, Problem};
use crate::http::template_json::{content, said, told};
use crate::http::whole_body::JsonBody;
use crate::http::wording::{Shelf, rendered};
use crate::http::{App, etag, instant, warning_json};

impl Shelf for App {
    fn template(&self, key: &TemplateKey) -> Result<Option<(u64, Template)>, Problem> {
        find(&self.reader()?, key)
    }

    fn zone(&self, user: Option<&UserId>) -> Result<Option<Zone>, Problem> {
        let limits = &self.edge.rules.limits;
        let Some(user) = user else { return Ok(limits.zone) };
        let reader = self.reader()?;
        let number = reader.user_of(user)?;
        let known = number.map(|user| reader.instance::<Users>(user.get())).transpose()?.flatten();
        let own = known.and_then(|user| user.number).filter(|_| limits.zone_by_region == ZoneByRegion::On);
        let own = own.map(|number| reader.number_of(number.person)).transpose()?.flatten();
        let preferences = known.and_then(|user| user.preferences);
        let known = policy::whereabouts(preferences.as_ref(), own.and_then(PhoneNumber::region), limits);
        Ok(known.map(|(zone, _)| zone))
    }
}

pub(super) fn find(reader: &Reader, key: &TemplateKey) -> Result<Option<(u64, Template)>, Problem> {
    let Some(number) = reader.instance_named(InstanceKind::Template, key.as_str())? else { return Ok(None) };
    Ok(reader.instance::<Templates>(number)?.flatten().map(|known| (number, known)))
}

/// `GET /v1/templates`: all of them, in the order in which they were first written.
pub(super) async fn list(
    Extract(app): Extract<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let wanted = paging::wanted(query.as_deref(), |paging: &mut Paging, name, value| {
        if paging.take(name, value)? { Ok(()) } else { Err(paging::unknown(name, "limit, cursor")) }
    })?;
    let page = paging::read(app, move |reader| {
        let found = reader.instances::<Templates>(wanted.before.unwrap_or(0), wanted.limit)?;
        let last = found.last().filter(|_| found.len() >= wanted.limit);
        let next = last.map(|(number, _)| paging::cursor(*number));
        let rows: Vec<Value> = found.iter().filter_map(|(_, known)| known.as_ref().map(told)).collect();
        Ok(json!({"data": rows, "has_more": next.is_some(), "next_cursor": next}))
    });
    page.await.map(Json)
}

/// `GET /v1/templates/{key}`.
pub(super) async fn show(Extract(app): Extract<Arc<App>>, Named(key): Named) -> Result<Response, Problem> {
    let (_, known) = find(&app.reader()?, &key)?.ok_or_else(|| not_found(&key))?;
    Ok(tagged(StatusCode::OK, &known))
}

/// `GET /v1/templates/{key}/versions`: newest first.
pub(super) async fn versions(
    Extract(app): Extract<Arc<App>>,
    Named(key): Named,
) -> Result<Json<Value>, Problem> {
    paging::read(app, move |reader| {
        let (_, known) = find(reader, &key)?.ok_or_else(|| not_found(&key))?;
        let mut rows = Vec::new();
        for version in (1..=known.newest()).rev() {
            if let Some((content, at)) = version_of(reader, &known, version)? {
                let used = known.published.as_ref().is_some_and(|published| published.version == version);
                rows.push(json!({"version": version, "is_used": used, "published_at": at, "content": said(&content)}));
            }
        }
        Ok(Json(json!({"data": rows})))
    })
    .await
}

fn version_of(reader: &Reader, known: &Template, version: u32) -> Result<Option<(Content, String)>, Problem> {
    let Some(at) = known.version_at(version) else { return Ok(None) };
    let record = reader.record(JournalSeq::new(at))?;
    let at = instant::format(record.at);
    Ok(match record.event {
        record::Event::Instance {
            event: InstanceEvent::Template(Event::Published { published, .. }),
            ..
        } => Some((published.content, at)),
        record::Event::Instance { .. }
        | record::Event::Message { .. }
        | record::Event::Lane { .. }
        | record::Event::Person { .. } => None,
    })
}

/// `PUT /v1/templates/{key}`: writes what will be its next version. `If-Match` names the revision that the caller has
/// seen; `If-None-Match: *` writes only what is not there.
pub(super) async fn put(
    Extract(app): Extract<Arc<App>>,
    Asker(asker): Asker,
    Named(key): Named,
    headers: HeaderMap,
    JsonBody(body): JsonBody<MESSAGE_MAX>,
) -> Result<Response, Problem> {
    app.room()?;
    let content = content(&object(&body)?)?;
    let what = TemplateWish::Draft(checked(move || Ok(content)).await?);
    let none_yet = headers.get(IF_NONE_MATCH).is_some_and(|tag| tag.as_bytes() == b"*");
    let seen = if none_yet { Some(0) } else { etag::seen(&headers, &IF_MATCH)? };
    let known = app.on_duty()?.engine.template(TemplateAsk { key, what, seen }, asker).await?;
    let status = if known.revision == 1 { StatusCode::CREATED } else { StatusCode::OK };
    Ok(tagged(status, &known))
}

/// `DELETE /v1/templates/{key}/draft`: what is used stays.
pub(super) async fn discard(
    Extract(app): Extract<Arc<App>>,
    Asker(asker): Asker,
    Named(key): Named,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let seen = etag::seen(&headers, &IF_MATCH)?;
    let ask = TemplateAsk { key, what: TemplateWish::Discard, seen };
    Ok(tagged(StatusCode::OK, &app.on_duty()?.engine.template(ask, asker).await?))
}

/// `POST /v1/templates/{key}/{what}`: publish, rollback, activate, deactivate.
pub(super) async fn tell(
    Extract(app): Extract<Arc<App>>,
    Asker(asker): Asker,
    Path((key, what)): Path<(String, String)>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<MESSAGE_MAX>,
) -> Result<Response, Problem> {
    let key = named(&key)?;
    let seen = etag::seen(&headers, &IF_MATCH)?;
    let what = match what.as_str() {
        "publish" => {
            let (app, key) = (Arc::clone(&app), key.clone());
            TemplateWish::Publish(checked(move || draft_of(&app.reader()?, &key, seen)).await?)
        }
        "activate" => TemplateWish::Activate,
        "deactivate" => TemplateWish::Deactivate,
        "rollback" => {
            let object = object(&body)?;
            let mut wrong = FieldErrors::under("");
            wrong.unknown(&object, &["version"]);
            let version = object.get("version").and_then(Value::as_u64);
            let version = version.and_then(|version| u32::try_from(version).ok());
            if version.is_none() {
                wrong.add("version", "invalid", "expected the number of a version".to_owned());
            }
            wrong.none()?;
            let version = version.unwrap_or_default();
            let (app, key) = (Arc::clone(&app), key.clone());
            let content = move || content_of(&app.reader()?, &key, seen, version);
            TemplateWish::RollBack(version, checked(content).await?)
        }
        _unknown => {
            return Err(Problem::new(
                Code::NotFound,
                "a template can be told: publish, rollback, activate, deactivate",
            ));
        }
    };
    Ok(tagged(StatusCode::OK, &app.on_duty()?.engine.template(TemplateAsk { key, what, seen }, asker).await?))
}

/// What a template shall say, looked through before the engine is asked: that takes long, and nobody else may wait for it.
async fn checked(
    content: impl FnOnce() -> Result<Content, Problem> + Send + 'static,
) -> Result<Box<CheckedContent>, Problem> {
    let check = move || CheckedContent::new(content()?).map_err(|faults| refused(Rejection::Faulty(faults)));
    let checked = tokio::task::spawn_blocking(check).await;
    checked.map(|checked| checked.map(Box::new)).map_err(|_panicked_or_stopped| {
        Problem::new(Code::Internal, "the template could not be checked; the operator's log says more")
    })?
}

/// The template, as the caller has seen it.
fn seen_by_caller(reader: &Reader, key: &TemplateKey, seen: Option<u64>) -> Result<Template, Problem> {
    let (_, known) = find(reader, key)?.ok_or_else(|| refused(Rejection::NotFound(key.clone())))?;
    let revision = known.revision;
    if seen.is_some_and(|seen| seen != revision) {
        return Err(refused(Rejection::Changed { revision }));
    }
    Ok(known)
}

fn draft_of(reader: &Reader, key: &TemplateKey, seen: Option<u64>) -> Result<Content, Problem> {
    let draft = seen_by_caller(reader, key, seen)?.draft;
    draft.ok_or_else(|| refused(Rejection::NoDraft(key.clone())))
}

fn content_of(
    reader: &Reader,
    key: &TemplateKey,
    seen: Option<u64>,
    version: u32,
) -> Result<Content, Problem> {
    let known = seen_by_caller(reader, key, seen)?;
    let found = version_of(reader, &known, version)?.map(|(content, _)| content);
    let missing = || Rejection::NoVersion { key: key.clone(), version, newest: known.newest() };
    found.ok_or_else(|| refused(missing()))
}

fn refused(rejection: Rejection) -> Problem {
    AskError::Template(rejection).into()
}

/// `POST /v1/templates/{key}/preview`: what it looks like with these values. `version` is a number or `"draft"`; what is
/// used when it is left out.
pub(super) async fn preview(
    Extract(app): Extract<Arc<App>>,
    Named(key): Named,
    JsonBody(body): JsonBody<MESSAGE_MAX>,
) -> Result<Json<Value>, Problem> {
    let reader = app.reader()?;
    let (_, known) = find(&reader, &key)?.ok_or_else(|| not_found(&key))?;
    let object = object(&body)?;
    let mut wrong = FieldErrors::under("");
    wrong.unknown(&object, &["vars", "locale", "user_id", "version"]);
    let mut text = |name: &str| match object.get(name) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.as_str()),
        Some(_) => {
            wrong.add(name, "invalid", "expected a string".to_owned());
            None
        }
    };
    let (locale, user_id) = (text("locale"), text("user_id"));
    let locale = wrong.parse("locale", locale, str::parse::<Locale>);
    let user_id = wrong.parse("user_id", user_id, str::parse::<UserId>);
    let empty = Map::new();
    let vars = match object.get("vars") {
        None | Some(Value::Null) => &empty,
        Some(Value::Object(vars)) => vars,
        Some(_) => {
            wrong.add("vars", "invalid", "expected an object of values".to_owned());
            &empty
        }
    };
    let content = match object.get("version") {
        None | Some(Value::Null) => {
            known.published.as_ref().map(|published| published.content.clone()).or(known.draft.clone())
        }
        Some(Value::String(word)) if word == "draft" => known.draft.clone(),
        Some(version) => match version.as_u64().and_then(|version| u32::try_from(version).ok()) {
            Some(version) => version_of(&reader, &known, version)?.map(|(content, _)| content),
            None => None,
        },
    };
    let Some(content) = content else {
        wrong.add(
            "version",
            "invalid",
            "there is no such version; expected a number or \"draft\"".to_owned(),
        );
        wrong.none()?;
        return Err(not_found(&key));
    };
    let rendered = rendered(&content, locale.as_ref(), vars, app.zone(user_id.as_ref())?, &mut wrong);
    wrong.none()?;
    let rendered = rendered.ok_or_else(|| not_found(&key))?;
    let (encoding, segments) = rendered.body.measure();
    Ok(Json(json!({
        "body": rendered.body.as_str(),
        "locale": rendered.locale.map(Locale::as_str),
        "length": rendered.body.as_str().chars().count(),
        "segments": segments,
        "encoding": encoding.to_string(),
        "warnings": warning_json::of_text(rendered.body.as_str()),
        "template": said(&content),
    })))
}

fn tagged(status: StatusCode, known: &Template) -> Response {
    let mut response = (status, Json(told(known))).into_response();
    if let Ok(tag) = HeaderValue::try_from(format!("\"{}\"", known.revision)) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

pub(super) fn not_found(key: &TemplateKey) -> Problem {
    Problem::new(
        Code::TemplateNotFound,
        format!("there is no template \"{key}\"; GET /v1/templates lists them"),
    )
}

fn named(key: &str) -> Result<TemplateKey, Problem> {
    key.parse().map_err(|error: dunlin_workflows::template::TemplateKeyError| {
        Problem::new(Code::TemplateNotFound, error.to_string())
    })
}

/// The `{key}` in a path.
pub(super) struct Named(pub(super) TemplateKey);

impl<S: Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let path = parts.extract::<Path<String>>().await;
        named(&path.map(|Path(key)| key).unwrap_or_default()).map(Self)
    }
}
