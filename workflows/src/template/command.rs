//! What may be asked about a template, and how the answer can be no.

use crate::actor::Reason;
use crate::template::{CheckedContent, Fault, TemplateKey, VERSIONS_MAX};

/// What somebody asks about a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Write what will be its next version. Whoever writes a key for the first time makes the template.
    Draft {
        /// What it says.
        content: Box<CheckedContent>,
    },
    /// Let there be one that says this and may be used, unless there is one of the key.
    Begin {
        /// What it says.
        content: Box<CheckedContent>,
    },
    /// Throw the draft away.
    Discard,
    /// Use the draft from now on, if it is this one.
    Publish {
        /// What it says.
        draft: Box<CheckedContent>,
    },
    /// Use an older version again.
    RollBack {
        /// Which one.
        version: u32,
        /// What it says, as its record holds it.
        content: Box<CheckedContent>,
    },
    /// Let nobody use it.
    Deactivate,
    /// Let it be used again.
    Activate,
}

/// What decisions depend on besides the template.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// What it is, or will be, called.
    pub key: &'a TemplateKey,
    /// The revision that the caller has seen; any when `None`, and 0 when they have seen that there is none.
    pub seen: Option<u64>,
    /// Position of the record that the first event will have.
    pub position: u64,
    /// Why it is asked.
    pub reason: Option<&'a Reason>,
}

/// The domain says no. A value, not an error: nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There is none of that key.
    #[error("there is no template \"{0}\"; write one first")]
    NotFound(TemplateKey),
    /// What it would say can't be used.
    #[error("the template can't be used as it is written: {}", told(.0))]
    Faulty(Vec<Fault>),
    /// There is nothing to publish.
    #[error("template \"{0}\" has no draft; write one first")]
    NoDraft(TemplateKey),
    /// It has no such version.
    #[error("template \"{key}\" has no version {version}; its newest is {newest}")]
    NoVersion {
        /// The template.
        key: TemplateKey,
        /// What was asked for.
        version: u32,
        /// What there is.
        newest: u32,
    },
    /// It has as many versions as one may have.
    #[error("template \"{0}\" has {VERSIONS_MAX} versions, which is the most; write one under another key")]
    TooMany(TemplateKey),
    /// Somebody else was faster.
    #[error("the template was changed meanwhile: it is at revision {revision}; read it again")]
    Changed {
        /// Where it is now.
        revision: u64,
    },
}

fn told(faults: &[Fault]) -> String {
    let told: Vec<String> = faults.iter().map(|fault| format!("{}: {}", fault.pointer, fault.why)).collect();
    told.join("; ")
}
