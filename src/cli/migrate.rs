//! `dunlin migrate`: what a Supabase project's database still needs of the contract, and doing it.

use clap::Subcommand;
use dunlin_sync::migration::{MIGRATIONS, Migration, Plan, Remark, Standing, remarks};
use dunlin_sync::postgres::{
    Address, ConnectError, Connection, MigrateError, apply, connect, found, recorded,
};
use serde_json::json;

use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::output::{Form, Output, Tone};
use crate::config::environment::Environment;
use crate::config::resolve::Values;
use crate::config::setting::{Name, Setting};

/// The database's side of Supabase.
#[derive(Debug, Subcommand)]
pub(super) enum MigrateCommand {
    /// Say what would be done, and what becomes of what is there; change nothing
    Plan {
        /// Show the statements too
        #[arg(long)]
        sql: bool,
    },
    /// Do what the plan says; each file in one transaction
    Apply,
    /// Say which migrations the database has; exit code 1 unless it has all of them
    Status,
}

/// A database that was asked what it has.
struct Asked {
    address: Address,
    connection: Connection,
    plan: Plan,
}

impl MigrateCommand {
    pub(super) async fn run(self, output: Output) -> Ended {
        let asked = Asked::connect().await?;
        match self {
            Self::Plan { sql } => asked.show(output, sql).await,
            Self::Apply => asked.apply(output).await,
            Self::Status => asked.status(output),
        }
    }
}

impl Asked {
    async fn connect() -> Result<Self, Failure> {
        let address = address()?;
        let connection = connect(&address).await?;
        let plan = Plan::of(&MIGRATIONS, &recorded(&connection.client).await?);
        Ok(Self { address, connection, plan })
    }

    async fn show(self, output: Output, sql: bool) -> Ended {
        let has_pending = self.plan.pending().next().is_some();
        let remarks = if has_pending { remarks(&found(&self.connection.client).await?) } else { Vec::new() };
        self.tell(output, &remarks)?;
        if sql && output.form() == Form::Text {
            for migration in self.plan.pending() {
                output.line(format_args!("\n-- {}\n{}", file(migration), migration.sql.trim_end()))?;
            }
        }
        if has_pending {
            output.talk("nothing was changed; do it with: dunlin migrate apply");
        }
        Ok(Exit::Success)
    }

    async fn apply(mut self, output: Output) -> Ended {
        if let Some(drifted) = self.plan.drifted().next() {
            return Err(Failure::new(
                Exit::Conflict,
                format!(
                    "{} was applied in another form than this version has; nothing is applied on top of it. Use the \
                     version of Dunlin that applied it, or look at what changed and delete its row from dunlin.migrations",
                    file(drifted)
                ),
            ));
        }
        if let Some(newer) = self.plan.unknown.first() {
            return Err(Failure::new(
                Exit::Conflict,
                format!("a newer Dunlin applied {newer}; use that version, which knows the rest"),
            ));
        }
        let pending: Vec<Migration> = self.plan.pending().copied().collect();
        for migration in &pending {
            let ran = apply(&mut self.connection.client, migration).await?;
            let word = if ran { "applied" } else { "applied meanwhile by somebody else" };
            if output.form() == Form::Json {
                output.json(&json!({"migration": file(migration), "ran": ran}))?;
            } else {
                output.line(format_args!("{word}  {}", file(migration)))?;
            }
        }
        output.talk(format_args!("{} has every migration of this version", self.address));
        Ok(Exit::Success)
    }

    fn status(self, output: Output) -> Ended {
        self.tell(output, &[])?;
        let has_all = self.plan.pending().chain(self.plan.drifted()).next().is_none();
        Ok(if has_all { Exit::Success } else { Exit::Failure })
    }

    fn tell(&self, output: Output, remarks: &[Remark]) -> Result<(), Failure> {
        if output.form() == Form::Json {
            let steps = self.plan.steps.iter().map(|step| {
                json!({
                    "version": step.migration.version,
                    "name": step.migration.name,
                    "standing": step.standing.as_str(),
                    "purpose": step.migration.purpose(),
                    "checksum": step.migration.checksum(),
                })
            });
            return Ok(output.json(&json!({
                "database": self.address.to_string(),
                "migrations": steps.collect::<Vec<_>>(),
                "unknown": self.plan.unknown,
                "findings": remarks.iter().map(ToString::to_string).collect::<Vec<_>>(),
            }))?);
        }
        output.line(&self.address)?;
        for step in &self.plan.steps {
            let tone = match step.standing {
                Standing::Applied | Standing::AppliedElsewhere => Tone::Good,
                Standing::Pending => Tone::Strong,
                Standing::Drifted => Tone::Bad,
            };
            let standing = output.paint(tone, step.standing.as_str());
            output.line(format_args!("{}  {standing}", file(&step.migration)))?;
            output.line(format_args!("    {}", output.paint(Tone::Dim, &step.migration.purpose())))?;
        }
        for newer in &self.plan.unknown {
            output.line(format_args!("{newer}  of a newer version of Dunlin"))?;
        }
        for remark in remarks {
            output.line(remark)?;
        }
        Ok(())
    }
}

/// The name of a migration's file, without its ending.
fn file(migration: &Migration) -> String {
    format!("{}_{}", migration.version, migration.name)
}

/// The address in `SUPABASE_DB_URL`.
fn address() -> Result<Address, Failure> {
    let values = Values::resolve(&[], &Environment::of_process());
    let refuse = |what: String| Failure::new(Exit::Configuration, what);
    let name = Setting::of(Name::SupabaseDbUrl).map_or("", Setting::variable);
    if let Some(problem) = values.problems.iter().find(|problem| problem.setting == Some(Name::SupabaseDbUrl))
    {
        return Err(refuse(problem.what.clone()));
    }
    let text = values.text(Name::SupabaseDbUrl).ok_or_else(|| {
        refuse(format!(
            "{name} is not set: postgresql://postgres:PASSWORD@HOST:5432/postgres, as the project's page has it under Connect"
        ))
    })?;
    Address::parse(text).map_err(|error| refuse(format!("{name}: {error}")))
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Self::new(Exit::Unreachable, error.to_string())
    }
}

impl From<MigrateError> for Failure {
    fn from(error: MigrateError) -> Self {
        Self::new(Exit::Failure, error.to_string())
    }
}
