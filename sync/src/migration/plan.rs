//! Which migrations a database has, lacks, or has in another form.

use super::Migration;

/// What a database says of one migration that was applied to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its version.
    pub version: String,
    /// Its name.
    pub name: String,
    /// Its checksum; `None` where the Supabase CLI applied it, which keeps none.
    pub checksum: Option<String>,
}

/// Where one migration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Applied as it is here.
    Applied,
    /// Applied by the Supabase CLI.
    AppliedElsewhere,
    /// Not applied.
    Pending,
    /// Applied in another form than it has here.
    Drifted,
}

impl Standing {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::AppliedElsewhere => "applied by the Supabase CLI",
            Self::Pending => "pending",
            Self::Drifted => "drifted",
        }
    }
}

/// One migration and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The migration.
    pub migration: Migration,
    /// Where it stands.
    pub standing: Standing,
}

/// What to do with a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Every migration of this version, in order.
    pub steps: Vec<Step>,
    /// Versions that the database has and this version of Dunlin does not know: a newer one was here.
    pub unknown: Vec<String>,
}

impl Plan {
    /// Compares what there is with what a database says it has.
    pub fn of(migrations: &[Migration], recorded: &[Recorded]) -> Self {
        let step = |migration: &Migration| {
            let found = recorded.iter().find(|recorded| recorded.version == migration.version);
            let standing = match found.map(|recorded| recorded.checksum.as_deref()) {
                None => Standing::Pending,
                Some(None) => Standing::AppliedElsewhere,
                Some(Some(checksum)) if checksum == migration.checksum() => Standing::Applied,
                Some(Some(_)) => Standing::Drifted,
            };
            Step { migration: *migration, standing }
        };
        let is_known = |recorded: &&Recorded| migrations.iter().any(|one| one.version == recorded.version);
        let unknown = recorded.iter().filter(|recorded| !is_known(recorded));
        Self {
            steps: migrations.iter().map(step).collect(),
            unknown: unknown.map(|recorded| format!("{}_{}", recorded.version, recorded.name)).collect(),
        }
    }

    /// What is still to be applied, in order.
    pub fn pending(&self) -> impl Iterator<Item = &Migration> {
        self.with(Standing::Pending)
    }

    /// What was applied in another form.
    pub fn drifted(&self) -> impl Iterator<Item = &Migration> {
        self.with(Standing::Drifted)
    }

    fn with(&self, standing: Standing) -> impl Iterator<Item = &Migration> {
        self.steps.iter().filter(move |step| step.standing == standing).map(|step| &step.migration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Migration = Migration { version: "1", name: "one", sql: "select 1" };
    const SECOND: Migration = Migration { version: "2", name: "two", sql: "select 2" };

    fn recorded(version: &str, checksum: Option<String>) -> Recorded {
        Recorded { version: version.to_owned(), name: "any".to_owned(), checksum }
    }

    fn standings(plan: &Plan) -> Vec<Standing> {
        plan.steps.iter().map(|step| step.standing).collect()
    }

    #[test]
    fn changed_file_is_drift_and_not_pending() {
        let changed = [recorded("1", Some("other".to_owned())), recorded("2", Some(SECOND.checksum()))];
        let plan = Plan::of(&[FIRST, SECOND], &changed);
        assert_eq!(standings(&plan), [Standing::Drifted, Standing::Applied]);
        assert_eq!(plan.pending().count(), 0);
        assert_eq!(plan.drifted().collect::<Vec<_>>(), [&FIRST]);
    }

    #[test]
    fn what_a_newer_version_or_the_cli_applied_is_told_apart() {
        let plan = Plan::of(&[FIRST, SECOND], &[recorded("1", None), recorded("3", None)]);
        assert_eq!(standings(&plan), [Standing::AppliedElsewhere, Standing::Pending]);
        assert_eq!(plan.unknown, ["3_any"]);
    }
}
