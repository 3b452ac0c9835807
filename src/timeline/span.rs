//! Durations as people say them: two units at most.

use std::time::Duration;

/// `0ms`, `180ms`, `2.314s`, `4m 5s`, `3h 48m`, `12d 4h`: exact up to a minute, then the two largest units.
pub fn span(duration: Duration) -> String {
    let ms = duration.as_millis();
    let s = duration.as_secs();
    let (minutes, hours, days) = (s.div_euclid(60), s.div_euclid(3600), s.div_euclid(86_400));
    match s {
        0 => format!("{ms}ms"),
        1..60 => {
            let tail = format!("{s}.{:03}", duration.subsec_millis());
            format!("{}s", tail.trim_end_matches('0').trim_end_matches('.'))
        }
        60..3600 => two(minutes, "m", s.rem_euclid(60), "s"),
        3600..86_400 => two(hours, "h", minutes.rem_euclid(60), "m"),
        _ => two(days, "d", hours.rem_euclid(24), "h"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        format!("{large}{large_unit}")
    } else {
        format!("{large}{large_unit} {small}{small_unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_in_two_units_at_most() {
        let said = |ms: u64| span(Duration::from_millis(ms));
        assert_eq!(
            [said(0), said(180), said(2_314), said(10_000), said(59_999)],
            ["0ms", "180ms", "2.314s", "10s", "59.999s"]
        );
        assert_eq!(
            [said(60_000), said(245_000), said(13_680_000), said(86_400_000), said(1_051_200_000)],
            ["1m", "4m 5s", "3h 48m", "1d", "12d 4h"]
        );
    }
}
