//! Texts of people to us: what a test lets somebody write, signed and posted as the provider does.

use std::net::{IpAddr, SocketAddr};

use dunlin_workflows::id::ProviderSid;
use serde_json::{Value, json};

use crate::sandbox::callbacks::{Call, ask};
use crate::sandbox::carrier::Carrier;

/// Fields of the provider that are passed on as they are given.
const PASSED_ON: [&str; 5] = ["From", "To", "Body", "OptOutType", "MessagingServiceSid"];

impl Carrier {
    /// Lets somebody write: `form` names the webhook as `url`, and what the provider would say.
    /// Gives what the webhook answered.
    ///
    /// # Errors
    /// What is wrong with the form, or that nobody answers there.
    pub(super) async fn write(&self, form: &[u8]) -> Result<Value, &'static str> {
        let given: Vec<(String, String)> = form_urlencoded::parse(form).into_owned().collect();
        let field = |name: &str| given.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        let url = field("url").filter(|url| is_here(url)).ok_or("url must be a webhook on this machine")?;
        let sid = match field("MessageSid").map(|sid| sid.parse::<ProviderSid>()) {
            Some(Ok(sid)) => sid.to_string(),
            Some(Err(_)) => return Err("MessageSid is not one"),
            None => format!("SM{:032x}", fastrand::u128(..)),
        };
        let fixed = [
            ("AccountSid", self.account_sid.as_str()),
            ("ApiVersion", "2010-04-01"),
            ("MessageSid", &sid),
            ("NumMedia", "0"),
            ("SmsSid", &sid),
            ("SmsStatus", "received"),
        ];
        let passed_on = given.iter().filter(|(name, _)| PASSED_ON.contains(&name.as_str()));
        let signed = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fixed)
            .extend_pairs(passed_on.map(|(name, value)| (name, value)))
            .finish();
        let call = Call { url: url.as_str().into(), form: signed };
        let answer = ask(self.callbacks.signer(), &call).await.ok_or("nobody answers there")?;
        Ok(json!({
            "sid": sid, "status": answer.status, "content_type": answer.content_type, "body": answer.body,
        }))
    }
}

/// Whether an address is on this machine: the sandbox calls no other.
fn is_here(url: &str) -> bool {
    let authority = url.strip_prefix("http://").and_then(|rest| rest.split(['/', '?', '#']).next());
    authority.is_some_and(|authority| {
        let named = authority == "localhost" || authority.starts_with("localhost:");
        let ip = authority.parse::<SocketAddr>().map(|address| address.ip());
        named || ip.or_else(|_no_port| authority.parse()).is_ok_and(|ip: IpAddr| ip.is_loopback())
    })
}
