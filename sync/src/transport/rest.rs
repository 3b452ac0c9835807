//! The functions over HTTPS, as PostgREST serves them.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, pending};
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use reqwest::{Response, StatusCode, Url};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use super::verdict::Refusal;
use super::{CallError, Database, Function, KeyError, ServiceKey, SetupError, Timeouts};

/// Longest answer that is read, in bytes: a thousand requests of the longest texts with their data are a tenth of it.
const ANSWER_MAX: usize = 64 * 1024 * 1024;
/// Longest refusal that is read, in bytes.
const REFUSAL_MAX: usize = 64 * 1024;
/// Longest wait that is taken from `Retry-After`.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);
/// How long a connection is kept for the next call. Shorter than gateways keep theirs.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// A project reached with a key. Makes a connection when it is called, and keeps it for a while.
#[derive(Clone)]
pub struct RestDatabase {
    http: reqwest::Client,
    /// Scheme, host and port, without a slash.
    origin: String,
    role: String,
    timeouts: Timeouts,
}

/// What is told with a refusal. A gateway in front tells less of it.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Told {
    code: Option<Value>,
    message: Option<String>,
    hint: Option<String>,
}

impl RestDatabase {
    /// The project at `url`, its origin: `https`, or plain HTTP on this machine.
    ///
    /// # Errors
    /// [`SetupError`]: the address or the key is of no use. Nothing was tried yet.
    pub fn new(url: &str, key: &SecretString, timeouts: Timeouts) -> Result<Self, SetupError> {
        let origin = origin(url)?;
        let key = ServiceKey::parse(key)?;
        let http = reqwest::Client::builder()
            .default_headers(headers(&key)?)
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .tcp_nodelay(true)
            .tcp_keepalive(IDLE_MAX)
            .pool_idle_timeout(IDLE_MAX)
            .connect_timeout(timeouts.connect)
            .timeout(timeouts.call)
            .build()?;
        Ok(Self { http, origin, role: key.role().to_owned(), timeouts })
    }

    fn broken(&self, function: Function, error: &reqwest::Error) -> CallError {
        if error.is_timeout() && !error.is_connect() {
            return CallError::TimedOut { place: self.origin.clone(), function, after: self.timeouts.call };
        }
        CallError::Unreachable { place: self.origin.clone(), why: told(error) }
    }

    /// The bytes of an answer; `None` when it is longer than `most`.
    async fn body(mut response: Response, most: usize) -> Result<Option<Vec<u8>>, reqwest::Error> {
        let mut whole = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if whole.len().saturating_add(chunk.len()) > most {
                return Ok(None);
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(Some(whole))
    }

    async fn refused(&self, function: Function, response: Response) -> CallError {
        let status = response.status();
        let retry_after = retry_after(response.headers());
        let body = match Self::body(response, REFUSAL_MAX).await {
            Ok(body) => body.unwrap_or_default(),
            Err(error) => return self.broken(function, &error),
        };
        let told: Told = serde_json::from_slice(&body).unwrap_or_default();
        let code = told.code.as_ref().and_then(Value::as_str).unwrap_or_default();
        let refusal = Refusal {
            place: &self.origin,
            function,
            role: &self.role,
            status: Some(status.as_u16()),
            code,
            message: told.message.as_deref().or(status.canonical_reason()).unwrap_or_default(),
            hint: told.hint.as_deref(),
            retry_after,
        };
        refusal.verdict()
    }
}

impl Database for RestDatabase {
    async fn call(&self, function: Function, arguments: &Value) -> Result<Value, CallError> {
        let url = format!("{}/rest/v1/rpc/{}", self.origin, function.name());
        let body =
            named(arguments).map_err(|error| CallError::Refused { function, why: error.to_string() })?;
        let asked = self.http.post(url).body(body).send().await;
        let response = asked.map_err(|error| self.broken(function, &error))?;
        if response.status() != StatusCode::OK {
            return Err(self.refused(function, response).await);
        }
        let body = Self::body(response, ANSWER_MAX).await.map_err(|error| self.broken(function, &error))?;
        let not_understood = |why: String| CallError::NotUnderstood { function, why };
        let body = body.ok_or_else(|| not_understood(format!("it has more than {ANSWER_MAX} bytes")))?;
        serde_json::from_slice(&body).map_err(|error| not_understood(format!("it is no JSON: {error}")))
    }

    fn woken(&self) -> impl Future<Output = ()> + Send {
        pending()
    }
}

impl fmt::Display for RestDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

impl fmt::Debug for RestDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RestDatabase({} as {})", self.origin, self.role)
    }
}

/// The arguments that have a value: whoever leaves one out gets its default, which is null for all that may be null. Not every
/// server that speaks for PostgREST takes a null for a number.
fn named(arguments: &Value) -> Result<String, serde_json::Error> {
    let fields = arguments.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    serde_json::to_string(&fields.collect::<BTreeMap<_, _>>())
}

/// What every call carries. A secret key is no token, and a gateway refuses it where one is expected.
fn headers(key: &ServiceKey) -> Result<HeaderMap, KeyError> {
    let sensitive = |text: &str| {
        let mut value = HeaderValue::from_str(text).map_err(|_unsendable| KeyError::Unsendable)?;
        value.set_sensitive(true);
        Ok(value)
    };
    let mut headers = HeaderMap::new();
    headers.insert("apikey", sensitive(key.expose())?);
    if key.is_token() {
        headers.insert(AUTHORIZATION, sensitive(&format!("Bearer {}", key.expose()))?);
    }
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("dunlin/", env!("CARGO_PKG_VERSION"))));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    Ok(headers)
}

/// The origin that a project's address names, if a key may travel there.
fn origin(address: &str) -> Result<String, SetupError> {
    // What stands before an @ may be a password.
    let shown = || address.rsplit('@').next().unwrap_or_default().chars().take(200).collect();
    let url = Url::parse(address).map_err(|_not_a_url| SetupError::NotAProject(shown()))?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let nobody = url.username().is_empty() && url.password().is_none();
    let host = url.host_str().filter(|_| bare && nobody).ok_or_else(|| SetupError::NotAProject(shown()))?;
    let is_here = host == "localhost"
        || host == "[::1]"
        || host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        "https" => {}
        "http" if is_here => {}
        "http" => return Err(SetupError::NotPrivate(shown())),
        _other => return Err(SetupError::NotAProject(shown())),
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

/// The words of an error and of everything that caused it, without the address.
fn told(error: &reqwest::Error) -> String {
    let mut words = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        if !words.is_empty() {
            words.push_str(": ");
        }
        words.push_str(&next.to_string());
        cause = next.source();
    }
    if words.is_empty() { "the connection broke".to_owned() } else { words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_goes_to_https_or_this_machine_only() {
        for good in
            ["https://x.supabase.co", "https://x.supabase.co/", "http://127.0.0.1:54321", "http://[::1]:1"]
        {
            assert_eq!(origin(good).unwrap(), good.trim_end_matches('/'));
        }
        for clear in ["http://x.supabase.co", "http://10.0.0.1:54321", "http://127.0.0.1.evil.test"] {
            assert!(matches!(origin(clear), Err(SetupError::NotPrivate(_))), "{clear}");
        }
        for wrong in [
            "",
            "x.supabase.co",
            "https://x.supabase.co/rest/v1",
            "https://supabase.com/dashboard/project/x",
            "https://u:s3cret@x.supabase.co",
            "postgresql://u:s3cret@h/d",
        ] {
            let error = origin(wrong).unwrap_err();
            assert!(matches!(error, SetupError::NotAProject(_)), "{wrong}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn secret_key_stands_in_one_header_and_is_shown_in_none() {
        let key = ServiceKey::parse(&"sb_secret_s3cret".into()).unwrap();
        let headers = headers(&key).unwrap();
        assert_eq!(headers.get("apikey").unwrap(), "sb_secret_s3cret");
        assert!(headers.get(AUTHORIZATION).is_none());
        let database =
            RestDatabase::new("https://x.supabase.co", &"sb_secret_s3cret".into(), Timeouts::default())
                .unwrap();
        assert!(!format!("{database:?} {database} {headers:?}").contains("s3cret"));
    }
}
