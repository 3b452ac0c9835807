//! `dunlin sandbox`: a carrier of your own in a process of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args;

use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::output::{Form, Output};
use crate::cli::runtime;
use crate::clock::SystemClock;
use crate::config::environment::Environment;
use crate::config::resolve::Values;
use crate::config::setting::Name;
use crate::id_source::SystemIds;
use crate::sandbox::{Faults, Sandbox, SandboxConfig};
use crate::shutdown::Shutdown;
use crate::telemetry;
use crate::trial_account::TrialAccount;

/// Run a carrier of your own, which nobody receives from.
///
/// It speaks the provider's HTTP API. Point a daemon at it with TWILIO_API_BASE_URL and the account
/// it prints; TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN in the environment choose the account.
#[derive(Debug, Args)]
pub(super) struct SandboxCommand {
    /// Where to listen: loopback IP:PORT, port 0 for any free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// What goes wrong, such as rate_429=0.1,timeout_after_accept=0.02,seed=7
    #[arg(long, default_value = "", value_parser = Faults::parse)]
    faults: Faults,
}

impl SandboxCommand {
    pub(super) fn run(self, output: Output) -> Ended {
        telemetry::start("info").map_err(|why| Failure::new(Exit::Failure, why))?;
        let runtime = runtime::serving()?;
        runtime.block_on(self.serve(output))
    }

    async fn serve(self, output: Output) -> Ended {
        let values = Values::resolve(&[], &Environment::of_process());
        let drawn = TrialAccount::draw(&SystemIds);
        let account = TrialAccount {
            account_sid: values.text(Name::AccountSid).map_or(drawn.account_sid, str::to_owned),
            auth_token: values.text(Name::AuthToken).map_or(drawn.auth_token, str::to_owned),
            sender: drawn.sender,
        };
        let config = SandboxConfig {
            listen: self.listen,
            account_sid: account.account_sid.clone(),
            auth_token: account.auth_token.clone(),
            faults: self.faults,
        };
        let mut shutdown = Shutdown::listen()?;
        let sandbox = Sandbox::start(config, Arc::new(SystemClock::start())).await.map_err(|error| {
            Failure::new(Exit::Failure, format!("the sandbox can't listen on {}: {error}", self.listen))
        })?;
        if output.form() == Form::Json {
            output.json(
                &serde_json::json!({"base_url": sandbox.base_url(), "account_sid": account.account_sid}),
            )?;
        } else {
            output.line(format_args!("listening on {}", sandbox.base_url()))?;
        }
        if values.text(Name::AuthToken).is_none() {
            output.talk(format_args!(
                "use it with: TWILIO_API_BASE_URL={} TWILIO_ACCOUNT_SID={} TWILIO_AUTH_TOKEN={} TWILIO_FROM={}",
                sandbox.base_url(),
                account.account_sid,
                account.auth_token,
                account.sender,
            ));
        }
        shutdown.asked().await;
        Ok(Exit::Success)
    }
}
