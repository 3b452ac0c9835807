//! Which number a text to a user goes to.

use crate::id::PersonNumber;
use crate::kind::KindName;
use crate::policy::Verified;
use crate::rules::Rules;
use crate::user::{Rejection, User};

/// Whether texts of a kind go only to numbers that were proven.
pub fn needs_proof(kind: Option<&KindName>, rules: &Rules) -> bool {
    let exempt = rules.kinds.get(kind).is_some_and(|kind| !kind.needs_verified);
    rules.limits.verified == Verified::Required && !exempt
}

/// Whose number a text of a kind to a user goes to: their own, which they have proven if that is required.
/// `user` is `None` when nobody named them before.
///
/// # Errors
/// [`Rejection::NoNumber`] and [`Rejection::Unproven`].
pub fn number_of(
    user: Option<&User>,
    kind: Option<&KindName>,
    rules: &Rules,
) -> Result<PersonNumber, Rejection> {
    let number = user.and_then(|user| user.number).ok_or(Rejection::NoNumber)?;
    if number.verified_at.is_none() && needs_proof(kind, rules) {
        return Err(Rejection::Unproven);
    }
    Ok(number.person)
}
