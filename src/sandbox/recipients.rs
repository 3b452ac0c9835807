//! Numbers that mean something to the carrier: how to see every outcome without a real one.

use dunlin_workflows::message::ProviderStatus;

/// Recipients that a creation refuses, with HTTP status 400.
///
/// Source: <https://www.twilio.com/docs/iam/test-credentials>, read 2026-11-23.
const REFUSED_TO: [(&str, u32, &str); 5] = [
    ("+15005550001", 21211, "The 'To' number is not a valid phone number."),
    (
        "+15005550002",
        21612,
        "The 'To' phone number is not currently reachable using the 'From' phone number.",
    ),
    ("+15005550003", 21408, "Permission to send an SMS has not been enabled for the region."),
    ("+15005550004", 21610, "Attempt to send to unsubscribed recipient."),
    ("+15005550009", 21614, "'To' number is not a valid mobile number."),
];

/// Senders that a creation refuses. Same source.
const REFUSED_FROM: [(&str, u32, &str); 3] = [
    ("+15005550001", 21212, "The 'From' number is not a valid phone number."),
    ("+15005550007", 21606, "The 'From' phone number is not a valid, SMS-capable number for this account."),
    ("+15005550008", 21611, "This 'From' number has exceeded the maximum number of queued messages."),
];

/// Recipients whose message comes to a certain end. Ours; the provider has no such numbers.
pub const ENDINGS: [(&str, ProviderStatus, Option<u32>); 7] = [
    ("+15005551001", ProviderStatus::Failed, Some(30001)),
    ("+15005551003", ProviderStatus::Undelivered, Some(30003)),
    ("+15005551005", ProviderStatus::Undelivered, Some(30005)),
    ("+15005551006", ProviderStatus::Undelivered, Some(30006)),
    ("+15005551007", ProviderStatus::Undelivered, Some(30007)),
    ("+15005551010", ProviderStatus::Failed, Some(21610)),
    ("+15005551099", ProviderStatus::Sent, None),
];

/// Recipients, by how their numbers begin, whom the first text does not reach and every later one does: an
/// outage that has passed when somebody tries again. Ours, too.
pub(super) const PASSING_TROUBLE: (&str, ProviderStatus, Option<u32>) =
    ("+15005552", ProviderStatus::Undelivered, Some(30008));

/// The refusal of a creation, if its numbers mean one: code and words.
pub(super) fn refusal(to: &str, from: Option<&str>) -> Option<(u32, &'static str)> {
    let sender = from.and_then(|from| REFUSED_FROM.into_iter().find(|(number, _, _)| *number == from));
    let recipient = REFUSED_TO.into_iter().find(|(number, _, _)| *number == to);
    sender.or(recipient).map(|(_, code, words)| (code, words))
}

/// How a message to this recipient, the first or a later one, ends: delivered unless its number means
/// something else.
pub(super) fn ending(to: &str, is_first: bool) -> (ProviderStatus, Option<u32>) {
    let (begins, status, code) = PASSING_TROUBLE;
    if is_first && to.starts_with(begins) {
        return (status, code);
    }
    ENDINGS
        .into_iter()
        .find(|(number, _, _)| *number == to)
        .map_or((ProviderStatus::Delivered, None), |(_, status, code)| (status, code))
}
