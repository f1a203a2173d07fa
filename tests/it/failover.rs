//! A standby takes the place of a primary that died: what was acknowledged is there, and nothing has to be restarted.

use crate::support::{
    TestApp, clients::Clients, cluster::Cluster, database::Database, pgbouncer::pooler, until,
};
use ticketflow_engine::pooler::Pooler;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn acknowledged_tickets_outlive_the_primary_by_way_of_a_synchronous_standby() {
    assert_eq!(pooler(), Pooler::None, "the URL names the servers themselves");
    let primary = tokio::task::spawn_blocking(Cluster::private).await.unwrap();
    let standby = tokio::task::block_in_place(|| primary.synchronous_standby());
    let database = Database::empty_on_hosts([primary.url(), standby.url()]).await;
    let mut app = TestApp::start_on(database).await;
    commit_on_both(&app).await;
    let mut worker = app.worker(&["--lease", "3s"]);
    let clients = Clients::start(&app, 8);
    clients.go_on(60).await;
    until("the worker holds runs", || async { app.get("/queue/stats").await.1["leased"] != 0 }).await;
    tokio::task::block_in_place(|| primary.crash());
    tokio::task::block_in_place(|| standby.promote());
    app.moved_to(standby.url());
    clients.go_on(120).await;
    assert_eq!(clients.cut_off(), 0, "connections to the API broke");
    clients.finish(&app).await;
    assert!(app.api_runs() && worker.runs(), "a process ended with the primary");
    // Whoever starts now has to find the server that is left.
    assert_eq!(worker.stop().await, 0);
    let late = app.worker(&[]);
    let tickets = app.submit(3).await;
    app.settle().await;
    assert_eq!(tickets.len(), 3);
    assert_eq!(late.stop().await, 0);
    app.finish().await;
    tokio::task::block_in_place(|| standby.crash());
}

/// From now on a commit is answered once the standby has it.
async fn commit_on_both(app: &TestApp) {
    let pool = app.pool().await;
    sqlx::query("ALTER SYSTEM SET synchronous_standby_names = '*'").execute(&pool).await.unwrap();
    sqlx::query("SELECT pg_reload_conf()").execute(&pool).await.unwrap();
    until("the standby is synchronous", || async {
        let query = "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')";
        sqlx::query_scalar::<_, bool>(query).fetch_one(&pool).await.unwrap()
    })
    .await;
}
