//! The texts that are sent: all alike, each to a person of its own.

use crate::bench::connection::write_request;

/// Most texts of one run: each has a recipient of its own.
pub const TEXTS_MAX: u32 = 9_000_000;

/// Where the row of urgent texts begins.
const URGENT_FROM: u32 = 8_000_000;

/// Asks for the text before all others, to be sent at once.
pub fn first(_number: u32, request: &mut Vec<u8>) {
    let body =
        r#"{"to":"+15550999999","body":"This is the first of many. Reply STOP to end.","user_id":"first"}"#;
    write_request(request, "POST", "/v1/messages", "", body);
}

/// Asks for text `number`, to be sent at once.
pub fn immediate(number: u32, request: &mut Vec<u8>) {
    write_request(request, "POST", "/v1/messages", "", &body(number, ""));
}

/// The same, with an idempotency key.
pub fn immediate_with_key(number: u32, request: &mut Vec<u8>) {
    let key = format!("idempotency-key: order-{number:07}-shipped\r\n");
    write_request(request, "POST", "/v1/messages", &key, &body(number, ""));
}

/// Asks for text `number`, to be sent in a far future.
pub fn scheduled(number: u32, request: &mut Vec<u8>) {
    write_request(
        request,
        "POST",
        "/v1/messages",
        "",
        &body(number, r#","scheduled_for":"2099-12-24T08:00:00Z""#),
    );
}

/// Asks for text `number` of another row, before all others.
pub fn urgent(number: u32, request: &mut Vec<u8>) {
    let number = number.saturating_add(URGENT_FROM);
    write_request(request, "POST", "/v1/messages", "", &body(number, r#","priority":"urgent""#));
}

/// The recipient of text `number`, without the `+`.
pub fn recipient(number: u32) -> u64 {
    u64::from(number).saturating_add(15_551_000_000)
}

/// The words of reminder `number`.
pub fn reminder(number: u32) -> String {
    format!("Your appointment {number:07} is tomorrow at nine in the morning. Reply STOP to end.")
}

fn body(number: u32, more: &str) -> String {
    let to = number.saturating_add(1_000_000);
    format!(
        r#"{{"to":"+1555{to:07}","body":"Your order {number:07} is on its way and arrives tomorrow before noon. Reply STOP to end.","user_id":"customer-{number:07}"{more}}}"#
    )
}

#[cfg(test)]
mod tests {
    use dunlin_workflows::body::Body;
    use dunlin_workflows::phone_number::PhoneNumber;

    use super::*;

    #[test]
    fn every_text_can_be_sent_in_one_segment_to_a_person_of_its_own() {
        for number in [0, 1, TEXTS_MAX - 1] {
            for more in ["", r#","scheduled_for":"2099-12-24T08:00:00Z""#] {
                let text: serde_json::Value = serde_json::from_str(&body(number, more)).unwrap();
                assert!(PhoneNumber::parse(text["to"].as_str().unwrap(), None).is_ok());
                assert_eq!(Body::parse(text["body"].as_str().unwrap()).unwrap().segment_count(), 1);
            }
        }
        assert_ne!(body(1, ""), body(2, ""));
        assert!(body(7, "").contains(&format!("+{}", recipient(7))));
        assert_eq!(Body::parse(reminder(TEXTS_MAX)).unwrap().segment_count(), 1);
    }
}
