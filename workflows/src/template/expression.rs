//! What may stand between braces, and what may not: the language of templates without what could run long or grow large.

use thiserror::Error;

/// Statements that a text may have. No loops, no assignments: values are no lists, and what can be assigned again can
/// double again.
const STATEMENTS: [&str; 4] = ["if", "elif", "else", "endif"];

/// Something between braces that a text may not have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Forbidden {
    #[error("a statement \"{0}\" is not for texts; they have if, elif, else and endif")]
    Statement(String),
    #[error("texts do not multiply; remove the *")]
    Multiplication,
    #[error("a brace is opened and not closed")]
    Open,
}

/// Looks for what a text may not have.
pub(super) fn allowed(source: &str) -> Result<(), Forbidden> {
    let mut rest = source;
    while let Some(at) = rest.find('{') {
        let opened = rest.get(at..).unwrap_or_default();
        let (close, is_statement) = match opened.as_bytes().get(1) {
            Some(b'{') => ("}}", false),
            Some(b'%') => ("%}", true),
            Some(b'#') => {
                let end = opened.find("#}").ok_or(Forbidden::Open)?;
                rest = opened.get(end.saturating_add(2)..).unwrap_or_default();
                continue;
            }
            Some(_) | None => {
                rest = opened.get(1..).unwrap_or_default();
                continue;
            }
        };
        let inside = opened.get(2..).unwrap_or_default();
        let (expression, after) = until(inside, close)?;
        if is_statement {
            let word = expression.trim_start_matches(['-', '+']).trim_start();
            let end = word.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
            let word = word.get(..end.unwrap_or(word.len())).unwrap_or_default();
            if !STATEMENTS.contains(&word) {
                return Err(Forbidden::Statement(word.chars().take(32).collect()));
            }
        }
        rest = after;
    }
    Ok(())
}

/// What stands before `close`, and what after it. Quoted text ends nothing.
fn until<'a>(inside: &'a str, close: &str) -> Result<(&'a str, &'a str), Forbidden> {
    let mut quote = None;
    let mut letters = inside.char_indices();
    while let Some((at, letter)) = letters.next() {
        match (quote, letter) {
            (Some(_), '\\') => {
                letters.next();
            }
            (Some(open), letter) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(letter),
            (None, '*') => return Err(Forbidden::Multiplication),
            (None, _) if inside.get(at..).is_some_and(|rest| rest.starts_with(close)) => {
                let after = at.saturating_add(close.len());
                return Ok((inside.get(..at).unwrap_or_default(), inside.get(after..).unwrap_or_default()));
            }
            (None, _) => {}
        }
    }
    Err(Forbidden::Open)
}
