//! Whether the Supabase project is what the daemon needs: one question that reads, and changes nothing.

use dunlin_sync::migration::{MIGRATIONS, Plan};
use dunlin_sync::postgres::{connect, recorded};
use dunlin_sync::transport::{CallError, troubles};

use crate::cli::doctor::Check;
use crate::config::supabase::{Supabase, Way};
use crate::supabase::open;

/// Looks at the project.
pub(super) async fn ask(project: &Supabase) -> Vec<Check> {
    let database = match open(project) {
        Ok(database) => database,
        Err(error) => return vec![Check::bad("supabase", error.to_string(), "see docs/supabase.md")],
    };
    let mut checks = vec![match troubles(&database, 1).await {
        Ok(troubles) if troubles.parked.is_empty() && troubles.conflicts.is_empty() => {
            Check::good("supabase", format!("{database} has the contract, and lets us in"))
        }
        Ok(_) => Check::note(
            "supabase",
            format!("{database} has rows that can't be understood, or columns of ours that others wrote to"),
            "`dunlin sync conflicts` shows them",
        ),
        Err(error) => Check::bad("supabase", error.to_string(), remedy(&error)),
    }];
    if let Way::Postgres(address) = &project.way
        && let Ok(connection) = connect(address).await
        && let Ok(there) = recorded(&connection.client).await
    {
        let plan = Plan::of(&MIGRATIONS, &there);
        let pending = plan.pending().count();
        checks.push(if pending == 0 {
            Check::good("migrations", "all of this version")
        } else {
            Check::bad("migrations", format!("{pending} are missing"), "dunlin migrate apply")
        });
    }
    if project.lease.is_none() {
        checks.push(Check::note(
            "lease",
            "none: this must be the only daemon of the project",
            "with a second one, set DUNLIN_SYNC_LEASE=60s for each of them",
        ));
    }
    checks
}

/// What to do, where the error does not say it already.
fn remedy(error: &CallError) -> &'static str {
    if error.is_transient() {
        "check the network, and whether the project is paused; the daemon goes on trying, and loses nothing"
    } else {
        "docs/supabase.md says how a project is set up"
    }
}
