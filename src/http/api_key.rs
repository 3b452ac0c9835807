//! Keys of the API: who shows one may use what it is for.

use std::fmt;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Request, State as Extract};
use axum::http::Method;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use dunlin_workflows::actor::ActorName;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::http::problem::{Code, Problem};

/// Fewest characters of a key that is written with its scopes: it is random, so nobody need remember it.
const TOKEN_CHARS_MIN: usize = 16;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Look at everything but the audit and backups.
    Read,
    /// Ask for texts, change those that wait, prove numbers, set what users prefer.
    Send,
    /// Let an urgent text pass quiet hours, if its recipient wants urgent alerts.
    Urgent,
    /// Write and publish templates.
    Templates,
    /// Consent, recoveries, backups, the audit.
    Admin,
}

/// Every scope with the word for it.
pub const SCOPES: [(Scope, &str); 5] = [
    (Scope::Read, "read"),
    (Scope::Send, "send"),
    (Scope::Urgent, "urgent"),
    (Scope::Templates, "templates"),
    (Scope::Admin, "admin"),
];

/// What the one token of a deployment without keys is for, and whoever asks on this machine when there is none:
/// everything but passing quiet hours, which somebody must have said.
const TOKEN_SCOPES: [Scope; 4] = [Scope::Read, Scope::Send, Scope::Templates, Scope::Admin];

/// A key with what it is for.
#[derive(Debug, Clone)]
pub struct ApiKey {
    name: ActorName,
    scopes: Vec<Scope>,
    digest: [u8; 32],
}

/// Keys as the configuration holds them: `NAME:SCOPE+SCOPE:KEY`, one after the other.
#[derive(Debug, Clone, Default)]
pub struct ApiKeys(Vec<ApiKey>);

/// The configuration's keys can't be read. The text shows no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeysError {
    /// It is not of that form.
    #[error("key {place} is not NAME:SCOPE+SCOPE:KEY, such as web:read+send:...")]
    Form {
        /// Which one, from 1.
        place: usize,
    },
    /// Its name is none.
    #[error("key {place} has a name that is not 1 to 64 visible ASCII characters without a colon or a slash")]
    Name {
        /// Which one, from 1.
        place: usize,
    },
    /// There is no such scope.
    #[error("key {name} is for \"{word}\"; scopes are read, send, urgent, templates and admin")]
    Scope {
        /// The key's name.
        name: String,
        /// What it is said to be for.
        word: String,
    },
    /// It is easily guessed.
    #[error("key {name} has fewer than {TOKEN_CHARS_MIN} characters; draw one with: openssl rand -hex 24")]
    Short {
        /// The key's name.
        name: String,
    },
    /// Two are called the same.
    #[error("two keys are called {name}; the audit could not tell them apart")]
    Twice {
        /// The name.
        name: String,
    },
}

impl FromStr for ApiKeys {
    type Err = ApiKeysError;

    fn from_str(text: &str) -> Result<Self, ApiKeysError> {
        let mut keys = Self::default();
        for (index, entry) in text.split_ascii_whitespace().enumerate() {
            let place = index.saturating_add(1);
            let mut parts = entry.splitn(3, ':');
            let (Some(name), Some(words), Some(token)) = (parts.next(), parts.next(), parts.next()) else {
                return Err(ApiKeysError::Form { place });
            };
            let plain = !name.contains('/');
            let named = name.parse::<ActorName>().ok().filter(|_| plain);
            let named = named.ok_or(ApiKeysError::Name { place })?;
            let name = || name.to_owned();
            let scopes = words.split('+').map(|word| {
                let known = SCOPES.into_iter().find(|(_, known)| *known == word).map(|(scope, _)| scope);
                let word = word.chars().take(32).collect();
                known.ok_or_else(|| ApiKeysError::Scope { name: name(), word })
            });
            let scopes = scopes.collect::<Result<Vec<_>, _>>()?;
            if token.chars().count() < TOKEN_CHARS_MIN {
                return Err(ApiKeysError::Short { name: name() });
            }
            if keys.0.iter().any(|known| known.name == named) {
                return Err(ApiKeysError::Twice { name: name() });
            }
            keys.0.push(ApiKey { name: named, scopes, digest: Sha256::digest(token).into() });
        }
        Ok(keys)
    }
}

impl ApiKeys {
    /// The same keys, and the token of a deployment that has one for everything.
    #[must_use]
    pub fn with_token(mut self, token: Option<&SecretString>) -> Self {
        if let Some(token) = token {
            let digest: [u8; 32] = Sha256::digest(token.expose_secret()).into();
            let name: [u8; 32] = Sha256::digest(digest).into();
            let [a, b, c, d, ..] = name;
            // It tells tokens apart in the audit and does not tell the token.
            if let Ok(name) = format!("key:{:08x}", u32::from_be_bytes([a, b, c, d])).parse() {
                self.0.push(ApiKey { name, scopes: TOKEN_SCOPES.to_vec(), digest });
            }
        }
        self
    }

    /// Whether there are none, so that everybody on this machine may ask.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose this `Authorization` is. All keys are compared, by digest, so that time tells nothing. The scheme's case does
    /// not matter (RFC 9110, 11.1).
    fn shown(&self, authorization: &[u8]) -> Option<&ApiKey> {
        let (scheme, token) = authorization.split_at_checked(7)?;
        if !scheme.eq_ignore_ascii_case(b"Bearer ") {
            return None;
        }
        let digest: [u8; 32] = Sha256::digest(token).into();
        let mut found = None;
        for key in &self.0 {
            if bool::from(key.digest.ct_eq(&digest)) {
                found = Some(key);
            }
        }
        found
    }
}

/// Who was let in, and what for.
#[derive(Debug, Clone)]
pub(super) struct Admitted {
    name: String,
    scopes: Vec<Scope>,
}

impl Admitted {
    /// Whoever asks on this machine, when there are no keys.
    fn local() -> Self {
        Self { name: "local".to_owned(), scopes: TOKEN_SCOPES.to_vec() }
    }

    /// The key's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the key is for this.
    pub(super) fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}

impl<S: Sync> FromRequestParts<S> for Admitted {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(Self::local))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCOPES.into_iter().find(|(scope, _)| scope == self).map_or("", |(_, word)| word))
    }
}

/// What one must be allowed to ask this. What nobody thought of needs the most.
fn needed(method: &Method, path: &str) -> Scope {
    let under =
        |root: &str| path == root || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'));
    let looks = matches!(*method, Method::GET | Method::HEAD);
    let of_template = path.strip_prefix("/v1/templates/").and_then(|rest| rest.split_once('/'));
    let fills = *method == Method::POST && of_template.is_some_and(|(_, what)| what == "preview");
    let asks_only = under("/v1/preview") || fills;
    // Whoever has a person's link opts them out.
    let gives_link = under("/v1/users") && path.ends_with("/opt-out-link");
    if under("/v1/audit") || under("/v1/backups") || gives_link {
        Scope::Admin
    } else if looks || asks_only {
        Scope::Read
    } else if under("/v1/templates") {
        Scope::Templates
    } else if ["/v1/messages", "/v1/users", "/v1/recurrences", "/v1/verifications", "/api/sms"]
        .into_iter()
        .any(under)
    {
        Scope::Send
    } else {
        Scope::Admin
    }
}

/// Lets callers through who show a key that is for what they ask.
pub(super) async fn guard(
    Extract(keys): Extract<ApiKeys>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let shown = request.headers().get(AUTHORIZATION).and_then(|shown| keys.shown(shown.as_bytes()));
    let Some(key) = shown else {
        return Err(Problem::new(Code::Unauthorized, "send an API key as Authorization: Bearer ..."));
    };
    let needed = needed(request.method(), request.uri().path());
    if !key.scopes.contains(&needed) {
        let detail = format!("this takes a key that is for {needed}; {} is not", key.name);
        return Err(Problem::new(Code::InsufficientScope, detail));
    }
    let admitted = Admitted { name: key.name.to_string(), scopes: key.scopes.clone() };
    request.extensions_mut().insert(admitted);
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_fits() {
        let keys = ApiKeys::default().with_token(Some(&SecretString::from("secret")));
        assert!(keys.shown(b"Bearer secret").is_some() && keys.shown(b"bearer secret").is_some());
        for wrong in
            ["", "Bearer", "Bearer ", "Bearer secre", "Bearer secrets", "Bearer  secret", "Basic secret"]
        {
            assert!(keys.shown(wrong.as_bytes()).is_none(), "{wrong:?} gets in");
        }
    }

    #[test]
    fn keys_that_can_not_be_read_are_named_and_not_shown() {
        let keys: ApiKeys = "web:read+send:0123456789abcdef ops:admin:fedcba9876543210:x".parse().unwrap();
        assert!(keys.shown(b"Bearer fedcba9876543210:x").is_some_and(|key| key.scopes == [Scope::Admin]));
        for (wrong, why) in [
            ("0123456789abcdef", "key 1 is not"),
            ("web:send:0123456789abcdef web:read:0123456789abcdeg", "two keys"),
            ("we/b:send:0123456789abcdef", "a slash"),
            ("web:sent:0123456789abcdef", "scopes are"),
            ("web:send:short", "fewer than"),
        ] {
            let error = wrong.parse::<ApiKeys>().unwrap_err().to_string();
            assert!(error.contains(why) && !error.contains("0123456789abcdef"), "{error}");
        }
    }

    #[test]
    fn what_nobody_thought_of_takes_an_admin() {
        for (method, path, scope) in [
            (Method::POST, "/v1/messages", Scope::Send),
            (Method::GET, "/v1/messages/batch", Scope::Read),
            (Method::POST, "/v1/messagesx", Scope::Admin),
            (Method::PUT, "/v1/templates/a", Scope::Templates),
            (Method::POST, "/v1/templates/preview/publish", Scope::Templates),
            (Method::POST, "/v1/templates/a/preview", Scope::Read),
            (Method::PUT, "/v1/templates/preview", Scope::Templates),
            (Method::POST, "/v1/templates/a/publish/preview", Scope::Templates),
            (Method::PUT, "/v1/consent", Scope::Admin),
            (Method::POST, "/v1/consent/link", Scope::Admin),
            (Method::POST, "/v1/users/a/opt-out-link", Scope::Admin),
            (Method::PUT, "/v1/users/a/preferences", Scope::Send),
            (Method::GET, "/v1/audit", Scope::Admin),
            (Method::POST, "/v1/recoveries", Scope::Admin),
            (Method::DELETE, "/v1/anything", Scope::Admin),
        ] {
            assert_eq!(needed(&method, path), scope, "{method} {path}");
        }
    }
}
