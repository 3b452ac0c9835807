//! Load: callers on kept connections, each with one request under way.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::LocalSet;

use crate::bench::connection::Connection;
use crate::bench::figure::{per_second, quantile};

/// How long a caller waits when it is told that the daemon is busy.
const BUSY_PAUSE: Duration = Duration::from_millis(2);

/// What callers ask for, request by request.
pub type Write = fn(number: u32, request: &mut Vec<u8>);

/// How a load went.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Microseconds from each request to its answer, sorted.
    pub latencies_us: Vec<u32>,
    /// Answers that said "busy"; each was asked again.
    pub busy: u32,
}

impl Load {
    /// Requests answered per second.
    pub fn per_second(&self) -> f64 {
        per_second(u64::try_from(self.latencies_us.len()).unwrap_or(u64::MAX), self.elapsed)
    }

    /// Milliseconds that `percent` of the answers did not exceed.
    pub fn quantile_ms(&self, percent: usize) -> f64 {
        f64::from(quantile(&self.latencies_us, percent)) / 1000.0
    }
}

/// Asks `count` requests over `connections` connections and expects 202 for each.
///
/// Everything runs on the calling thread: on a small machine more threads of ours would measure
/// themselves.
///
/// # Errors
/// When a connection breaks or an answer is neither 202 nor 503.
pub async fn drive(address: SocketAddr, connections: u32, count: u32, write: Write) -> io::Result<Load> {
    drive_at(address, connections, count, None, write).await
}

/// The same, but with no request before its time: `rate` of them each second, evenly, when it is given.
///
/// # Errors
/// As [`drive`].
pub async fn drive_at(
    address: SocketAddr,
    connections: u32,
    count: u32,
    rate: Option<u32>,
    write: Write,
) -> io::Result<Load> {
    let every = rate.and_then(|rate| Duration::from_secs(1).checked_div(rate)).unwrap_or_default();
    let started = Instant::now();
    let plan = Rc::new(Plan { next: Cell::new(0), count, busy: Cell::new(0), every, started, write });
    let latencies = Rc::new(RefCell::new(Vec::with_capacity(usize::try_from(count).unwrap_or_default())));
    let mut opened = Vec::new();
    for _ in 0..connections {
        opened.push(Connection::open(address).await?);
    }
    let callers = LocalSet::new();
    let tasks: Vec<_> = opened
        .into_iter()
        .map(|connection| callers.spawn_local(call(connection, Rc::clone(&plan), Rc::clone(&latencies))))
        .collect();
    callers.await;
    let elapsed = started.elapsed();
    for task in tasks {
        task.await.map_err(io::Error::other)??;
    }
    let mut latencies_us = latencies.take();
    latencies_us.sort_unstable();
    Ok(Load { elapsed, latencies_us, busy: plan.busy.get() })
}

#[derive(Debug)]
struct Plan {
    next: Cell<u32>,
    count: u32,
    busy: Cell<u32>,
    /// Time between two requests; zero when there is no rate.
    every: Duration,
    started: Instant,
    write: Write,
}

async fn call(
    mut connection: Connection,
    plan: Rc<Plan>,
    latencies: Rc<RefCell<Vec<u32>>>,
) -> io::Result<()> {
    let mut request = Vec::with_capacity(512);
    loop {
        let number = plan.next.get();
        if number >= plan.count {
            return Ok(());
        }
        plan.next.set(number.saturating_add(1));
        request.clear();
        (plan.write)(number, &mut request);
        let turn = plan.every.saturating_mul(number).saturating_sub(plan.started.elapsed());
        if !turn.is_zero() {
            tokio::time::sleep(turn).await;
        }
        let asked = Instant::now();
        loop {
            let answer = connection.exchange(&request).await?;
            match answer.status {
                202 => break,
                503 => plan.busy.set(plan.busy.get().saturating_add(1)),
                status => {
                    let body = String::from_utf8_lossy(answer.body);
                    return Err(io::Error::other(format!("request {number} was answered {status}: {body}")));
                }
            }
            tokio::time::sleep(BUSY_PAUSE).await;
        }
        let waited = u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX);
        latencies.borrow_mut().push(waited);
    }
}
