//! The product's own server, which is told what became of texts.

use std::time::Duration;

use crate::config::setting::Name;
use crate::config::{Reader, value};
use crate::standard_webhook::WebhookSecrets;

/// Shortest and longest time for an answer.
const TIMEOUT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// Who is told, and how.
#[derive(Debug, Clone)]
pub struct Events {
    /// Where events go.
    pub url: String,
    /// What they are signed with.
    pub secrets: WebhookSecrets,
    /// Longest time for an answer.
    pub timeout: Duration,
}

/// Reads the settings; `None` when nobody is told, or a problem was noted.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Events> {
    let url = reader.read(Name::EventsUrl, url);
    let secrets = reader.read(Name::EventsSecret, WebhookSecrets::parse);
    let timeout = reader.read(Name::EventsTimeout, |text| value::within(text, TIMEOUT, "1s to 1m"));
    let given = |name| reader.values.text(name).is_some();
    match (given(Name::EventsUrl), given(Name::EventsSecret)) {
        (true, false) => reader.wrong(
            Name::EventsUrl,
            "is set, and DUNLIN_EVENTS_SECRET is not; without it nobody could tell our events from made-up ones",
        ),
        (false, true) => {
            reader.wrong(Name::EventsSecret, "is set, and DUNLIN_EVENTS_URL is not; set both or neither");
        }
        (true, true) | (false, false) => {}
    }
    Some(Events { url: url?, secrets: secrets?, timeout: timeout? })
}

/// An address that nobody on the way reads; a slash at its end counts.
fn url(text: &str) -> Result<String, String> {
    value::guarded_url(text).map(|_without_slash| text.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::config::environment::Environment;
    use crate::config::{Config, problem::Problems};

    fn read(url: Option<&str>, secret: Option<&str>) -> Result<Option<String>, Problems> {
        let environment = Environment::from([
            ("DUNLIN_EVENTS_URL", url.unwrap_or_default()),
            ("DUNLIN_EVENTS_SECRET", secret.unwrap_or_default()),
        ]);
        Config::of(&environment).map(|config| config.events.map(|events| events.url))
    }

    #[test]
    fn events_go_signed_to_https_or_loopback_only() {
        let secret = Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        assert_eq!(read(None, None).unwrap(), None);
        for good in ["https://example.com/hooks/", "http://127.0.0.1:9/x", "http://localhost:9"] {
            assert_eq!(read(Some(good), secret).unwrap().as_deref(), Some(good));
        }
        for wrong in
            ["http://example.com/x", "https://u:p@example.com", "https://example.com/?key=1", "example.com"]
        {
            assert!(read(Some(wrong), secret).is_err(), "{wrong}");
        }
        for (url, secret, why) in [
            (Some("https://example.com"), None, "DUNLIN_EVENTS_SECRET is not"),
            (None, secret, "set both or neither"),
            (Some("https://example.com"), Some("whsec_hush"), "base64 of 24 to 64 bytes"),
        ] {
            let told = read(url, secret).unwrap_err().to_string();
            assert!(told.contains(why) && !told.contains("hush"), "{told}");
        }
    }
}
