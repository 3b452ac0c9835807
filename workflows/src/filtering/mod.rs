//! What in a text may get it filtered by a carrier: advice to whoever writes it. Nothing is refused or held for it.

mod table;
#[cfg(test)]
mod tests;

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::folded::folded;

pub use table::{ON_SHOUTING, SHORTENERS, TERMS};

/// Fewest words in capitals, one after the other, and their letters together, that are taken for shouting. Three airports
/// in a row are none.
const SHOUTED_WORDS: usize = 3;
const SHOUTED_LETTERS: usize = 10;

/// Fewest marks in a row that are taken for shouting.
const MARKS: usize = 3;

/// Most characters of a text that a warning repeats.
const SHOWN: usize = 40;

/// Why a carrier may filter a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Risk {
    /// A link through a shortener that anybody may use.
    PublicShortener,
    /// Something about which nobody may text in the United States or Canada, or almost nobody.
    ForbiddenTopic,
    /// Words that promise or press.
    PromotionalWords,
    /// Several words in capitals.
    AllCapitals,
    /// Exclamation and question marks in a row.
    RepeatedPunctuation,
}

/// Every risk with the word for it.
pub const RISKS: [(Risk, &str); 5] = [
    (Risk::PublicShortener, "public_shortener"),
    (Risk::ForbiddenTopic, "forbidden_topic"),
    (Risk::PromotionalWords, "promotional_words"),
    (Risk::AllCapitals, "all_capitals"),
    (Risk::RepeatedPunctuation, "repeated_punctuation"),
];

/// Something in a text that may get it filtered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Why.
    pub risk: Risk,
    /// What was found: a host, words as they are folded, or a piece of the text.
    pub found: String,
    /// Who says so: an address.
    pub source: &'static str,
}

impl Risk {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        RISKS.into_iter().find(|(risk, _)| *risk == self).map_or("", |(_, word)| word)
    }

    /// What to do, in plain words.
    pub fn advice(self) -> &'static str {
        match self {
            Self::PublicShortener => {
                "links through shared shorteners are filtered; use the whole address, or a domain of your own"
            }
            Self::ForbiddenTopic => {
                "providers do not carry texts about this in the US and Canada, or few of them; if yours is about something else, say it in other words"
            }
            Self::PromotionalWords => "promotional words are taken for spam; say plainly what it is about",
            Self::AllCapitals => "whole phrases in capitals are taken for spam; write them as usual",
            Self::RepeatedPunctuation => "marks in a row are taken for spam; one is enough",
        }
    }
}

/// Everything in a text that may get it filtered: each thing once, in the order of [`RISKS`].
///
/// Takes time in proportion to the text. What is compared has full-width letters and ligatures made plain (NFKC); words are
/// compared whole and in any case.
pub fn warnings(text: &str) -> Vec<Warning> {
    let normal = ComposingNormalizerBorrowed::new_nfkc().normalize(text);
    let mut found = shorteners(&normal);
    let words = format!(" {} ", folded(text));
    for risk in [Risk::ForbiddenTopic, Risk::PromotionalWords] {
        let named =
            TERMS.into_iter().filter(|(term, of, _)| *of == risk && words.contains(&format!(" {term} ")));
        found.extend(named.map(|(term, risk, source)| Warning { risk, found: term.to_owned(), source }));
    }
    let shouted =
        shouted(&normal).map(|found| Warning { risk: Risk::AllCapitals, found, source: ON_SHOUTING });
    let marks =
        marks(&normal).map(|found| Warning { risk: Risk::RepeatedPunctuation, found, source: ON_SHOUTING });
    found.extend(shouted.into_iter().chain(marks));
    found
}

/// Hosts of shared shorteners, where a host stands: not inside another name, and not as the start of a longer one.
fn shorteners(normal: &str) -> Vec<Warning> {
    let lower = normal.to_lowercase();
    let stands = |host: &str| {
        lower.match_indices(host).any(|(at, _)| {
            let (before, rest) = lower.split_at(at);
            let before = before.strip_suffix("www.").unwrap_or(before);
            let after = rest.strip_prefix(host).unwrap_or_default();
            let part = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_');
            let begins = !before.ends_with(|letter: char| part(letter) || matches!(letter, '.' | '@'));
            let goes_on = after.strip_prefix('.').unwrap_or(after);
            begins && !goes_on.starts_with(part)
        })
    };
    let named = SHORTENERS.into_iter().filter(|(host, _)| stands(host));
    named
        .map(|(host, source)| Warning { risk: Risk::PublicShortener, found: host.to_owned(), source })
        .collect()
}

/// The first phrase in capitals. Numbers in it neither count nor end it.
fn shouted(normal: &str) -> Option<String> {
    let (mut run, mut letters) = (Vec::new(), 0_usize);
    // An address is one word, however it is written.
    let words =
        normal.split_whitespace().map(|word| word.trim_matches(|letter: char| !letter.is_alphanumeric()));
    for word in words.chain(["end"]) {
        let own = word.chars().filter(|letter| letter.is_alphabetic()).count();
        let is_shouted =
            own > 1 && word.chars().all(|letter| !letter.is_alphabetic() || letter.is_uppercase());
        if is_shouted {
            run.push(word);
            letters = letters.saturating_add(own);
        } else if own > 0 {
            if run.len() >= SHOUTED_WORDS && letters >= SHOUTED_LETTERS {
                return Some(shown(&run.join(" ")));
            }
            run.clear();
            letters = 0;
        }
    }
    None
}

/// The first marks in a row.
fn marks(normal: &str) -> Option<String> {
    let is_mark = |letter: char| matches!(letter, '!' | '?' | '\u{a1}' | '\u{bf}');
    let runs = normal.split(|letter: char| !is_mark(letter));
    runs.filter(|run| run.chars().count() >= MARKS).map(shown).next()
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}
