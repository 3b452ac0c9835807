//! Servers that stop, hang or are cut off: a call ends in time and may be made again, with what is there already.

use std::time::{Duration, Instant};

use dunlin_sync::transport::{CallError, Database as _, heartbeat};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::calls::{alive, id};
use crate::cluster::Cluster;
use crate::database::{ADA, FIRST, done};
use crate::gateway::SECRET_KEY;
use crate::way::{HASTY, PATIENT, Way, postgres, rest};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn call_while_the_server_is_stopped_may_be_made_again_and_works_once_it_is_back() {
    let mut cluster = Cluster::start().await;
    for way in Way::BOTH {
        let database = cluster.migrated().await;
        let reached = way.reach(&database, PATIENT).await;
        heartbeat(&reached.database, id(FIRST), &alive()).await.unwrap();
        cluster.stop();
        for _ in 0..2 {
            let error = heartbeat(&reached.database, id(FIRST), &alive()).await.unwrap_err();
            assert!(error.is_transient(), "{way:?}: {error:?}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
        cluster.start_again();
        let began = Instant::now();
        while let Err(error) = heartbeat(&reached.database, id(FIRST), &alive()).await {
            // The server in front may need a moment to find the database again; ours needs one call.
            assert!(error.is_transient() && way == Way::Rest, "{way:?}: {error:?}");
            assert!(began.elapsed() < Duration::from_secs(20), "{error}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn answer_that_does_not_come_in_time_is_given_up_and_the_next_call_works() {
    let cluster = Cluster::start().await;
    for way in Way::BOTH {
        let database = cluster.migrated().await;
        let reached = way.reach(&database, HASTY).await;
        heartbeat(&reached.database, id(FIRST), &alive()).await.unwrap();

        // Somebody holds what is needed.
        let owner = database.owner().await;
        owner.batch_execute("begin; lock table dunlin.daemons in access exclusive mode").await.unwrap();
        let began = Instant::now();
        let error = heartbeat(&reached.database, id(FIRST), &alive()).await.unwrap_err();
        assert!(error.is_transient() && began.elapsed() < Duration::from_secs(5), "{way:?}: {error:?}");
        owner.batch_execute("rollback").await.unwrap();
        heartbeat(&reached.database, id(FIRST), &alive()).await.unwrap();

        // Nobody says that the line is dead.
        reached.cut();
        let began = Instant::now();
        let error = heartbeat(&reached.database, id(FIRST), &alive()).await.unwrap_err();
        assert!(matches!(error, CallError::TimedOut { .. }), "{way:?}: {error:?}");
        assert!(began.elapsed() < Duration::from_secs(5), "{way:?}");
        reached.mend();
        heartbeat(&reached.database, id(FIRST), &alive()).await.unwrap();
    }
}

#[tokio::test]
async fn whoever_is_there_and_says_nothing_is_given_up_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let url = format!("postgresql://dunlin_worker:s3cret@{address}/postgres");
    for there in [rest(address, SECRET_KEY, HASTY), postgres(&url, HASTY)] {
        let asked = timeout(Duration::from_secs(5), heartbeat(&there, id(FIRST), &alive())).await;
        let error = asked.unwrap().unwrap_err();
        assert!(error.is_transient(), "{error:?}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}

#[tokio::test]
async fn new_text_wakes_within_a_second_and_so_does_a_connection_that_broke() {
    let mut cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let service = database.role("service_role").await;
    let reached = Way::Postgres.reach(&database, PATIENT).await;
    heartbeat(&reached.database, id(FIRST), &alive()).await.unwrap();
    let within = |time| timeout(time, reached.database.woken());
    assert!(within(Duration::from_millis(200)).await.is_err(), "nobody asked for anything");
    done(&service, &format!("select queue_sms_message('{ADA}', '+15551230001', 'Hello')")).await;
    within(Duration::from_secs(1)).await.unwrap();
    cluster.stop();
    within(Duration::from_secs(1)).await.unwrap();
    cluster.start_again();
    // It listens again with the first call, so nothing that comes afterwards is missed.
    heartbeat(&reached.database, id(FIRST), &alive()).await.unwrap();
    let service = database.role("service_role").await;
    done(&service, &format!("select queue_sms_message('{ADA}', '+15551230001', 'Hello')")).await;
    within(Duration::from_secs(1)).await.unwrap();
}
