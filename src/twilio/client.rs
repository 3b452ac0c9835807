//! The connection to the provider, and what it is set up with.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use secrecy::{ExposeSecret, SecretString};

/// What the client is set up with.
#[derive(Debug, Clone)]
pub struct TwilioConfig {
    /// Scheme and host of the API, without a trailing slash. Plain HTTP only on loopback.
    pub base_url: String,
    /// The account, `AC` and 32 hexadecimal digits.
    pub account_sid: String,
    /// How we sign in.
    pub credentials: Credentials,
    /// Who the texts are from.
    pub sender: Sender,
    /// Where status callbacks go; the attempt's token is added as the query parameter `t`.
    pub status_callback_url: String,
    /// Key of the tokens in callback addresses.
    pub callback_key: [u8; 32],
    /// Longest time to make a connection.
    pub connect_timeout: Duration,
    /// Longest time from the first byte written to the last byte read.
    pub timeout: Duration,
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

/// The provider over HTTP.
#[derive(Clone)]
pub struct Twilio {
    pub(super) http: reqwest::Client,
    pub(super) config: TwilioConfig,
    pub(super) messages_url: String,
    pub(super) origin: String,
    /// `From=...` or `MessagingServiceSid=...`, encoded once.
    pub(super) sender_field: String,
    pub(super) callback_prefix: String,
}

impl fmt::Debug for Twilio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Twilio({})", self.config.base_url)
    }
}

impl Twilio {
    /// Sets up the client. Makes no connection.
    ///
    /// # Errors
    /// [`TwilioError`].
    pub fn new(config: TwilioConfig) -> Result<Self, TwilioError> {
        let origin = config.base_url.trim_end_matches('/').to_owned();
        if !(origin.starts_with("https://") || is_loopback(&origin)) {
            return Err(TwilioError::NotPrivate(origin));
        }
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
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .tcp_nodelay(true)
            .pool_idle_timeout(Duration::from_secs(20))
            .connect_timeout(config.connect_timeout)
            .timeout(config.timeout)
            .build()?;
        let (name, value) = match &config.sender {
            Sender::MessagingService(sid) => ("MessagingServiceSid", sid),
            Sender::From(from) => ("From", from),
        };
        let sender_field = form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
        let (address, fragment) = match config.status_callback_url.split_once('#') {
            Some((address, fragment)) => (address, Some(fragment)),
            None => (config.status_callback_url.as_str(), None),
        };
        // Connection overrides live in the fragment, which must stay last.
        let separator = if address.contains('?') { '&' } else { '?' };
        let callback_prefix = format!("{address}{separator}t=");
        let fragment = fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
        let messages_url = format!("{origin}/2010-04-01/Accounts/{}/Messages", config.account_sid);
        let config = TwilioConfig { status_callback_url: fragment, ..config };
        Ok(Self { http, config, messages_url, origin, sender_field, callback_prefix })
    }

    /// Address of status callbacks for one attempt.
    pub(super) fn callback_url(&self, token: &str) -> String {
        format!("{}{token}{}", self.callback_prefix, self.config.status_callback_url)
    }
}

fn is_loopback(origin: &str) -> bool {
    let host = origin.strip_prefix("http://").unwrap_or("");
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost"
        || name == "[::1]"
        || name.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}
