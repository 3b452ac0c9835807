//! `dunlin doctor` names what a project lacks, with what mends it.

use std::process::Command;

use crate::cluster::Cluster;
use crate::database::{Database, done};
use crate::gateway::{Gateway, SECRET_KEY};

/// Exit code and everything that it says.
async fn doctor(variables: &[(&str, &str)]) -> (i32, String) {
    let dir = tempfile::tempdir().unwrap();
    let mut command = tokio::process::Command::from(Command::new(env!("CARGO_BIN_EXE_dunlin")));
    command.arg("doctor").env_clear().env("DUNLIN_DATA", dir.path().join("data"));
    let ended = command.envs(variables.iter().copied()).output().await.unwrap();
    let text = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(!text.contains("s3cret"), "a secret is shown: {text}");
    (ended.status.code().unwrap_or(-1), text)
}

async fn by_worker(database: &Database) -> (i32, String) {
    doctor(&[("SUPABASE_DB_URL", &database.url_of("dunlin_worker", None))]).await
}

#[tokio::test]
async fn doctor_names_what_a_project_lacks_and_what_mends_it() {
    let cluster = Cluster::start().await;
    let fresh = cluster.project("select 1").await;
    let (code, told) = doctor(&[("SUPABASE_DB_URL", &fresh.url())]).await;
    assert!(code == 1 && told.contains("dunlin migrate apply"), "{code}: {told}");

    let database = cluster.migrated().await;
    let owner = database.owner().await;
    done(&owner, "alter role dunlin_worker nologin").await;
    let (code, told) = by_worker(&database).await;
    assert!(code == 1 && told.contains("alter role dunlin_worker login"), "{code}: {told}");
    done(&owner, "alter role dunlin_worker login").await;
    let (code, told) = by_worker(&database).await;
    assert_eq!(code, 0, "{told}");
    assert!(
        told.contains("has the contract, and lets us in") && told.contains("all of this version"),
        "{told}"
    );

    done(&owner, "revoke execute on function public.dunlin_troubles(integer) from dunlin_worker").await;
    let (code, told) = by_worker(&database).await;
    let statement = "grant execute on function public.dunlin_troubles(integer) to dunlin_worker";
    assert!(code == 1 && told.contains(statement), "{code}: {told}");
    done(&owner, statement).await;
    done(&owner, "delete from dunlin.migrations where name = 'dunlin_push'").await;
    let (code, told) = by_worker(&database).await;
    assert!(
        code == 1 && told.contains("1 are missing") && told.contains("dunlin migrate apply"),
        "{code}: {told}"
    );
}

#[tokio::test]
async fn doctor_knows_keys_that_may_do_nothing() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let gateway = Gateway::in_front_of(&database).await;
    let url = format!("http://{}", gateway.address);
    let (code, told) = doctor(&[("SUPABASE_URL", &url), ("SUPABASE_SECRET_KEY", SECRET_KEY)]).await;
    assert!(code == 0 && told.contains("lets us in"), "{code}: {told}");
    for (key, remedy) in
        [("sb_publishable_s3cret", "take a secret key"), ("sb_secret_other-s3cret", "of this very project")]
    {
        let (code, told) = doctor(&[("SUPABASE_URL", &url), ("SUPABASE_SECRET_KEY", key)]).await;
        assert!(code == 1 && told.contains(remedy), "{code}: {told}");
    }
}
