//! How codes are worded, and how often they may be asked for.

use dunlin_workflows::allowance::Rules;
use dunlin_workflows::verification::Wording;

use crate::config::setting::Name;
use crate::config::{Reader, value};
use crate::standard_webhook::WebhookSecrets;

/// How codes are worded, and how often they may be asked for.
#[derive(Debug, Clone)]
pub struct Verification {
    /// The words.
    pub wording: Wording,
    /// How often.
    pub allowances: Rules,
    /// What signs the hook of Supabase Auth.
    pub hook_secrets: Option<WebhookSecrets>,
}

/// `None` only after a problem was noted.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Verification> {
    let wording =
        Wording { brand: reader.read(Name::VerifyBrand, brand), site: reader.read(Name::VerifySite, site) };
    let hook_secrets = reader.read(Name::AuthHookSecrets, WebhookSecrets::parse);
    let mut most = |name| {
        let most = reader.read(name, |text| value::number(text, 1, 100))?;
        u16::try_from(most).ok()
    };
    let number_hour = most(Name::VerifyNumberHour);
    let number_day = most(Name::VerifyNumberDay);
    let user_hour = most(Name::VerifyUserHour);
    let address_hour = most(Name::VerifyAddressHour);
    let allowances = Rules {
        number_hour: number_hour?,
        number_day: number_day?,
        user_hour: user_hour?,
        address_hour: address_hour?,
    };
    Some(Verification { wording, allowances, hook_secrets })
}

/// A name short enough for one text, without anything that would make it two.
fn brand(text: &str) -> Result<String, String> {
    let length = text.chars().count();
    if (1..=32).contains(&length) && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(format!("has {length} characters or control characters among them; expected 1 to 32 visible ones"))
}

/// A host, as it stands behind the @ of the last line.
fn site(text: &str) -> Result<String, String> {
    let is_host = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    if text.len() <= 64 && text.contains('.') && text.split('.').all(is_host) {
        return Ok(text.to_owned());
    }
    Err(format!("\"{text}\" is not a host such as example.com, in small letters"))
}
