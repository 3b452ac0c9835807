//! Who is let in and what fits together; and that whoever is not is told what mends it, by words that do.

use dunlin_sync::transport::{CallError, heartbeat, pull};
use dunlin_sync::wire::Pull;

use crate::calls::{alive, id};
use crate::cluster::Cluster;
use crate::database::{FIRST, done};
use crate::gateway::{Gateway, forged, token};
use crate::way::{PATIENT, Way, postgres, rest};

#[tokio::test]
async fn grant_that_is_missing_is_told_as_the_statement_that_mends_it() {
    let cluster = Cluster::start().await;
    for way in Way::BOTH {
        let database = cluster.migrated().await;
        let owner = database.owner().await;
        let reached = way.reach(&database, PATIENT).await;
        let (there, role) = (&reached.database, reached.role);
        heartbeat(there, id(FIRST), &alive()).await.unwrap();
        for revoked in [
            format!(
                "execute on function public.dunlin_pull(uuid, text, integer, integer, integer, integer) from {role}"
            ),
            format!(
                "execute on function dunlin.pull(uuid, text, integer, integer, integer, integer) from {role}"
            ),
            format!("usage on schema dunlin from {role}"),
        ] {
            done(&owner, &format!("revoke {revoked}")).await;
            let error = pull(there, id(FIRST), &Pull::default()).await.unwrap_err();
            assert!(
                matches!(error, CallError::Forbidden { .. }) && !error.is_transient(),
                "{way:?} {revoked}: {error:?}"
            );
            let told = error.to_string();
            let statement = told.split("say ").nth(1).unwrap();
            done(&owner, statement).await;
            pull(there, id(FIRST), &Pull::default()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn database_without_the_functions_or_with_others_is_told_from_one_that_fits() {
    let cluster = Cluster::start().await;
    for way in Way::BOTH {
        let database = cluster.migrated().await;
        let owner = database.owner().await;
        let reached = way.reach(&database, PATIENT).await;
        for (theirs, told) in [(2, "install a newer dunlin"), (0, "dunlin migrate apply")] {
            let other = format!(
                "create or replace function public.dunlin_heartbeat(p_daemon uuid, p_name text default '', p_version text default '',
                 p_lease_seconds integer default null) returns jsonb language sql as $$ select '{{\"contract\": {theirs}}}'::jsonb $$"
            );
            owner.batch_execute(&other).await.unwrap();
            let error = heartbeat(&reached.database, id(FIRST), &alive()).await.unwrap_err();
            assert!(matches!(error, CallError::OtherContract { .. }), "{way:?}: {error:?}");
            assert!(error.to_string().contains(told), "{error}");
        }

        let empty = cluster.project("grant usage on schema public to dunlin_worker").await;
        let reached = way.reach(&empty, PATIENT).await;
        let error = heartbeat(&reached.database, id(FIRST), &alive()).await.unwrap_err();
        assert!(matches!(error, CallError::ContractMissing { .. }), "{way:?}: {error:?}");
        assert!(!error.is_transient() && error.to_string().contains("run dunlin migrate apply"), "{error}");
        empty
            .owner()
            .await
            .batch_execute("drop owned by dunlin_worker; drop role dunlin_worker")
            .await
            .unwrap_or(());
    }
}

#[tokio::test]
async fn key_that_is_wrong_is_refused_with_the_remedy_and_a_token_stands_for_its_role() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let gateway = Gateway::in_front_of(&database).await;
    for key in ["sb_secret_another", &forged("service_role"), &token("nobody")] {
        let there = rest(gateway.address, key, PATIENT);
        let error = heartbeat(&there, id(FIRST), &alive()).await.unwrap_err();
        assert!(matches!(error, CallError::Unauthorized { .. }), "{error:?}");
        let told = error.to_string();
        assert!(told.contains("take a secret key") && !told.contains(key), "{told}");
    }
    let there = rest(gateway.address, &token("service_role"), PATIENT);
    heartbeat(&there, id(FIRST), &alive()).await.unwrap();
    // The Data API has to be allowed to take the role.
    let there = rest(gateway.address, &token("dunlin_worker"), PATIENT);
    let told = heartbeat(&there, id(FIRST), &alive()).await.unwrap_err().to_string();
    assert!(told.contains("say grant dunlin_worker to authenticator"), "{told}");
    done(&database.admin().await, "grant dunlin_worker to authenticator").await;
    heartbeat(&there, id(FIRST), &alive()).await.unwrap();
}

#[tokio::test]
async fn worker_who_may_not_log_in_and_one_with_another_password_are_told_apart() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let url = database.url_of("dunlin_worker", None);
    let ask = async || heartbeat(&postgres(&url, PATIENT), id(FIRST), &alive()).await;
    let told = ask().await.unwrap_err().to_string();
    assert!(told.contains("say alter role dunlin_worker login password '...'"), "{told}");
    let admin = database.admin().await;
    admin.batch_execute("alter role dunlin_worker login password 'another'").await.unwrap();
    cluster.ask_password_of("dunlin_worker").await;
    let error = ask().await.unwrap_err();
    let told = error.to_string();
    assert!(
        matches!(error, CallError::Unauthorized { .. }) && told.contains("check user, password"),
        "{told}"
    );
    assert!(!told.contains("s3cret"), "{told}");
    admin.batch_execute("alter role dunlin_worker password 's3cret'").await.unwrap();
    ask().await.unwrap();
}
