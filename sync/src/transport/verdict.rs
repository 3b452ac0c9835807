//! What a refusal means, and what mends it.

use std::time::Duration;

use super::{CallError, Function};

/// Most characters of what the other side said that are repeated.
const SAID_MAX: usize = 500;

/// A refusal as it was told. Either way has the database's five-character code, or a word of PostgREST's, or neither.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal<'a> {
    /// Where, without secrets.
    pub(super) place: &'a str,
    /// What was called.
    pub(super) function: Function,
    /// The role that called.
    pub(super) role: &'a str,
    /// The status of HTTP; `None` over the database's protocol.
    pub(super) status: Option<u16>,
    /// The code; empty when there is none.
    pub(super) code: &'a str,
    /// What was said; may be empty.
    pub(super) message: &'a str,
    /// What was advised.
    pub(super) hint: Option<&'a str>,
    /// When it wants to be asked again.
    pub(super) retry_after: Option<Duration>,
}

impl Refusal<'_> {
    /// What it means.
    pub(super) fn verdict(&self) -> CallError {
        let function = self.function;
        let place = self.place.to_owned();
        let why = self.said();
        match self.code {
            "PT422" => CallError::Refused { function, why: self.message.chars().take(SAID_MAX).collect() },
            "40001" | "40P01" | "55P03" | "57014" => CallError::Conflict { function, why },
            "42501" if self.status == Some(401) => CallError::Unauthorized {
                place,
                why,
                remedy: format!("the key is not known there, so we are taken for nobody; {SECRET_KEY}"),
            },
            "42501" => CallError::Forbidden { function, why, remedy: self.grant() },
            "PGRST106" => CallError::Forbidden {
                function,
                why,
                remedy: "expose the schema public: Settings, Data API, Exposed schemas".to_owned(),
            },
            "PGRST202" => CallError::ContractMissing {
                function,
                why,
                remedy: "run dunlin migrate apply; if that was done, let the Data API look again: notify pgrst, 'reload schema'"
                    .to_owned(),
            },
            "42883" | "42P01" | "3F000" => {
                CallError::ContractMissing { function, why, remedy: "run dunlin migrate apply".to_owned() }
            }
            "25006" => {
                self.busy(format!("{why}; a project whose disk is full can't be written to: give it more"))
            }
            "PGRST000" | "PGRST001" | "PGRST002" | "PGRST003" | "57P01" | "57P02" | "57P03" => self.busy(why),
            code if code.starts_with("08") || code.starts_with("53") => self.busy(why),
            code if code.starts_with("PGRST3") || code.starts_with("28") || code == "3D000" => {
                CallError::Unauthorized { place, why, remedy: self.way_in() }
            }
            "22023" if self.message.starts_with("role ") => {
                CallError::Unauthorized { place, why, remedy: self.way_in() }
            }
            "XX000" => self.verdict_on_pooler(),
            _ => self.verdict_on_status(),
        }
    }

    /// A pooler has one code for everything.
    fn verdict_on_pooler(&self) -> CallError {
        let said = self.message.to_ascii_lowercase();
        if said.contains("max client") || said.contains("emaxconn") {
            return self.busy(self.said());
        }
        if said.contains("tenant or user not found") || said.contains("enotfound") {
            let remedy =
                "a pooler's users are written USER.PROJECT, such as dunlin_worker.abcdefghijklmnopqrst"
                    .to_owned();
            return CallError::Unauthorized { place: self.place.to_owned(), why: self.said(), remedy };
        }
        CallError::Other { function: self.function, why: self.said() }
    }

    fn verdict_on_status(&self) -> CallError {
        let function = self.function;
        let why = self.said();
        let has_code = !self.code.is_empty();
        match self.status {
            Some(401) => {
                CallError::Unauthorized { place: self.place.to_owned(), why, remedy: SECRET_KEY.to_owned() }
            }
            Some(403) => CallError::Forbidden { function, why, remedy: SECRET_KEY.to_owned() },
            Some(408 | 429) => self.busy(why),
            Some(540) => self.busy(format!("{why}; the project is paused: restore it on its page")),
            Some(502..=504) => self.busy(why),
            Some(500..) if !has_code => self.busy(why),
            Some(413) => CallError::Other { function, why: format!("{why}; fewer rows must go at once") },
            Some(300..=499) if !has_code => CallError::Other {
                function,
                why: format!("{why}; does SUPABASE_URL name the project, as https://PROJECT.supabase.co?"),
            },
            Some(_) | None => CallError::Other { function, why },
        }
    }

    fn busy(&self, why: String) -> CallError {
        CallError::Busy { place: self.place.to_owned(), why, retry_after: self.retry_after }
    }

    /// What lets us in.
    fn way_in(&self) -> String {
        if self.message.contains("not permitted to log in") {
            format!("say alter role {} login password '...'", quoted(self.role))
        } else if self.status.is_some() {
            SECRET_KEY.to_owned()
        } else {
            "check user, password and database of SUPABASE_DB_URL".to_owned()
        }
    }

    /// The statement that is missing.
    fn grant(&self) -> String {
        let role = quoted(self.role);
        let of = |kind: &str| self.message.strip_prefix(kind).unwrap_or_default();
        let function = of("permission denied for function ");
        let schema = of("permission denied for schema ");
        let statement = if function == self.function.name() {
            format!("grant execute on function {} to {role}", self.function.signature())
        } else if function == self.function.inner_name() {
            format!("grant execute on function {} to {role}", self.function.inner_signature())
        } else if matches!(schema, "dunlin" | "public") {
            format!("grant usage on schema {schema} to {role}")
        } else if self.message.starts_with("permission denied to set role") {
            format!("grant {role} to authenticator")
        } else {
            return "whoever owns the functions of the schema dunlin must be allowed what they do; they belong to the role that ran dunlin migrate apply, which is postgres as a rule".to_owned();
        };
        format!("say {statement}")
    }

    /// What was said, with its code and advice. Details are left out: they may quote a row.
    fn said(&self) -> String {
        let plain = |text: &str| text.chars().filter(|c| !c.is_control()).take(SAID_MAX).collect::<String>();
        let words = if self.message.is_empty() { "no reason given".to_owned() } else { plain(self.message) };
        let tag = match (self.code, self.status) {
            ("", None) => String::new(),
            ("", Some(status)) => format!(" (HTTP {status})"),
            (code, _) => format!(" ({})", plain(code)),
        };
        match self.hint.filter(|hint| !hint.is_empty()) {
            Some(hint) => format!("{words}{tag}; {}", plain(hint)),
            None => words + &tag,
        }
    }
}

/// Where the key is.
const SECRET_KEY: &str = "take a secret key (sb_secret_...) of this very project: Settings, API Keys";

/// A name as SQL takes it.
fn quoted(name: &str) -> String {
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if plain && !name.is_empty() { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: Option<u16>, code: &str, message: &str) -> CallError {
        let role = "service_role";
        let (place, function) = ("https://x.supabase.co", Function::Pull);
        Refusal { place, function, role, status, code, message, hint: None, retry_after: None }.verdict()
    }

    #[test]
    fn missing_grant_is_told_as_the_statement_that_mends_it() {
        for (message, statement) in [
            (
                "permission denied for function dunlin_pull",
                "grant execute on function public.dunlin_pull(uuid, text, integer, integer, integer, integer) to service_role",
            ),
            ("permission denied for function pull", "grant execute on function dunlin.pull(uuid, text,"),
            ("permission denied for schema dunlin", "grant usage on schema dunlin to service_role"),
            ("permission denied to set role \"service_role\"", "grant service_role to authenticator"),
            ("permission denied for table users", "which is postgres as a rule"),
        ] {
            let error = verdict(Some(403), "42501", message);
            assert!(matches!(error, CallError::Forbidden { .. }) && !error.is_transient(), "{error}");
            assert!(error.to_string().contains(statement), "{error}");
        }
        assert_eq!(quoted("We\"ird"), "\"We\"\"ird\"");
    }

    #[test]
    fn what_passes_by_itself_is_told_from_what_somebody_must_mend() {
        let passing = [
            (Some(500), "40001"),
            (Some(500), "57014"),
            (None, "55P03"),
            (None, "40P01"),
            (Some(503), "PGRST002"),
            (Some(504), "PGRST003"),
            (Some(503), "08006"),
            (None, "53300"),
            (None, "57P03"),
            (Some(429), ""),
            (Some(502), ""),
            (Some(503), "PGRST500"),
            (Some(540), ""),
            (Some(405), "25006"),
        ];
        for (status, code) in passing {
            assert!(verdict(status, code, "it says").is_transient(), "{status:?} {code}");
        }
        let standing = [
            (Some(422), "PT422"),
            (Some(404), "PGRST202"),
            (None, "42883"),
            (Some(401), ""),
            (Some(401), "PGRST301"),
            (None, "28P01"),
            (None, "3D000"),
            (Some(400), "22P02"),
            (Some(500), "XX001"),
            (Some(302), ""),
            (Some(404), ""),
            (Some(406), "PGRST106"),
            (Some(413), ""),
        ];
        for (status, code) in standing {
            assert!(!verdict(status, code, "it says").is_transient(), "{status:?} {code}");
        }
    }

    #[test]
    fn whoever_is_not_let_in_is_told_where_the_key_is() {
        for (status, code, message, told) in [
            (Some(401), "", "Invalid API key", "take a secret key"),
            (Some(401), "42501", "permission denied for function dunlin_pull", "we are taken for nobody"),
            (Some(401), "PGRST303", "JWT expired", "take a secret key"),
            (None, "28P01", "password authentication failed", "check user, password"),
            (
                None,
                "28000",
                "role \"dunlin_worker\" is not permitted to log in",
                "say alter role service_role login",
            ),
            (None, "XX000", "Tenant or user not found", "are written USER.PROJECT"),
            (Some(400), "22023", "role \"dunlin_worker\" does not exist", "take a secret key"),
        ] {
            let error = verdict(status, code, message);
            assert!(matches!(error, CallError::Unauthorized { .. }), "{error:?}");
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}
