//! What may happen to a text message.

pub mod id;
pub mod message;
pub mod timestamp;
