//! Figures: rates, quantiles, and how they are written.

use std::time::Duration;

/// A count as a float; exact up to 2^53.
pub fn float(count: u64) -> f64 {
    let high = u32::try_from(count.wrapping_shr(32)).unwrap_or(u32::MAX);
    let low = u32::try_from(count & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}

/// How many per second; 0 when no time has passed.
pub fn per_second(count: u64, elapsed: Duration) -> f64 {
    ratio(float(count), elapsed.as_secs_f64())
}

/// `part / whole`; 0 when there is no whole.
pub fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// The value that `percent` of the sorted values do not exceed; 0 when there are none.
pub fn quantile(sorted: &[u32], percent: usize) -> u32 {
    let rank = sorted.len().saturating_mul(percent).div_ceil(100).saturating_sub(1);
    sorted.get(rank).copied().unwrap_or_default()
}

/// A figure rounded to a whole number, its thousands apart.
pub fn grouped(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && digits.len().saturating_sub(place).checked_rem(3) == Some(0) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_for_people() {
        let written: Vec<String> = [0.0, 999.4, 1000.0, 1_234_567.0].map(grouped).into();
        assert_eq!(written, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let sorted: Vec<u32> = (1..=200).collect();
        assert_eq!((quantile(&sorted, 50), quantile(&sorted, 99), quantile(&sorted, 100)), (100, 198, 200));
        assert_eq!((quantile(&[7], 1), quantile(&[], 50)), (7, 0));
    }

    #[test]
    fn large_counts_keep_their_size() {
        assert!((float(1 << 40) - 1_099_511_627_776.0).abs() < f64::EPSILON);
        assert!((per_second(3, Duration::from_secs(2)) - 1.5).abs() < f64::EPSILON);
    }
}
