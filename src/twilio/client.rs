//! The connection to the provider, and what it is set up with.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use secrecy::{ExposeSecret, SecretString};

/// How long a connection is kept for the next request. Shorter than servers keep theirs, so that one
/// is seldom written to while the other side closes it.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// What the client is set up with. `Debug` shows neither secrets nor the callback key.
#[derive(Clone)]
pub struct TwilioConfig {
    /// Scheme, host and port of the API: its origin, without path. Plain HTTP only on loopback.
    pub base_url: String,
    /// The account, `AC` and 32 hexadecimal digits.
    pub account_sid: String,
    /// How we sign in.
    pub credentials: Credentials,
    /// Who the texts are from.
    pub sender: Sender,
    /// Where status callbacks go; the attempt's token is added as the query parameter `t`. A fragment,
    /// which carries the provider's connection overrides, stays last.
    pub status_callback_url: String,
    /// Key of the tokens in callback addresses.
    pub callback_key: [u8; 32],
    /// Longest time to make a connection.
    pub connect_timeout: Duration,
    /// Longest time from asking for a connection to the last byte read.
    pub timeout: Duration,
}

impl fmt::Debug for TwilioConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TwilioConfig({} at {})", self.account_sid, self.base_url)
    }
}

/// How we sign in.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// The account's auth token.
    AuthToken(SecretString),
    /// An API key: its SID and secret.
    ApiKey {
        /// `SK` and 32 hexadecimal digits.
        sid: String,
        /// Its secret.
        secret: SecretString,
    },
}

/// Who the texts are from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sender {
    /// A messaging service, `MG` and 32 hexadecimal digits, which picks from its pool.
    MessagingService(String),
    /// One number or name.
    From(String),
}

/// The client can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TwilioError {
    /// The API's address is not one.
    #[error("the provider's address {0} is not an origin such as https://api.twilio.com")]
    NotAnOrigin(String),
    /// The API's address would send credentials in clear over a network.
    #[error("the provider's address {0} is neither https nor loopback; credentials would travel in clear")]
    NotPrivate(String),
    /// A value can't be put into a request.
    #[error("the {0} holds a character that can't be sent")]
    Unsendable(&'static str),
    /// The HTTP client can't be built.
    #[error("the HTTP client can't be built: {0}")]
    Client(#[from] reqwest::Error),
}

/// The provider over HTTP. Clones share connections.
#[derive(Clone)]
pub struct Twilio {
    pub(super) http: reqwest::Client,
    pub(super) sender: Sender,
    pub(super) callback_key: [u8; 32],
    /// Scheme, host and port, without a slash.
    pub(super) origin: String,
    pub(super) messages_url: String,
    /// Where messages are created; parsed once, and not for every text.
    pub(super) creation_url: Url,
    /// `From=...` or `MessagingServiceSid=...`, encoded once.
    pub(super) sender_field: String,
    /// Callback address up to the token, and after it.
    callback_parts: (String, String),
}

impl fmt::Debug for Twilio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Twilio({})", self.origin)
    }
}

impl Twilio {
    /// Sets up the client. Makes no connection.
    ///
    /// # Errors
    /// [`TwilioError`].
    pub fn new(config: TwilioConfig) -> Result<Self, TwilioError> {
        let origin = origin(&config.base_url)?;
        let http = http(&config, config.timeout)?;
        let (name, value) = match &config.sender {
            Sender::MessagingService(sid) => ("MessagingServiceSid", sid),
            Sender::From(from) => ("From", from),
        };
        let sender_field = form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
        let messages_url = format!("{origin}/2010-04-01/Accounts/{}/Messages", config.account_sid);
        let creation_url = Url::parse(&format!("{messages_url}.json"))
            .map_err(|_unsendable| TwilioError::Unsendable("account SID"))?;
        Ok(Self {
            http,
            sender: config.sender,
            callback_key: config.callback_key,
            origin,
            messages_url,
            creation_url,
            sender_field,
            callback_parts: callback_parts(&config.status_callback_url),
        })
    }

    /// Address of status callbacks for one attempt.
    pub(super) fn callback_url(&self, token: &str) -> String {
        let (before, after) = &self.callback_parts;
        format!("{before}{token}{after}")
    }
}

/// A client without redirects, retries and proxies.
pub(super) fn http(config: &TwilioConfig, timeout: Duration) -> Result<reqwest::Client, TwilioError> {
    Ok(reqwest::Client::builder()
        .default_headers(headers(config)?)
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .http1_only()
        .tcp_nodelay(true)
        .pool_idle_timeout(IDLE_MAX)
        .connect_timeout(config.connect_timeout)
        .timeout(timeout)
        .build()?)
}

/// What every request carries.
fn headers(config: &TwilioConfig) -> Result<HeaderMap, TwilioError> {
    let (user, password) = match &config.credentials {
        Credentials::AuthToken(token) => (config.account_sid.as_str(), token),
        Credentials::ApiKey { sid, secret } => (sid.as_str(), secret),
    };
    let basic = STANDARD.encode(format!("{user}:{}", password.expose_secret()));
    let mut authorization = HeaderValue::from_str(&format!("Basic {basic}"))
        .map_err(|_unsendable| TwilioError::Unsendable("auth token"))?;
    authorization.set_sensitive(true);
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, authorization);
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("dunlin/", env!("CARGO_PKG_VERSION"))));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    Ok(headers)
}

/// The origin that `base_url` names, if credentials may travel there.
pub(super) fn origin(base_url: &str) -> Result<String, TwilioError> {
    let refuse = || TwilioError::NotAnOrigin(base_url.to_owned());
    let url = Url::parse(base_url).map_err(|_not_a_url| refuse())?;
    let bare = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let host = url.host_str().filter(|_| bare).ok_or_else(refuse)?;
    let loopback = host == "localhost"
        || host == "[::1]"
        || host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        "http" => return Err(TwilioError::NotPrivate(base_url.to_owned())),
        _other => return Err(refuse()),
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// The callback address before and after the token. A fragment must stay last.
fn callback_parts(url: &str) -> (String, String) {
    let (address, fragment) = url.split_at_checked(url.find('#').unwrap_or(url.len())).unwrap_or((url, ""));
    let separator = if address.contains('?') { '&' } else { '?' };
    (format!("{address}{separator}t="), fragment.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_to_https_or_loopback_only() {
        for good in [
            "https://api.twilio.com",
            "https://api.twilio.com/",
            "http://127.0.0.1:4010",
            "http://[::1]:4010",
            "http://localhost:1",
        ] {
            assert_eq!(origin(good).unwrap(), good.trim_end_matches('/'), "{good}");
        }
        for clear in ["http://api.twilio.com", "http://127.0.0.1.evil.test", "http://localhost.evil.test"] {
            assert!(matches!(origin(clear), Err(TwilioError::NotPrivate(_))), "{clear}");
        }
        for wrong in ["http://127.0.0.1:80@evil.test", "https://h/path", "https://h?q", "ftp://h", "h", ""] {
            assert!(matches!(origin(wrong), Err(TwilioError::NotAnOrigin(_))), "{wrong}");
        }
    }

    #[test]
    fn token_goes_into_the_query_and_the_fragment_stays_last() {
        let parts = |url| {
            let (before, after) = callback_parts(url);
            format!("{before}TOKEN{after}")
        };
        assert_eq!(parts("https://h/s"), "https://h/s?t=TOKEN");
        assert_eq!(parts("https://h/s?a=b#rc=5&rp=all"), "https://h/s?a=b&t=TOKEN#rc=5&rp=all");
    }

    #[test]
    fn debug_shows_no_secret() {
        let config = TwilioConfig {
            base_url: "https://api.twilio.com".into(),
            account_sid: format!("AC{}", "0".repeat(32)),
            credentials: Credentials::AuthToken("the-token".into()),
            sender: Sender::From("+15005550006".into()),
            status_callback_url: "https://h/s".into(),
            callback_key: [77; 32],
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
        };
        let client = Twilio::new(config.clone()).unwrap();
        for shown in [format!("{config:?}"), format!("{client:?}"), format!("{:?}", config.credentials)] {
            assert!(!shown.contains("the-token") && !shown.contains("77"), "{shown}");
        }
    }
}
