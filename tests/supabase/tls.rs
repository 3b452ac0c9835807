//! A password is told to nobody but the database that the address names.

use dunlin_sync::postgres::{Address, connect};
use serde_json::json;

use crate::cluster::Cluster;
use crate::database::one;

#[tokio::test]
async fn certificate_is_checked_against_the_file_that_the_address_names_and_for_its_host() {
    let (cluster, certificate) = Cluster::start_with_tls().await;
    let database = cluster.project("").await;
    let roots = format!("&sslrootcert={}", certificate.display());
    let address = |host, parameters| Address::parse(&database.guarded_url(host, parameters)).unwrap();
    let connection = connect(&address("localhost", &roots)).await.unwrap();
    let is_guarded = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    assert_eq!(one(&connection.client, is_guarded).await, json!(true));

    for (host, parameters, told) in [
        ("localhost", "", "add sslrootcert=PATH"), // nobody vouches for it
        ("127.0.0.1", roots.as_str(), "certificate not valid for name"),
        ("localhost", "&sslrootcert=/nowhere", "sslrootcert names /nowhere"),
    ] {
        let error = connect(&address(host, parameters)).await.unwrap_err().to_string();
        assert!(error.contains(told) && !error.contains("s3cret"), "{host}{parameters}: {error}");
    }
}
