//! How a body is cut into the parts that are billed.

use std::fmt;

use unicode_segmentation::UnicodeSegmentation;

/// The alphabet a body is sent in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// The seven-bit alphabet of the GSM standard; units are septets.
    Gsm7,
    /// Everything else: sixteen-bit; units are UTF-16 code units.
    Ucs2,
}

/// Characters of the GSM-7 basic alphabet, one septet each.
///
/// Source: 3GPP TS 23.038, section 6.2.1. The escape code itself is not a character.
const GSM7_BASIC: &str = "@\u{a3}$\u{a5}\u{e8}\u{e9}\u{f9}\u{ec}\u{f2}\u{c7}\n\u{d8}\u{f8}\r\u{c5}\u{e5}\
    \u{394}_\u{3a6}\u{393}\u{39b}\u{3a9}\u{3a0}\u{3a8}\u{3a3}\u{398}\u{39e}\u{c6}\u{e6}\u{df}\u{c9}\
    \x20!\"#\u{a4}%&'()*+,-./0123456789:;<=>?\u{a1}ABCDEFGHIJKLMNOPQRSTUVWXYZ\u{c4}\u{d6}\u{d1}\u{dc}\u{a7}\
    \u{bf}abcdefghijklmnopqrstuvwxyz\u{e4}\u{f6}\u{f1}\u{fc}\u{e0}";

/// Characters of the GSM-7 extension table, two septets each (escape, then the character).
///
/// Source: 3GPP TS 23.038, section 6.2.1.1.
const GSM7_EXTENSION: &str = "\u{c}^{}\\[~]|\u{20ac}";

impl Encoding {
    /// GSM-7 when every character is in its two tables, else UCS-2.
    pub fn of(text: &str) -> Self {
        if text.chars().all(|letter| septets(letter).is_some()) { Self::Gsm7 } else { Self::Ucs2 }
    }

    /// Units in a body sent as one part: 140 octets.
    const fn units_single(self) -> u16 {
        match self {
            Self::Gsm7 => 160,
            Self::Ucs2 => 70,
        }
    }

    /// Units in each part of a longer body, after the six octets that number the parts.
    const fn units_part(self) -> u16 {
        match self {
            Self::Gsm7 => 153,
            Self::Ucs2 => 67,
        }
    }

    fn units(self, text: &str) -> u16 {
        let count = |letter: char| match self {
            Self::Gsm7 => septets(letter).unwrap_or(2),
            Self::Ucs2 => u16::try_from(letter.len_utf16()).unwrap_or(2),
        };
        text.chars().map(count).fold(0, u16::saturating_add)
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gsm7 => "GSM-7",
            Self::Ucs2 => "UCS-2",
        })
    }
}

/// Septets the character takes in GSM-7; `None` when it is not in that alphabet.
fn septets(letter: char) -> Option<u16> {
    // Nearly every letter of nearly every text: not worth a search. All of ASCII that can be seen is in
    // the basic table but for these nine.
    let plain = letter == ' '
        || (letter.is_ascii_graphic()
            && !matches!(letter, '^' | '{' | '}' | '\\' | '[' | '~' | ']' | '|' | '`'));
    if plain || GSM7_BASIC.contains(letter) {
        Some(1)
    } else if GSM7_EXTENSION.contains(letter) {
        Some(2)
    } else {
        None
    }
}

/// The alphabet of `text`, and into how many parts [`segments`] cuts it. Most texts are one part, which one look tells.
pub fn measure(text: &str) -> (Encoding, u16) {
    let septets = text.chars().map(septets).try_fold(0_u16, |sum, letter| Some(sum.saturating_add(letter?)));
    match septets {
        Some(units) if (1..=Encoding::Gsm7.units_single()).contains(&units) => (Encoding::Gsm7, 1),
        _ => (Encoding::of(text), u16::try_from(segments(text).len()).unwrap_or(u16::MAX)),
    }
}

/// Cuts `text` into the parts it is sent and billed as; concatenated they are `text` again.
///
/// What a reader sees as one character (an emoji with its modifiers, a letter with its accents) stays
/// in one part, as in the provider's calculator (`sms-segments-calculator` 1.3.0, read 2026-11-23).
/// A CR LF pair may be cut. A single cluster larger than a whole part is cut between its characters,
/// where the calculator would report a part that no carrier can carry. Toll-free senders have one unit
/// fewer per part; the count the provider returns is what is billed.
pub fn segments(text: &str) -> Vec<&str> {
    let encoding = Encoding::of(text);
    if encoding.units(text) <= encoding.units_single() {
        return if text.is_empty() { Vec::new() } else { vec![text] };
    }
    let part = encoding.units_part();
    let mut cuts = Vec::new();
    let (mut at, mut used) = (0_usize, 0_u16);
    for piece in pieces(text, encoding) {
        let units = encoding.units(piece);
        used = used.saturating_add(units);
        if used > part {
            cuts.push(at);
            used = units;
        }
        at = at.saturating_add(piece.len());
    }
    cuts.push(text.len());
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    starts.zip(&cuts).filter_map(|(start, end)| text.get(start..*end)).collect()
}

/// The smallest pieces of `text` that a cut may fall between.
fn pieces(text: &str, encoding: Encoding) -> impl Iterator<Item = &str> {
    text.graphemes(true).flat_map(move |cluster| {
        let divisible = cluster == "\r\n" || encoding.units(cluster) > encoding.units_part();
        cluster.split_inclusive(move |_letter| divisible)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Turns `\u{hex}` of the fixture back into the character.
    fn unescape(text: &str) -> String {
        let mut pieces = text.split("\\u{");
        let mut plain = pieces.next().unwrap().to_owned();
        for piece in pieces {
            let (hex, rest) = piece.split_once('}').unwrap();
            plain.push(char::from_u32(u32::from_str_radix(hex, 16).unwrap()).unwrap());
            plain.push_str(rest);
        }
        plain
    }

    #[test]
    fn cuts_fall_where_the_provider_calculator_puts_them() {
        // Made by segments.mjs beside it, which is the provider's own code.
        let fixture = include_str!("../tests/fixtures/segments.tsv");
        let mut cases = 0;
        for line in fixture.split_terminator('\n') {
            let [encoding, lengths, text] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
            let text = unescape(text);
            let ours: Vec<String> =
                segments(&text).iter().map(|part| part.encode_utf16().count().to_string()).collect();
            assert_eq!(
                (Encoding::of(&text).to_string().as_str(), ours.join(",").as_str()),
                (encoding, lengths),
                "{line}"
            );
            cases += 1;
        }
        assert!(cases >= 200, "{cases}");
    }

    #[test]
    fn letters_that_are_not_looked_up_are_in_the_basic_table() {
        for letter in (0..=u8::MAX).map(char::from) {
            let searched = if GSM7_BASIC.contains(letter) {
                Some(1)
            } else {
                GSM7_EXTENSION.contains(letter).then_some(2)
            };
            assert_eq!(septets(letter), searched, "{letter:?}");
        }
    }

    #[test]
    fn gsm_tables_hold_each_character_once() {
        let mut letters: Vec<char> = GSM7_BASIC.chars().chain(GSM7_EXTENSION.chars()).collect();
        letters.sort_unstable();
        letters.dedup();
        assert_eq!((GSM7_BASIC.chars().count(), letters.len()), (127, 137));
    }

    #[test]
    fn cluster_too_large_for_a_part_is_cut_between_characters() {
        let tower = format!("a{}", "\u{301}".repeat(100));
        assert_eq!(segments(&tower).iter().map(|part| part.chars().count()).collect::<Vec<_>>(), [67, 34]);
    }

    proptest! {
        #[test]
        fn segments_concatenate_to_the_text_and_each_fits(text in "[a-z^\u{20ac}\r\n]{0,400}|\\PC{0,300}|[a\u{301}\u{1f469}\u{200d}\u{1f1e9}]{0,300}") {
            let encoding = Encoding::of(&text);
            let parts = segments(&text);
            prop_assert_eq!(parts.concat(), text.as_str());
            let limit = if parts.len() > 1 { encoding.units_part() } else { encoding.units_single() };
            prop_assert_eq!(measure(&text), (encoding, u16::try_from(parts.len()).unwrap()));
            for part in parts {
                prop_assert!(!part.is_empty() && encoding.units(part) <= limit);
            }
        }
    }
}
