//! What a text means for consent, by its words.
//!
//! The words that the law names revoke "per se": stop, quit, end, revoke, opt out, cancel, unsubscribe
//! (47 CFR 64.1200(a)(10), <https://www.ecfr.gov/current/title-47/section-64.1200>); the provider adds
//! stopall and optout, and knows start, yes and unstop, help and info
//! (<https://help.twilio.com/articles/223134027>). Both read 2026-11-24. Any other clear wish counts too, so
//! what sounds like one counts until somebody has read it.

use crate::consent::{How, Inbound, Line, OptOutType};
use crate::folded::folded;

/// What a text means for consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// An opt-out.
    Out(How),
    /// An opt-in.
    In(How),
    /// A question who we are.
    Help,
    /// It sounds like an opt-out.
    MaybeOut,
    /// Nothing.
    Nothing,
}

const OUT: [&str; 9] =
    ["stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "opt out"];
const IN: [&str; 2] = ["start", "unstop"];
const HELP: [&str; 2] = ["help", "info"];

/// Keywords that the provider answers by itself, but on a short code; as a whole message.
const ANSWERED: [&str; 13] = [
    "stop",
    "stopall",
    "unsubscribe",
    "cancel",
    "end",
    "quit",
    "revoke",
    "optout",
    "start",
    "yes",
    "unstop",
    "help",
    "info",
];

/// Words that ask for an end wherever they stand.
const MAYBE: [&str; 21] = [
    "stop",
    "unsubscribe",
    "revoke",
    "optout",
    "opt out",
    "opt me out",
    "opting out",
    "remove me",
    "take me off",
    "off your list",
    "off the list",
    "leave me alone",
    "do not text",
    "dont text",
    "do not message",
    "dont message",
    "do not contact",
    "dont contact",
    "no more texts",
    "no more messages",
    "quit texting",
];

/// What a text means. Of two readings the one that sends less counts.
pub fn read(inbound: &Inbound) -> Meaning {
    let folded = folded(&inbound.words);
    let word = folded.as_str();
    let said = inbound.opt_out_type;
    if OUT.contains(&word) {
        return Meaning::Out(How::Keyword);
    }
    match said {
        Some(OptOutType::Stop) => return Meaning::Out(How::Provider),
        Some(OptOutType::Start) => return Meaning::In(How::Provider),
        Some(OptOutType::Help) => return Meaning::Help,
        Some(OptOutType::Other) | None => {}
    }
    // A yes lifts a STOP at the provider only on an ordinary number; elsewhere it is just an answer.
    if IN.contains(&word) || (word == "yes" && inbound.line == Line::LongCode) {
        Meaning::In(How::Keyword)
    } else if HELP.contains(&word) {
        Meaning::Help
    } else if sounds_like_out(word) {
        Meaning::MaybeOut
    } else {
        Meaning::Nothing
    }
}

/// Whether the provider answers a text by itself. Its keywords are whole messages in any case; it does
/// not look through punctuation as we do.
pub(super) fn provider_answers(inbound: &Inbound) -> bool {
    let bare = inbound.words.trim().to_lowercase();
    inbound.opt_out_type.is_some() || (inbound.line != Line::ShortCode && ANSWERED.contains(&bare.as_str()))
}

fn sounds_like_out(folded: &str) -> bool {
    let begins = OUT.iter().any(|word| folded.strip_prefix(word).is_some_and(|rest| rest.starts_with(' ')));
    let framed = format!(" {folded} ");
    begins || MAYBE.iter().any(|words| framed.contains(&format!(" {words} ")))
}
