//! The daemon: a text is sent once, at the right hour, to someone who agreed to it, or you are told why not.
//!
//! A program that wants it inside uses [`service`] with [`config::Config`]; everything else is for the daemon itself, and may
//! change with any version.

pub mod announcement;
pub mod archivist;
pub mod backup;
pub mod bench;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod engine;
pub mod events;
pub mod http;
pub mod id_source;
pub mod keeper;
pub mod keys;
pub mod message_json;
pub mod opt_out_link;
pub mod replay;
pub mod restore;
pub mod room;
pub mod sandbox;
pub mod service;
pub mod shutdown;
pub mod standard_webhook;
pub mod supabase;
pub mod telemetry;
pub mod templates;
pub mod timeline;
pub mod trial_account;
pub mod twilio;
