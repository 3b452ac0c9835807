//! The functions of the contract, their arguments and what PostgreSQL calls them.

use std::fmt;

/// One function of the schema `public`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// A daemon is there.
    Heartbeat,
    /// Claims requests and tells changes.
    Pull,
    /// Claimed texts are durable.
    Acknowledge,
    /// Claimed texts can't be understood.
    Park,
    /// What became of texts.
    Push,
    /// What a person should look at.
    Troubles,
    /// Texts that the daemon has and did not finish.
    Held,
    /// Texts that the daemon does not know.
    GiveBack,
}

impl Function {
    /// Every function.
    pub const ALL: [Self; 8] = [
        Self::Heartbeat,
        Self::Pull,
        Self::Acknowledge,
        Self::Park,
        Self::Push,
        Self::Troubles,
        Self::Held,
        Self::GiveBack,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Heartbeat => "dunlin_heartbeat",
            Self::Pull => "dunlin_pull",
            Self::Acknowledge => "dunlin_acknowledge",
            Self::Park => "dunlin_park",
            Self::Push => "dunlin_push",
            Self::Troubles => "dunlin_troubles",
            Self::Held => "dunlin_held",
            Self::GiveBack => "dunlin_give_back",
        }
    }

    /// Its arguments: name and type.
    pub fn parameters(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Heartbeat => &[
                ("p_daemon", "uuid"),
                ("p_name", "text"),
                ("p_version", "text"),
                ("p_lease_seconds", "integer"),
            ],
            Self::Pull => &[
                ("p_daemon", "uuid"),
                ("p_cursor", "text"),
                ("p_claims", "integer"),
                ("p_changes", "integer"),
                ("p_lease_seconds", "integer"),
                ("p_age_limit_seconds", "integer"),
            ],
            Self::Acknowledge => &[("p_daemon", "uuid"), ("p_accepted", "jsonb")],
            Self::Park => &[("p_daemon", "uuid"), ("p_rows", "jsonb")],
            Self::Push => &[("p_daemon", "uuid"), ("p_batch", "jsonb")],
            Self::Troubles => &[("p_limit", "integer")],
            Self::Held => &[("p_daemon", "uuid"), ("p_after", "uuid"), ("p_limit", "integer")],
            Self::GiveBack => &[("p_daemon", "uuid"), ("p_ids", "jsonb")],
        }
    }

    /// Name and types, as `grant execute on function` takes them.
    pub fn signature(self) -> String {
        format!("public.{}({})", self.name(), self.types())
    }

    /// The same of the function behind it, which does the work.
    pub fn inner_signature(self) -> String {
        format!("dunlin.{}({})", self.inner_name(), self.types())
    }

    /// The name of the function behind it.
    pub fn inner_name(self) -> &'static str {
        self.name().strip_prefix("dunlin_").unwrap_or_default()
    }

    fn types(self) -> String {
        self.parameters().iter().map(|(_, kind)| *kind).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
