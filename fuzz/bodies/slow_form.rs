//! Forms as the URL standard reads them, written anew and slowly: the judge of whoever reads forms fast.

/// Names and values of a form, in its order.
pub fn pairs(form: &[u8]) -> Vec<(String, String)> {
    let fields = form.split(|byte| *byte == b'&').filter(|field| !field.is_empty());
    fields
        .map(|field| {
            let mut halves = field.splitn(2, |byte| *byte == b'=');
            let name = halves.next().unwrap_or_default();
            (decoded(name), decoded(halves.next().unwrap_or_default()))
        })
        .collect()
}

/// The first value that a form gives to `name`.
pub fn first(form: &[u8], name: &str) -> Option<String> {
    pairs(form).into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

fn decoded(text: &[u8]) -> String {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, beyond @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.push(value(*high).wrapping_mul(16).wrapping_add(value(*low)));
                rest = beyond;
            }
            (other, _) => bytes.push(*other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn value(digit: u8) -> u8 {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).unwrap_or_default()
}
