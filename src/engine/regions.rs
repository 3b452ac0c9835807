//! Where the numbers of the last texts belong. To find that out takes longer than the rest of a decision, and is asked
//! at least twice in the life of a text. It is remembered by neighborhood, so that most numbers that nobody texted
//! before are known in countries where that is wide.

use std::collections::HashMap;

use dunlin_workflows::phone_number::{PhoneNumber, Region};

/// Most neighborhoods in each half: together 1 MB at most.
const HALF: usize = 16_384;

/// The regions of neighborhoods that were asked about lately. When as many as may are known, those are forgotten that nobody
/// asked about since the last time.
#[derive(Debug, Default)]
pub(super) struct Regions {
    young: HashMap<PhoneNumber, Option<Region>>,
    old: HashMap<PhoneNumber, Option<Region>>,
}

impl Regions {
    /// The region of a number; `None` when it belongs to none.
    pub(super) fn of(&mut self, number: PhoneNumber) -> Option<Region> {
        let neighborhood = number.neighborhood();
        if let Some(region) = self.young.get(&neighborhood) {
            return *region;
        }
        let region = self.old.get(&neighborhood).copied().unwrap_or_else(|| number.region());
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(neighborhood, region);
        region
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_what_the_number_says_and_is_bounded() {
        let number = |digits| PhoneNumber::from_digits(digits).unwrap();
        let asked = [number(12_025_550_123), number(15_555_550_123), number(4_530_000_000)];
        let told: Vec<_> = asked.iter().map(|number| number.region()).collect();
        assert!(told.iter().any(Option::is_none) && told.iter().flatten().count() == 2);
        let mut regions = Regions::default();
        for digits in (0..).map(|n| 4_531_000_000 + n).take(3 * HALF) {
            regions.of(number(digits));
            assert_eq!(asked.map(|number| regions.of(number)).as_slice(), told);
        }
        assert!(regions.young.len() <= HALF && regions.old.len() <= HALF);
        assert!(!regions.young.contains_key(&number(4_531_000_000)));
    }
}
