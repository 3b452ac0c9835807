//! What the engine needs of a service that makes codes, sends them and checks them. `src/twilio` implements it.

use std::fmt::Debug;

use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::verification::{Code, CodeDigest, Command, VerificationSid};

use crate::engine::provider::Answer;

/// The service, as the engine sees it. Every question ends within its own time limit.
pub trait VerifyService: Debug + Send + Sync {
    /// Asks, and tells a verification what was answered: [`Command::Sent`], [`Command::Checked`] or
    /// [`Command::Looked`].
    fn ask(&self, question: VerifyQuestion) -> Answer<'_, Command>;
}

/// A question to the service. What it intends is durable already.
#[derive(Debug, Clone)]
pub enum VerifyQuestion {
    /// Send a code.
    Send {
        /// To this number.
        to: PhoneNumber,
    },
    /// Is this the code?
    Check {
        /// The number that it went to.
        to: PhoneNumber,
        /// The service's name for the verification, when it is known.
        sid: Option<VerificationSid>,
        /// The code.
        code: Code,
        /// Its digest, for the answer.
        digest: CodeDigest,
    },
    /// Where is this verification? Reads only.
    Look {
        /// The service's name for it.
        sid: VerificationSid,
    },
}
