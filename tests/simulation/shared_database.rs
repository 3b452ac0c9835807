//! A database that daemons share, as its contract has it: claims, acknowledgments, leases, and what becomes of them.

use dunlin_storage::ClaimToken;
use dunlin_workflows::id::{MessageId, ProviderSid};
use dunlin_workflows::message::ProviderStatus;

/// A text in the database.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: MessageId,
    pub(crate) to: u64,
    pub(crate) body: String,
    pub(crate) due_ms: u64,
    pub(crate) resends: bool,
    standing: Standing,
    /// Who acknowledged it last.
    engine: Option<usize>,
    may_have_been_sent: bool,
    /// What the daemon that had it last told of it.
    told: Told,
}

/// Whose a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Waiting,
    Claimed { by: usize, token: ClaimToken, until_ms: u64 },
    Accepted { by: usize, token: ClaimToken },
    Finished,
}

/// What a daemon tells of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) is_tried: bool,
    pub(crate) is_finished: bool,
    pub(crate) known: Option<(ProviderSid, ProviderStatus)>,
}

/// A text that was claimed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer {
    pub(crate) row: usize,
    pub(crate) token: ClaimToken,
    pub(crate) may_have_been_sent: bool,
    pub(crate) known: Option<(ProviderSid, ProviderStatus)>,
}

/// What a pull answers.
#[derive(Debug)]
pub(crate) struct Pulled {
    pub(crate) offers: Vec<Offer>,
    /// Texts of which something changed, and whether they are still the asker's.
    pub(crate) changes: Vec<(usize, bool)>,
    pub(crate) cursor: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Database {
    pub(crate) rows: Vec<Row>,
    /// Until when what each daemon acknowledged is its own.
    leases: [u64; 2],
    /// Whom a change of which row concerns, in order.
    notes: Vec<(usize, usize)>,
    tokens: u128,
    /// How far clocks may differ: a daemon whose clock is ahead sends what is not due yet here.
    clocks_ms: u64,
}

/// How long a claim may stay unacknowledged.
const CLAIM_MS: u64 = 20_000;
/// Most texts that one pull claims.
const CLAIMS: usize = 3;
/// Most changes that one pull tells.
const CHANGES: usize = 4;

impl Database {
    pub(crate) fn forgiving(clocks_ms: u64) -> Self {
        Self { clocks_ms, ..Self::default() }
    }

    pub(crate) fn insert(&mut self, id: MessageId, to: u64, body: String, due_ms: u64, resends: bool) {
        let (standing, told) = (Standing::Waiting, Told::default());
        let (engine, may_have_been_sent) = (None, false);
        self.rows.push(Row { id, to, body, due_ms, resends, standing, engine, may_have_been_sent, told });
    }

    /// A daemon says that it is there. Its lease counts from now.
    pub(crate) fn heartbeat(&mut self, daemon: usize, now: u64, lease_ms: u64) {
        self.leases[daemon] = now + lease_ms;
    }

    /// Gives back what was claimed and not acknowledged in time, and what was acknowledged under a lease that lapsed.
    fn return_lapsed(&mut self, now: u64) {
        for (index, row) in self.rows.iter_mut().enumerate() {
            match row.standing {
                Standing::Claimed { until_ms, .. } if until_ms < now => row.standing = Standing::Waiting,
                Standing::Accepted { by, .. } if self.leases[by] < now => {
                    row.may_have_been_sent |=
                        row.due_ms <= self.leases[by] + self.clocks_ms || row.told.is_tried;
                    row.standing = Standing::Waiting;
                    self.notes.push((by, index));
                }
                Standing::Waiting
                | Standing::Claimed { .. }
                | Standing::Accepted { .. }
                | Standing::Finished => {}
            }
        }
    }

    /// Claims what waits, and tells what changed after the cursor.
    pub(crate) fn pull(&mut self, daemon: usize, now: u64, cursor: usize) -> Pulled {
        self.return_lapsed(now);
        let mut offers = Vec::new();
        for (index, row) in self.rows.iter_mut().enumerate() {
            if row.standing == Standing::Waiting && offers.len() < CLAIMS {
                self.tokens += 1;
                let token = self.tokens.to_be_bytes();
                row.standing = Standing::Claimed { by: daemon, token, until_ms: now + CLAIM_MS };
                let (may_have_been_sent, known) = (row.may_have_been_sent, row.told.known);
                offers.push(Offer { row: index, token, may_have_been_sent, known });
            }
        }
        let page: Vec<_> = self.notes.iter().enumerate().skip(cursor).take(CHANGES).collect();
        let next = page.last().map_or(cursor, |(place, _)| place + 1);
        let ours = page.into_iter().filter(|(_, (whose, _))| *whose == daemon).map(|(_, (_, row))| *row);
        let changes = ours.map(|row| (row, self.is_accepted(daemon, row))).collect();
        Pulled { offers, changes, cursor: next }
    }

    pub(crate) fn has_more(&self, cursor: usize) -> bool {
        cursor < self.notes.len() || self.rows.iter().any(|row| row.standing == Standing::Waiting)
    }

    fn is_accepted(&self, daemon: usize, row: usize) -> bool {
        matches!(self.rows[row].standing, Standing::Accepted { by, .. } if by == daemon)
    }

    /// Whether a claim stands, which it does from now on.
    pub(crate) fn acknowledge(&mut self, daemon: usize, row: usize, shown: ClaimToken) -> bool {
        let row = &mut self.rows[row];
        match row.standing {
            Standing::Claimed { by, token, .. } | Standing::Accepted { by, token }
                if by == daemon && token == shown =>
            {
                row.standing = Standing::Accepted { by, token };
                row.engine = Some(daemon);
                true
            }
            Standing::Waiting | Standing::Claimed { .. } | Standing::Accepted { .. } | Standing::Finished => {
                false
            }
        }
    }

    /// A daemon tells of a text; of one that another has it is not heard.
    pub(crate) fn push(&mut self, daemon: usize, row: usize, told: Told) {
        let row = &mut self.rows[row];
        if row.engine == Some(daemon) && row.standing != Standing::Finished {
            row.told = told;
            if told.is_finished {
                row.standing = Standing::Finished;
            }
        }
    }

    /// Whether a daemon may send a text now: it acknowledged it, and its lease has not lapsed.
    pub(crate) fn may_send(&self, daemon: usize, row: usize, now: u64) -> bool {
        self.is_accepted(daemon, row) && now <= self.leases[daemon]
    }

    pub(crate) fn row_of(&self, body: &str) -> usize {
        self.rows.iter().position(|row| row.body == body).unwrap()
    }

    pub(crate) fn unfinished(&self) -> Vec<&Row> {
        self.rows.iter().filter(|row| row.standing != Standing::Finished).collect()
    }
}
