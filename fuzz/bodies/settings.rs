//! Settings as an environment gives them: lines of `NAME=value`.

use dunlin::config::Config;
use dunlin::config::environment::Environment;
use dunlin::config::resolve::Values;
use dunlin::config::setting::{SETTINGS, Secrecy};
use dunlin::config::value;
use reqwest::Url;

/// Shortest secret that is searched for in what is shown; a shorter one may stand there by chance.
const SECRET_MIN: usize = 12;

/// What is wrong is said, what is right is within its bounds, and a secret is not shown.
pub fn settings(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    // Files are left alone: what stands in them is read like the variable itself.
    let pairs: Vec<(String, String)> = pairs
        .filter(|(name, _)| !name.ends_with("_FILE"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let environment: Environment = pairs.iter().cloned().collect();
    let values = Values::resolve(&[], &environment);
    assert_eq!(values.rows.len(), SETTINGS.len());
    let config = Config::read(&values);
    let shown = match &config {
        Ok(config) => format!("{config:?} {values:?} {environment:?}"),
        Err(problems) => {
            assert!(!problems.0.is_empty(), "refused for nothing");
            format!("{problems} {values:?} {environment:?}")
        }
    };
    for row in values.rows.iter().filter(|row| row.setting.secrecy == Secrecy::Secret) {
        let Some(secret) = values.text(row.setting.name) else { continue };
        let elsewhere = pairs.iter().filter(|(name, value)| name.contains(secret) || value.contains(secret));
        let alone = elsewhere.count() == 1;
        let chance = secret.len() < SECRET_MIN || !alone || format!("{SETTINGS:?}").contains(secret);
        assert!(chance || !shown.contains(secret), "{:?} is shown: {shown}", row.setting.name);
    }
    for (_, value) in &pairs {
        judge_url(value, value::guarded_url);
        one_value(value);
    }
}

/// Every way to read the text of a setting keeps its own promise.
fn one_value(text: &str) {
    let decade = std::time::Duration::from_hours(10 * 365 * 24);
    if let Ok(duration) = value::duration(text) {
        assert!(!duration.is_zero() && duration <= decade);
    }
    if let Ok(durations) = value::rising_durations(text) {
        assert!(!durations.is_empty() && durations.is_sorted_by(|earlier, later| earlier < later));
    }
    if let Ok(bytes) = value::bytes(text) {
        assert_eq!(value::bytes(&bytes.to_string()), Ok(bytes));
    }
    if let Ok(Some(rate)) = value::rate(text) {
        assert!((1..=1_000_000).contains(&rate));
    }
    if let Ok(sid) = value::sid(text, "AC") {
        assert_eq!((sid.as_str(), sid.len()), (text, 34));
    }
    if let Ok(base) = value::base_url(text) {
        assert_eq!(value::base_url(&base).as_ref(), Ok(&base), "{text:?}");
        let whole = Url::parse(&format!("{base}/path?query=1")).expect("a base takes a path");
        assert!(whole.path().ends_with("/path") && whole.query() == Some("query=1"), "{text:?}: {whole}");
        assert!(base.starts_with("http://") || base.starts_with("https://"), "{text:?} is spelled oddly");
    }
}

/// Judges a reader of addresses that secrets are sent to.
pub fn judge_url(text: &str, guarded: impl Fn(&str) -> Result<String, String>) {
    let Ok(base) = guarded(text) else { return };
    let url = Url::parse(&base).expect("an address");
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    let loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    assert!(url.scheme() == "https" || loopback, "{text:?} carries secrets in clear");
}
