//! Rates as an operator writes them: `600/m,20000/d`, or for countries `US=600/m,DK=100/h`.

use std::collections::BTreeMap;

use dunlin_workflows::phone_number::Region;
use dunlin_workflows::policy::Rate;

use crate::config::value;

/// Most texts that a rate may allow in its time.
const RATE_MAX: u32 = 100_000_000;

/// Most parts of one setting.
const PARTS_MAX: usize = 900;

/// New numbers of one block in an hour when nobody said anything: sign-ups never come so close together, and pumping
/// does from its first minute.
pub(super) const VELOCITY: Rate = Rate { per_hour: Some(30), ..Rate::NONE };

/// One rate.
pub(super) fn rate(text: &str) -> Result<Rate, String> {
    let mut rate = Rate::NONE;
    if text == "off" {
        return Ok(rate);
    }
    for part in text.split(',').take(PARTS_MAX) {
        put(&mut rate, part)?;
    }
    Ok(rate)
}

/// The rates of countries.
pub(super) fn countries(text: &str) -> Result<BTreeMap<Region, Rate>, String> {
    let mut rates = BTreeMap::new();
    if text == "off" {
        return Ok(rates);
    }
    for part in text.split(',').take(PARTS_MAX) {
        let (code, limit) = part.split_once('=').ok_or_else(|| {
            format!("\"{part}\" is no country with a rate; write them like US=600/m, or off")
        })?;
        let region: Region = code.trim().parse().map_err(|error| format!("{error}"))?;
        put(rates.entry(region).or_default(), limit)?;
    }
    Ok(rates)
}

/// Reads one limit into its place, which must be free.
fn put(rate: &mut Rate, text: &str) -> Result<(), String> {
    let wrong = || format!("\"{text}\" is no rate; write how many per m, h or d, such as 600/m, or off");
    let (number, span) = text.trim().split_once('/').ok_or_else(wrong)?;
    let number = value::number(number, 0, RATE_MAX).map_err(|why| format!("\"{text}\": {why}"))?;
    let place = match span {
        "m" => &mut rate.per_minute,
        "h" => &mut rate.per_hour,
        "d" => &mut rate.per_day,
        _other => return Err(wrong()),
    };
    match place.replace(number) {
        None => Ok(()),
        Some(other) => Err(format!("\"{text}\": {other} per {span} was said before")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_or_refused() {
        let read = rate("600/m, 20000/d").unwrap();
        assert_eq!(read, Rate { per_minute: Some(600), per_hour: None, per_day: Some(20_000) });
        assert_eq!(rate("0/h").unwrap().per_hour, Some(0), "none at all");
        assert!(rate("off").unwrap().is_none());
        for wrong in ["", "600", "600/s", "/m", "-1/m", "600/m,5/m", "1000000000/d", "on"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
        let read = countries("US=600/m,DK=100/h,DK=500/d").unwrap();
        let of = |code: &str| read.get(&code.parse().unwrap()).copied().unwrap_or_default();
        assert_eq!(of("DK"), Rate { per_hour: Some(100), per_day: Some(500), ..Rate::NONE });
        assert_eq!((of("US").per_minute, of("SE")), (Some(600), Rate::NONE));
        for wrong in ["", "600/m", "USA=1/m", "US=1/m,US=2/m", "US="] {
            assert!(countries(wrong).is_err(), "{wrong}");
        }
    }
}
