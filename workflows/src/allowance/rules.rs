//! How much of what may be taken in which time.

use std::time::Duration;

/// How often within how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// At most this often. Nothing at all when 0.
    pub most: u16,
    /// Within this long.
    pub within: Duration,
}

/// Whose allowance it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A phone number's: nobody is pestered.
    Number,
    /// A user's.
    User,
    /// An address' from which somebody asks the caller.
    Address,
}

/// How often codes may be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// To one number, in an hour.
    pub number_hour: u16,
    /// To one number, in a day.
    pub number_day: u16,
    /// For one user, in an hour.
    pub user_hour: u16,
    /// From one address, in an hour.
    pub address_hour: u16,
}

impl Default for Rules {
    fn default() -> Self {
        Self { number_hour: 5, number_day: 20, user_hour: 5, address_hour: 10 }
    }
}

impl Subject {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::User => "user",
            Self::Address => "address",
        }
    }
}

impl Rules {
    /// The limits on what is taken of the allowance of `subject`.
    pub fn limits(&self, subject: Subject) -> Vec<Limit> {
        let hour = |most| Limit { most, within: Duration::from_hours(1) };
        let day = |most| Limit { most, within: Duration::from_hours(24) };
        match subject {
            Subject::Number => vec![hour(self.number_hour), day(self.number_day)],
            Subject::User => vec![hour(self.user_hour)],
            Subject::Address => vec![hour(self.address_hour)],
        }
    }
}
