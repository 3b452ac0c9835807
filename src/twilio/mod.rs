//! The provider: Twilio's Messages API over HTTP, and what it sends back.
//!
//! One call, one request: redirects, retries and proxies of the HTTP client are off, every time
//! limit is set, and only an answer that was read in full counts as one.

pub mod answer;
pub mod callback;
mod client;
pub mod inbound;
pub mod messages;
mod same_text;
mod search;
pub mod signature;
pub mod token;
pub mod verify;

pub use client::{Credentials, Sender, Twilio, TwilioConfig, TwilioError};
pub use verify::TwilioVerify;
