//! The daemon over HTTP, as the command line talks to it.

use std::time::Duration;

use dunlin_workflows::actor::{ActorName, Reason};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::cli::exit::{Exit, Failure};
use crate::config::environment::Environment;
use crate::config::resolve::Values;
use crate::config::setting::Name;
use crate::config::value;

/// Longest time to make a connection.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// Longest time for one question.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Longest time for what takes as long as the store is large.
const PATIENCE: Duration = Duration::from_hours(1);

/// Codes of refusals for what is known, not for how it was asked, whatever their status.
const CONTRADICTIONS: [&str; 7] = [
    "code_expired",
    "code_incorrect",
    "idempotency_key_reused",
    "number_not_verified",
    "number_unreachable",
    "too_many_attempts",
    "user_without_number",
];

/// A connection to one daemon.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<SecretString>,
    actor: Option<String>,
    reason: Option<String>,
}

/// What the daemon answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    /// HTTP status.
    pub(super) status: u16,
    /// `Retry-After` in seconds, when given.
    pub(super) retry_after: Option<Duration>,
    /// The body, `Null` when it is no JSON.
    pub(super) body: Value,
}

impl Client {
    /// A client for the daemon that the environment names.
    ///
    /// Only the two settings it needs are looked at: a broken provider setting must not keep
    /// anyone from looking at a message.
    ///
    /// # Errors
    /// When `DUNLIN_URL` or `DUNLIN_API_TOKEN` is not usable.
    pub(super) fn from_environment() -> Result<Self, Failure> {
        let environment = Environment::of_process();
        let values = Values::resolve(&[], &environment);
        let ours = |setting| matches!(setting, Some(Name::Url | Name::ApiToken));
        if let Some(problem) = values.problems.iter().find(|problem| ours(problem.setting)) {
            return Err(Failure::new(Exit::Configuration, problem.what.clone()));
        }
        let base = value::base_url(values.text(Name::Url).unwrap_or_default()).map_err(|why| {
            Failure::new(Exit::Configuration, format!("{}: {why}", values.named(Name::Url)))
        })?;
        let mut client = Self::new(base, values.text(Name::ApiToken).map(SecretString::from))?;
        client.actor = values.text(Name::Actor).map(str::to_owned).or_else(|| {
            let user = environment.get("USER").or_else(|| environment.get("LOGNAME"))?;
            Some(format!("cli:{user}")).filter(|name| name.parse::<ActorName>().is_ok())
        });
        Ok(client)
    }

    /// The same client, which gives this reason for whatever it asks.
    pub(super) fn because(mut self, reason: Option<Reason>) -> Self {
        self.reason = reason.map(|reason| reason.as_str().to_owned());
        self
    }

    /// A client for the daemon at `base`, without a slash at its end.
    ///
    /// # Errors
    /// When the HTTP client can't be set up.
    pub(super) fn new(base: String, token: Option<SecretString>) -> Result<Self, Failure> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_MAX)
            .timeout(ANSWER_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("dunlin-cli/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| {
                Failure::new(Exit::Failure, format!("the HTTP client can't be set up: {error}"))
            })?;
        Ok(Self { http, base, token, actor: None, reason: None })
    }

    /// Asks for `path`.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.fetch(path).await?.into_success()
    }

    /// Asks for `path` and takes any answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub(super) async fn fetch(&self, path: &str) -> Result<Answer, Failure> {
        self.send(self.request(Method::GET, path)).await
    }

    /// Posts `body` to `path`, with an idempotency key when one is given, and takes any answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub(super) async fn post(&self, path: &str, body: &Value, key: Option<&str>) -> Result<Answer, Failure> {
        let mut request = self.request(Method::POST, path).json(body);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        self.send(request).await
    }

    /// Puts `body` at `path`, and takes any answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub(super) async fn put(&self, path: &str, body: &Value) -> Result<Answer, Failure> {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    /// Changes what is at `path`, and takes any answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub(super) async fn patch(&self, path: &str, body: &Value) -> Result<Answer, Failure> {
        self.send(self.request(Method::PATCH, path).json(body)).await
    }

    /// Deletes what is at `path`, and takes any answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub(super) async fn delete(&self, path: &str) -> Result<Answer, Failure> {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// Posts `body` to `path` and waits as long as it takes. `None` when nobody listens there.
    ///
    /// # Errors
    /// When somebody listens and does not answer.
    pub(super) async fn post_patiently(&self, path: &str, body: &Value) -> Result<Option<Answer>, Failure> {
        match self.request(Method::POST, path).json(body).timeout(PATIENCE).send().await {
            Ok(response) => Answer::read(response).await.map(Some).map_err(|error| self.unreachable(&error)),
            Err(error) if error.is_connect() => Ok(None),
            Err(error) => Err(self.unreachable(&error)),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(actor) = &self.actor {
            request = request.header("Dunlin-Actor", actor);
        }
        if let Some(reason) = &self.reason {
            request = request.header("Dunlin-Reason", reason);
        }
        match &self.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, Failure> {
        match request.send().await {
            Ok(response) => Answer::read(response).await.map_err(|error| self.unreachable(&error)),
            Err(error) => Err(self.unreachable(&error)),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let words = if error.is_connect() {
            format!("no daemon answers at {}; start one with `dunlin serve`, or set DUNLIN_URL", self.base)
        } else if error.is_timeout() {
            format!("the daemon at {} did not answer within {} s", self.base, ANSWER_MAX.as_secs())
        } else {
            let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            format!("the connection to {} broke: {cause}", self.base)
        };
        Failure::new(Exit::Unreachable, words)
    }
}

impl Answer {
    async fn read(response: Response) -> Result<Self, reqwest::Error> {
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        let bytes = response.bytes().await?;
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok(Self { status, retry_after, body })
    }

    /// The body of a success, else what the refusal means for a command.
    ///
    /// # Errors
    /// On any status of 300 and above.
    pub(super) fn into_success(self) -> Result<Value, Failure> {
        if self.status < 300 {
            return Ok(self.body);
        }
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let said = |field: &str| self.body.get(field).and_then(Value::as_str).map(str::to_owned);
        let mut words = said("detail")
            .or_else(|| said("title"))
            .unwrap_or_else(|| format!("the daemon answered {status}"));
        if let Some(errors) = self.body.get("errors").and_then(Value::as_array) {
            let details = errors.iter().filter_map(|error| {
                let pointer = error.get("pointer").and_then(Value::as_str).unwrap_or_default();
                Some(format!("\n  {pointer}: {}", error.get("detail")?.as_str()?))
            });
            words.extend(details);
        }
        let exit = match (status, said("code").as_deref()) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => {
                words.push_str("; set DUNLIN_API_TOKEN to the daemon's token");
                Exit::Configuration
            }
            (StatusCode::NOT_FOUND, _) => Exit::NotFound,
            (StatusCode::CONFLICT, _) => Exit::Conflict,
            (_, Some(code)) if CONTRADICTIONS.contains(&code) => Exit::Conflict,
            (StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY, _) => Exit::Usage,
            (
                StatusCode::REQUEST_TIMEOUT
                | StatusCode::TOO_MANY_REQUESTS
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::INSUFFICIENT_STORAGE,
                _,
            ) => Exit::Unreachable,
            _ => Exit::Failure,
        };
        let problem = Some(self.body).filter(|body| !body.is_null());
        Err(Failure { exit, words, problem })
    }

    /// Whether the same question may be answered later.
    pub(super) fn is_busy(&self) -> bool {
        let code = self.body.get("code").and_then(Value::as_str);
        matches!(self.status, 408 | 429 | 503 | 507) || code == Some("idempotency_in_progress")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn exit(status: u16, body: Value) -> (Exit, String) {
        let failure = Answer { status, retry_after: None, body }.into_success().unwrap_err();
        (failure.exit, failure.words)
    }

    #[test]
    fn refusals_have_exit_codes_of_their_own() {
        assert_eq!(exit(404, json!({"detail": "no such"})), (Exit::NotFound, "no such".into()));
        assert_eq!(exit(409, json!({})).0, Exit::Conflict);
        assert_eq!(exit(422, json!({"code": "idempotency_key_reused"})).0, Exit::Conflict);
        assert_eq!(exit(429, json!({"code": "too_many_attempts"})).0, Exit::Conflict);
        assert_eq!(exit(429, json!({"code": "cooldown"})).0, Exit::Unreachable);
        assert_eq!(
            exit(503, Value::Null),
            (Exit::Unreachable, "the daemon answered 503 Service Unavailable".into())
        );
        assert_eq!(exit(401, json!({"title": "no"})).0, Exit::Configuration);
        let errors = json!({"title": "not usable", "errors": [{"pointer": "/to", "detail": "empty"}]});
        assert_eq!(exit(422, errors), (Exit::Usage, "not usable\n  /to: empty".into()));
    }
}
