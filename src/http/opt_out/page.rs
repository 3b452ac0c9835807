//! The pages behind a link: plain, whole in themselves, without a script, and for nobody's index or cache.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use dunlin_workflows::phone_number::PhoneNumber;

use crate::http::problem::Problem;

/// How it looks. Its hash stands in [`POLICY`].
const STYLE: &str = "body{font:1.125rem/1.5 system-ui,sans-serif;max-width:32rem;margin:3rem auto;padding:0 1rem}\
button{font:inherit;padding:.75rem 1.5rem}";

/// Nothing is loaded but the style above, nothing runs, and nobody frames it to have the button pressed unawares.
const POLICY: &str = "default-src 'none'; style-src 'sha256-OEubBWfdHvyFdM4dUCyDCn7+3QAPMgW75UHt1jeh1Ec='; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What every page comes with. The address is a secret of the person's: it goes to no other site and into no index.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
    (HeaderName::from_static("content-security-policy"), HeaderValue::from_static(POLICY)),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow")),
];

/// The button. A mail program that knows RFC 8058 sends the same field.
const FORM: &str = "<form method=\"post\"><input type=\"hidden\" name=\"List-Unsubscribe\" value=\"One-Click\">\
<button>Stop the texts</button></form>";

/// A page on its way to whoever opened a link.
#[derive(Debug)]
pub(in crate::http) struct Page {
    status: StatusCode,
    title: &'static str,
    words: String,
    has_button: bool,
    retry_after: Option<HeaderValue>,
}

impl Page {
    fn new(status: StatusCode, title: &'static str, words: impl Into<String>) -> Self {
        Self { status, title, words: words.into(), has_button: false, retry_after: None }
    }

    /// What the button does.
    pub(super) fn question(to: PhoneNumber) -> Self {
        let words = format!(
            "This is about the number {}. When you press the button, we send it no more texts, and those that are waiting \
             to be sent are dropped. To get texts again, text START to the number that they came from.",
            to.masked()
        );
        Self { has_button: true, ..Self::new(StatusCode::OK, "Stop our texts?", words) }
    }

    /// They get no more texts.
    pub(super) fn is_out(to: PhoneNumber) -> Self {
        let words = format!(
            "The number {} gets no more texts from us. To get them again, text START to the number that they came from.",
            to.masked()
        );
        Self::new(StatusCode::OK, "No more texts", words)
    }

    /// Whatever the reason, it is told alike: nobody learns whom there is or was.
    pub(super) fn nobody() -> Self {
        let words = "It may have been cut off: open it again from the text itself. You can also answer one of our texts with STOP.";
        Self::new(StatusCode::NOT_FOUND, "This link does not work", words)
    }

    /// It could not be done now.
    pub(super) fn trouble(problem: &Problem) -> Self {
        let words =
            "We can't say that it was done. Try again in a minute, or answer one of our texts with STOP.";
        let retry_after = problem.retry_after().map(|wait| HeaderValue::from(wait.as_secs().max(1)));
        Self { retry_after, ..Self::new(problem.status(), "That did not work just now", words) }
    }

    /// Every part of it is our own or a masked number, so there is nothing to escape.
    fn html(&self) -> String {
        let Self { title, words, .. } = self;
        let form = if self.has_button { FORM } else { "" };
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
             <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"robots\" content=\"noindex,nofollow\">\
             <style>{STYLE}</style></head><body><h1>{title}</h1><p>{words}</p>{form}</body></html>\n"
        )
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut response = (self.status, HEADERS, self.html()).into_response();
        if let Some(wait) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, wait);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn policy_lets_in_the_style_and_nothing_else() {
        let hash = STANDARD.encode(Sha256::digest(STYLE));
        assert!(POLICY.contains(&format!("style-src 'sha256-{hash}';")), "{hash}");
        let page = Page::question(PhoneNumber::parse("+15551234567", None).unwrap());
        let html = page.html();
        assert!(html.contains(&format!("<style>{STYLE}</style>")));
        for reaching in ["<script", " src=", " href=", " style=", "http:", "https:"] {
            assert!(!html.contains(reaching), "{reaching}");
        }
        assert!(html.contains("+15*******67") && !html.contains("+15551234567"), "{html}");
    }
}
