//! How the text of a setting is read.

use std::time::Duration;

use reqwest::Url;

/// Longest duration that a setting may have: ten years.
const DURATION_MAX: Duration = Duration::from_hours(10 * 365 * 24);
/// Most entries in a list of durations.
const DURATIONS_MAX: usize = 32;

/// A duration such as `500ms`, `30s`, `2m` or `1h 30m`; not zero, at most ten years.
///
/// # Errors
/// What was expected instead.
pub fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|_what_was_odd| {
        format!("\"{text}\" is not a duration; write it like 500ms, 30s, 2m or 24h")
    })?;
    if duration.is_zero() || duration > DURATION_MAX {
        return Err(format!("\"{text}\" is out of range; expected more than 0 and at most 10 years"));
    }
    Ok(duration)
}

/// A duration from the first to the second of these, both included; `form` says so in words.
///
/// # Errors
/// What was expected instead.
pub fn within(text: &str, (min, max): (Duration, Duration), form: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if (min..=max).contains(&duration) {
        Ok(duration)
    } else {
        Err(format!("\"{text}\" is out of range; expected {form}"))
    }
}

/// A duration, or `off`.
///
/// # Errors
/// What was expected instead.
pub fn duration_or_off(text: &str) -> Result<Option<Duration>, String> {
    if text == "off" { Ok(None) } else { duration(text).map(Some) }
}

/// Durations between commas, each longer than the one before.
///
/// # Errors
/// What was expected instead.
pub fn rising_durations(text: &str) -> Result<Vec<Duration>, String> {
    let list = text.split(',').map(|part| duration(part.trim())).collect::<Result<Vec<_>, _>>()?;
    if list.len() > DURATIONS_MAX {
        return Err(format!("\"{text}\" has {} durations; at most {DURATIONS_MAX} are used", list.len()));
    }
    let rising = list.iter().zip(list.iter().skip(1)).all(|(earlier, later)| earlier < later);
    if rising {
        Ok(list)
    } else {
        Err(format!("\"{text}\" does not rise; each duration counts from the same start"))
    }
}

/// A size such as `4096`, `64KiB`, `16MiB` or `1GiB`.
///
/// # Errors
/// What was expected instead.
pub fn bytes(text: &str) -> Result<usize, String> {
    let refuse = || format!("\"{text}\" is not a size; write it like 65536, 64KiB, 16MiB or 1GiB");
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let unit = text.strip_prefix(digits).unwrap_or_default().trim();
    let factor: usize = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(refuse()),
    };
    let count: usize = digits.parse().map_err(|_not_a_number| refuse())?;
    count.checked_mul(factor).ok_or_else(refuse)
}

/// A whole number within `min..=max`.
///
/// # Errors
/// What was expected instead.
pub fn number(text: &str, min: u32, max: u32) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        Ok(_) | Err(_) => Err(format!("\"{text}\" is not a number from {min} to {max}")),
    }
}

/// Segments per second, or `unlimited`.
///
/// # Errors
/// What was expected instead.
pub fn rate(text: &str) -> Result<Option<u32>, String> {
    if text == "unlimited" {
        return Ok(None);
    }
    number(text, 1, 1_000_000).map(Some).map_err(|_refused| {
        format!("\"{text}\" is not a rate; expected segments per second from 1 up, or unlimited")
    })
}

/// Yes or no, in the words people use in environment files.
///
/// # Errors
/// What was expected instead.
pub fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Ok(true),
        "false" | "off" | "no" | "0" => Ok(false),
        _ => Err(format!("\"{text}\" is not a switch; expected true or false")),
    }
}

/// `http(s)://HOST[:PORT][/PREFIX]`, without the slash at its end.
///
/// The text itself is used further, so it must be spelled like that: a URL parser takes `http:HOST` and
/// `HTTP://HOST` for the same, and drops line breaks, which others that read the text do not.
///
/// # Errors
/// What was expected instead.
pub fn base_url(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|error| format!("\"{text}\" is not a URL: {error}"))?;
    let spelled = text.starts_with("http://") || text.starts_with("https://");
    let odd = |letter: char| letter.is_control() || letter.is_whitespace();
    if !spelled || text.contains(odd) || !url.has_host() {
        return Err(format!("\"{text}\" is not an http or https URL"));
    }
    if url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return Err("a base URL has no query, fragment, user or password; remove them".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// A base URL that secrets may be sent to: https, or http on loopback.
///
/// # Errors
/// What was expected instead.
pub fn guarded_url(text: &str) -> Result<String, String> {
    let base = base_url(text)?;
    if !is_guarded(&base) {
        return Err(format!("\"{text}\" would carry secrets in clear; use https, or http on loopback"));
    }
    Ok(base)
}

/// Whether nobody on the way reads what goes to a base URL: https, or http on loopback.
pub fn is_guarded(base: &str) -> bool {
    let loopback = |host: &str| {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    let plain_http = base.starts_with("http://");
    !plain_http || Url::parse(base).is_ok_and(|url| url.host_str().is_some_and(loopback))
}

/// `prefix` and 32 hexadecimal digits, as the provider names things.
///
/// # Errors
/// What was expected instead; quotes no more than the first two characters, for it may be a misplaced secret.
pub fn sid(text: &str, prefix: &str) -> Result<String, String> {
    let digits = text.strip_prefix(prefix);
    if digits.is_some_and(|digits| digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        return Ok(text.to_owned());
    }
    let start: String = text.chars().take(2).collect();
    let length = text.chars().count();
    Err(format!(
        "starts with \"{start}\" and has {length} characters; expected {prefix} and 32 hexadecimal digits"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit_and_must_rise() {
        assert_eq!(duration("1h 30m"), Ok(Duration::from_mins(90)));
        for wrong in ["", "30", "0s", "-1s", "abc", "99999y"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!(rising_durations("30s, 2m").unwrap().len(), 2);
        for wrong in ["", "2m,30s", "1s,1s", "1s,,2s"] {
            assert!(rising_durations(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_binary_and_never_overflow() {
        assert_eq!((bytes("512"), bytes("64KiB"), bytes("16MiB")), (Ok(512), Ok(65_536), Ok(16_777_216)));
        for wrong in ["", "MiB", "16MB", "1.5MiB", "99999999999999999GiB", "-1"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn secrets_are_not_sent_in_clear_except_on_loopback() {
        assert!(guarded_url("http://127.0.0.1:9").is_ok());
        assert!(guarded_url("http://[::1]:9").is_ok());
        assert_eq!(guarded_url("https://api.twilio.com/"), Ok("https://api.twilio.com".to_owned()));
        for wrong in [
            "http://api.twilio.com",
            "http://127.0.0.1.evil.test",
            "ftp://127.0.0.1",
            "127.0.0.1:9",
            "https://u:p@h",
            "HTTP://api.twilio.com",
            "http:api.twilio.com",
            "http:/api.twilio.com",
            "http:\\\\api.twilio.com",
            "ht\ntp://api.twilio.com",
        ] {
            assert!(guarded_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn misplaced_secret_is_not_quoted() {
        let why = sid("1234567890abcdef1234567890abcdef", "AC").unwrap_err();
        assert_eq!(why, "starts with \"12\" and has 32 characters; expected AC and 32 hexadecimal digits");
        assert!(sid("AC0123456789abcdef0123456789ABCDEF", "AC").is_ok());
        assert!(sid("ACxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "AC").is_err());
    }
}
