//! The plain words of a text, for comparing them.

use icu_normalizer::ComposingNormalizerBorrowed;

/// The words of a text in lower case with one space between them: full-width letters and ligatures
/// made plain (NFKC), apostrophes dropped, everything else that is neither letter nor digit taken for a
/// space.
pub fn folded(words: &str) -> String {
    let normal = ComposingNormalizerBorrowed::new_nfkc().normalize(words);
    let mut folded = String::with_capacity(normal.len());
    for letter in normal.chars().flat_map(char::to_lowercase) {
        if letter.is_alphanumeric() {
            folded.push(letter);
        } else if !is_dropped(letter) && !folded.is_empty() && !folded.ends_with(' ') {
            folded.push(' ');
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

/// Apostrophes, and marks that nobody sees: joiners, variation selectors, the byte order mark.
fn is_dropped(letter: char) -> bool {
    matches!(
        letter,
        '\'' | '\u{2019}' | '\u{2bc}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
    )
}
