//! `/o/{token}`: whoever has a person's link opts them out with one click, without a key or an account.
//!
//! Looking changes nothing, because messengers and scanners look at every link before people do. A POST opts out, whatever
//! its body says: the button of the page, `List-Unsubscribe=One-Click` (RFC 8058, section 3.2,
//! <https://www.rfc-editor.org/rfc/rfc8058>, read 2026-11-29), a form of a web app. There is no limit on how often: whoever
//! used it up would keep others from opting out. A token that is not ours is refused before anything is read.

pub(super) mod links;
mod page;

use std::convert::Infallible;
use std::sync::Arc;

use axum::RequestPartsExt as _;
use axum::extract::{FromRequestParts, Path, State as Extract};
use axum::http::request::Parts;
use dunlin_storage::OptOutToken;
use dunlin_workflows::consent::Command;
use dunlin_workflows::id::PersonNumber;
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::source::Source;

use crate::engine::ask::{AskError, Whom};
use crate::http::App;
use crate::http::problem::Problem;
use crate::http::whole_body::WholeBody;
use crate::opt_out_link;

use page::Page;

/// Largest body, in bytes; a one-click form has less than three hundred, its boundaries included.
const FORM_MAX: usize = 4 * 1024;

/// Whom a link names.
struct Named {
    person: PersonNumber,
    to: PhoneNumber,
    is_out: bool,
}

/// `GET /o/{token}`: what the button does. Changes nothing.
pub(super) async fn show(Extract(app): Extract<Arc<App>>, Shown(token): Shown) -> Page {
    match named(&app, token) {
        Ok(Some(named)) if named.is_out => Page::is_out(named.to),
        Ok(Some(named)) => Page::question(named.to),
        Ok(None) => Page::nobody(),
        Err(problem) => Page::trouble(&problem),
    }
}

/// `POST /o/{token}`: the person gets no more texts. Answered after that is durable; again is as well as once.
pub(super) async fn opt_out(
    Extract(app): Extract<Arc<App>>,
    Shown(token): Shown,
    WholeBody(_any): WholeBody<FORM_MAX>,
) -> Page {
    match used(&app, token).await {
        Ok(Some(to)) => Page::is_out(to),
        Ok(None) => Page::nobody(),
        Err(problem) => Page::trouble(&problem),
    }
}

async fn used(app: &App, token: Option<OptOutToken>) -> Result<Option<PhoneNumber>, Problem> {
    let Some(named) = named(app, token)? else { return Ok(None) };
    // What a reader sees is durable: who is out need not be told of again.
    if named.is_out {
        return Ok(Some(named.to));
    }
    let engine = &app.on_duty()?.engine;
    match engine.consent(Whom::Person(named.person), Command::UseLink, Source::Link).await {
        Ok(_out) => Ok(Some(named.to)),
        Err(AskError::Erased) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whom a token names; nobody when we did not make it, or they were erased.
fn named(app: &App, token: Option<OptOutToken>) -> Result<Option<Named>, Problem> {
    let Some(token) = token else { return Ok(None) };
    let on_duty = app.on_duty()?;
    if !on_duty.store.is_opt_out_token(token) {
        return Ok(None);
    }
    let reader = on_duty.store.reader()?;
    let Some(person) = reader.person_of_opt_out_token(token)? else { return Ok(None) };
    let Some(to) = reader.number_of(person)? else { return Ok(None) };
    Ok(Some(Named { person, to, is_out: reader.consent(person)?.is_firmly_out() }))
}

/// The `{token}` in a path, if it may be one.
pub(super) struct Shown(Option<OptOutToken>);

impl<S: Sync> FromRequestParts<S> for Shown {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let path = parts.extract::<Path<String>>().await;
        Ok(Self(path.ok().and_then(|Path(text)| opt_out_link::token(&text))))
    }
}
