//! Decisions: what is known of a verification, what is asked and the time in, events out.

use crate::verification::{
    Checked, CodeDigest, Command, Context, Event, Looked, Rejection, Sent, Standing, Verification, Via, timer,
};

/// How often the service is asked again to send a code when its answer was lost.
const SENT_AGAIN_MAX: u8 = 1;

/// Decides what something that is asked makes of a verification. Nothing new makes no event.
///
/// # Errors
/// A [`Rejection`] when the domain says no; then nothing changed.
pub fn decide(
    verification: &Verification,
    command: &Command,
    context: &Context<'_>,
) -> Result<Vec<Event>, Rejection> {
    Ok(match command {
        Command::Start { person, user, via, digest } => {
            may_start(verification, context)?;
            let via = if context.is_taken { Via::Notice } else { *via };
            let expires_at = context.now.plus(context.rules.lifetime);
            let digest = digest.filter(|_| via == Via::Message);
            vec![Event::Started { person: *person, user: *user, via, expires_at, digest }]
        }
        Command::Sent(sent) => sent_events(verification, *sent),
        Command::Check { user, digest } => {
            let is_theirs = verification.user == *user;
            if is_theirs { check(verification, *digest, context)? } else { return Err(Rejection::Expired) }
        }
        Command::Checked { digest, checked } => {
            let is_asked = verification.digest == Some(*digest);
            if is_asked { checked_events(verification, *checked, context) } else { vec![] }
        }
        Command::Looked(looked) => looked_events(verification, *looked, context),
        Command::Wake => woken(verification, context),
    })
}

fn may_start(verification: &Verification, context: &Context<'_>) -> Result<(), Rejection> {
    match verification.standing {
        Standing::Starting { .. } | Standing::Checking { .. } | Standing::Doubtful { .. } => {
            Err(Rejection::Unanswered)
        }
        Standing::Pending if context.now < verification.expires_at => {
            let until = verification.sent_at.plus(context.rules.cool_down(verification.sends));
            if context.now < until { Err(Rejection::CoolingDown { until }) } else { Ok(()) }
        }
        Standing::Nothing
        | Standing::Pending
        | Standing::Approved
        | Standing::Failed { .. }
        | Standing::Expired
        | Standing::Spent => Ok(()),
    }
}

/// An answer counts while it is waited for, and afterwards as long as it tells the service's name for it.
fn sent_events(verification: &Verification, sent: Sent) -> Vec<Event> {
    match (verification.standing, sent) {
        (Standing::Starting { .. }, Sent::Taken { sid }) => vec![Event::CodeSent { sid }],
        (Standing::Starting { .. }, Sent::Refused { refusal }) => vec![Event::SendRefused { refusal }],
        (Standing::Starting { lost, .. }, Sent::Lost) => {
            vec![Event::SendLost { again: lost < SENT_AGAIN_MAX }]
        }
        (Standing::Pending, Sent::Taken { sid }) if verification.sid.is_none() => {
            vec![Event::CodeSent { sid }]
        }
        (
            Standing::Nothing
            | Standing::Pending
            | Standing::Checking { .. }
            | Standing::Doubtful { .. }
            | Standing::Approved
            | Standing::Failed { .. }
            | Standing::Expired
            | Standing::Spent,
            Sent::Taken { .. } | Sent::Refused { .. } | Sent::Lost,
        ) => vec![],
    }
}

fn check(
    verification: &Verification,
    digest: CodeDigest,
    context: &Context<'_>,
) -> Result<Vec<Event>, Rejection> {
    let is_known = verification.digest == Some(digest);
    match verification.standing {
        Standing::Starting { .. } | Standing::Checking { .. } | Standing::Doubtful { .. } => {
            Err(Rejection::Unanswered)
        }
        // Whoever asks again after a lost answer is told the same.
        Standing::Approved if is_known => Ok(vec![]),
        Standing::Nothing | Standing::Approved | Standing::Expired => Err(Rejection::Expired),
        Standing::Spent => Err(Rejection::Spent),
        Standing::Failed { refusal } => Err(Rejection::NotSent { refusal }),
        Standing::Pending if verification.expires_at <= context.now => Err(Rejection::Expired),
        Standing::Pending => Ok(vec![match verification.via {
            Via::Service => Event::CheckStarted { digest },
            Via::Message if is_known => proven(context),
            Via::Message | Via::Notice => refused(verification, context),
        }]),
    }
}

fn checked_events(verification: &Verification, checked: Checked, context: &Context<'_>) -> Vec<Event> {
    let is_asked = matches!(verification.standing, Standing::Checking { .. } | Standing::Doubtful { .. });
    if !is_asked {
        return vec![];
    }
    vec![match checked {
        Checked::Right => proven(context),
        Checked::Wrong => refused(verification, context),
        Checked::Spent => Event::ChecksSpent,
        // Not even when somebody proved it meanwhile: who it was can't be told from that.
        Checked::Gone => Event::Expired,
        Checked::Unavailable => Event::CheckFailed,
        Checked::Lost if matches!(verification.standing, Standing::Doubtful { .. }) => return vec![],
        Checked::Lost => Event::CheckLost,
    }]
}

/// While an answer is looked up no other code is asked about and nobody else can start, so what the service
/// approved is the code whose answer was lost.
fn looked_events(verification: &Verification, looked: Looked, context: &Context<'_>) -> Vec<Event> {
    if !matches!(verification.standing, Standing::Doubtful { .. }) {
        return vec![];
    }
    vec![match looked {
        Looked::Approved => proven(context),
        // Wrong, or never looked at: the same code may be given again.
        Looked::Pending => Event::CheckFailed,
        Looked::Spent => Event::ChecksSpent,
        Looked::Gone => Event::Expired,
        Looked::Unavailable => return vec![],
    }]
}

fn woken(verification: &Verification, context: &Context<'_>) -> Vec<Event> {
    if timer(verification).is_none_or(|due| context.now < due) {
        return vec![];
    }
    let is_over = verification.expires_at <= context.now;
    match verification.standing {
        Standing::Starting { .. } => sent_events(verification, Sent::Lost),
        Standing::Checking { .. } => vec![Event::CheckLost],
        Standing::Pending => vec![Event::Expired],
        Standing::Doubtful { .. } if is_over => vec![Event::Expired],
        Standing::Doubtful { .. } if verification.sid.is_none() => vec![Event::CheckFailed],
        Standing::Doubtful { .. } => vec![Event::LookupStarted],
        Standing::Nothing
        | Standing::Approved
        | Standing::Failed { .. }
        | Standing::Expired
        | Standing::Spent => vec![],
    }
}

fn proven(context: &Context<'_>) -> Event {
    if context.is_taken { Event::Preempted } else { Event::Approved }
}

fn refused(verification: &Verification, context: &Context<'_>) -> Event {
    Event::CodeRefused { is_last: verification.checks.saturating_add(1) >= context.rules.checks_max }
}
