//! The open connections, and who has to go when there is no room for another.
//!
//! Whoever has kept the server waiting for the longest time goes first: idle connections, heads and bodies that do not
//! arrive, answers that are not taken. A connection for which the server is at work stays. So slow clients cannot lock
//! out others, however many addresses they have. And no address keeps more than its share, so that work for one leaves
//! room for the others; proxies that are trusted have no share, for they stand for many.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use key_admin::rate_limit::network_of;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::counters::ConnectionCounters;
use super::watch::Watch;

/// Files that the process needs beside its connections: the database, logs, the listener.
const RESERVED_FILES: u64 = 128;
/// Even with hardly any files allowed.
const FEWEST: usize = 16;
/// When room has to be made, this part of the connections goes at once: looking for them has its price.
const EVICTED_PART: usize = 32;
/// Somebody may have begun to wait since the last look.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// How many connections there may be.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) all: usize,
    pub(super) per_address: usize,
    pub(super) trusted_proxies: Vec<IpNet>,
}

impl Limits {
    /// As many as are wanted and as the process may have open files; for that, its soft limit is raised if it can be.
    pub(super) fn possible(wanted: usize, per_address: usize, trusted_proxies: &[IpNet]) -> Self {
        let files = allow_files(wanted as u64 + RESERVED_FILES);
        let possible = usize::try_from(files.saturating_sub(RESERVED_FILES)).unwrap_or(usize::MAX);
        let all = wanted.min(possible.max(FEWEST));
        if all < wanted {
            tracing::warn!(
                max_connections = all,
                open_files = files,
                "fewer connections than configured are possible: the process may not open more files"
            );
        }
        Self {
            all,
            per_address: per_address.min(all.div_ceil(2)),
            trusted_proxies: trusted_proxies.to_vec(),
        }
    }

    /// Who shares with this address, unless it may have as many as it wants.
    fn share(&self, peer: IpAddr) -> Option<IpAddr> {
        let address = peer.to_canonical();
        let trusted = |network: &IpNet| network.contains(&address);
        (!self.trusted_proxies.iter().any(trusted)).then(|| network_of(address))
    }
}

/// How many files the process may have open, after an attempt to allow this many.
fn allow_files(wanted: u64) -> u64 {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let before = limit.current.unwrap_or(u64::MAX);
    if before >= wanted {
        return before;
    }
    let raised = wanted.min(limit.maximum.unwrap_or(u64::MAX));
    limit.current = Some(raised);
    match setrlimit(Resource::Nofile, limit) {
        Ok(()) => raised,
        Err(_) => before,
    }
}

/// The open connections.
#[derive(Debug)]
pub(super) struct Connections {
    limits: Limits,
    counters: Arc<ConnectionCounters>,
    tasks: JoinSet<()>,
    open: HashMap<Id, Open>,
    shares: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Open {
    watch: Arc<Watch>,
    share: Option<IpAddr>,
    task: AbortHandle,
}

/// May a connection come in?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// There is room.
    Welcome,
    /// Its address has its share, and the server is at work for all of it.
    Refused,
}

impl Connections {
    pub(super) fn new(limits: Limits, counters: Arc<ConnectionCounters>) -> Self {
        Self {
            limits,
            counters,
            tasks: JoinSet::new(),
            open: HashMap::new(),
            shares: HashMap::new(),
        }
    }

    /// Makes room for a connection from this address. Returns when there is some, or never will be.
    pub(super) async fn admit(&mut self, peer: IpAddr) -> Admission {
        self.forget_ended();
        if let Some(share) = self.limits.share(peer) {
            let full = |this: &Self| this.shares.get(&share) >= Some(&this.limits.per_address);
            if full(self) && self.evict(Some(share)) == 0 {
                self.counters.count_refused();
                return Admission::Refused;
            }
        }
        while self.open.len() >= self.limits.all && self.evict(None) == 0 {
            // The server is at work for everybody. The next one waits, and those after it in the kernel's queue.
            let _ = tokio::time::timeout(LOOK_AGAIN, self.one_ended()).await;
        }
        Admission::Welcome
    }

    /// Serves a connection that was let in.
    pub(super) fn add(
        &mut self,
        peer: IpAddr,
        watch: Arc<Watch>,
        connection: impl Future<Output = ()> + Send + 'static,
    ) {
        let share = self.limits.share(peer);
        if let Some(share) = share {
            *self.shares.entry(share).or_default() += 1;
        }
        let task = self.tasks.spawn(connection);
        let open = Open { watch, share, task };
        self.open.insert(open.task.id(), open);
        self.counters.count_accepted();
        self.counters.set_open(self.open.len());
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.open.len()
    }

    /// Returns when a connection has ended; never while there is none.
    pub(super) async fn one_ended(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(ended) => self.ended(ended),
            None => std::future::pending().await,
        }
    }

    /// No connection takes further requests. Returns when all have ended.
    pub(super) async fn drain(&mut self) {
        for open in self.open.values() {
            open.watch.leave();
        }
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.ended(ended);
        }
    }

    /// Ends all of them now.
    pub(super) async fn abandon(&mut self) {
        self.tasks.shutdown().await;
    }

    fn forget_ended(&mut self) {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.ended(ended);
        }
    }

    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => error.id(),
        };
        self.forget(id);
    }

    fn forget(&mut self, id: Id) -> Option<Open> {
        let open = self.open.remove(&id)?;
        if let Some(share) = open.share
            && let Some(count) = self.shares.get_mut(&share)
        {
            *count -= 1;
            if *count == 0 {
                self.shares.remove(&share);
            }
        }
        self.counters.set_open(self.open.len());
        Some(open)
    }

    /// Closes those that have kept the server waiting for the longest time, of this share or of all. How many?
    fn evict(&mut self, share: Option<IpAddr>) -> usize {
        let mut waiting: Vec<(Instant, Id)> = self
            .open
            .iter()
            .filter(|(_, open)| share.is_none() || open.share == share)
            .filter_map(|(id, open)| Some((open.watch.waiting_since()?, *id)))
            .collect();
        let count = waiting.len().div_ceil(EVICTED_PART);
        if let Some(last) = count.checked_sub(1) {
            waiting.select_nth_unstable_by_key(last, |(since, _)| *since);
        }
        for (_, id) in &waiting[..count] {
            if let Some(open) = self.forget(*id) {
                open.task.abort();
            }
        }
        self.counters.count_evicted(count as u64);
        count
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::super::watch::{Patience, Ticket};
    use super::*;

    const PROXY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    struct Server {
        connections: Connections,
        counters: Arc<ConnectionCounters>,
    }

    impl Server {
        fn with_room_for(all: usize, per_address: usize) -> Self {
            let counters = Arc::new(ConnectionCounters::default());
            let limits = Limits {
                all,
                per_address,
                trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            };
            Self {
                connections: Connections::new(limits, counters.clone()),
                counters,
            }
        }

        /// A connection that never ends by itself, and what ends with its task.
        fn connect(&mut self, peer: IpAddr) -> (Arc<Watch>, std::sync::Weak<()>) {
            let watch = new_watch();
            let alive = Arc::new(());
            let weak = Arc::downgrade(&alive);
            let connection = async move {
                pending::<()>().await;
                drop(alive);
            };
            self.connections.add(peer, watch.clone(), connection);
            (watch, weak)
        }

        async fn admits(&mut self, peer: IpAddr) -> bool {
            self.connections.admit(peer).await == Admission::Welcome
        }
    }

    fn new_watch() -> Arc<Watch> {
        let second = Duration::from_secs(1);
        Watch::new(Patience {
            head: second,
            body: second,
            answer: second,
        })
    }

    fn client(number: u8) -> IpAddr {
        [203, 0, 113, number].into()
    }

    #[tokio::test]
    async fn who_waits_longest_makes_room_and_who_is_served_stays() {
        let mut server = Server::with_room_for(3, 3);
        let (busy, _) = server.connect(client(1));
        let _ticket = Ticket::begin(&busy, false, false);
        let (_, oldest) = server.connect(client(2));
        let (_, younger) = server.connect(client(3));
        assert!(server.admits(client(4)).await);
        assert_eq!((server.counters.evicted(), server.counters.open()), (1, 2));
        // The task ends by itself once it is told to.
        server.connections.one_ended().await;
        assert!(oldest.upgrade().is_none() && younger.upgrade().is_some());
        assert_eq!(server.counters.open(), 2);
    }

    #[tokio::test]
    async fn a_body_that_does_not_arrive_counts_as_waiting() {
        let mut server = Server::with_room_for(1, 1);
        let (slow, alive) = server.connect(client(1));
        let ticket = Ticket::begin(&slow, true, false);
        let _receipt = ticket.receipt();
        assert!(server.admits(client(2)).await);
        server.connections.one_ended().await;
        assert!(alive.upgrade().is_none());
    }

    #[tokio::test]
    async fn while_all_are_served_the_next_one_waits() {
        let mut server = Server::with_room_for(2, 2);
        let (one, _) = server.connect(client(1));
        let (other, _) = server.connect(client(2));
        let ticket = Ticket::begin(&one, false, false);
        let _other = Ticket::begin(&other, false, false);
        {
            let mut admission = Box::pin(server.connections.admit(client(3)));
            assert!(futures::poll!(&mut admission).is_pending());
            drop(ticket);
            assert_eq!(admission.await, Admission::Welcome);
        }
        assert_eq!(
            (server.counters.evicted(), server.counters.refused()),
            (1, 0)
        );
    }

    #[tokio::test]
    async fn an_address_keeps_its_share_and_no_more() {
        let mut server = Server::with_room_for(10, 2);
        let (one, _) = server.connect(client(1));
        let (other, _) = server.connect(client(1));
        let _one = Ticket::begin(&one, false, false);
        let ticket = Ticket::begin(&other, false, false);
        assert!(!server.admits(client(1)).await, "all of it is at work");
        assert!(server.admits(client(2)).await, "others have their own");
        assert_eq!(server.counters.refused(), 1);
        drop(ticket);
        assert!(server.admits(client(1)).await, "one of its own goes");
        assert_eq!(server.counters.evicted(), 1);
    }

    #[tokio::test]
    async fn a_trusted_proxy_has_no_share() {
        let mut server = Server::with_room_for(10, 1);
        for _ in 0..5 {
            assert!(server.admits(PROXY).await);
            server.connect(PROXY);
        }
        assert_eq!((server.counters.evicted(), server.counters.open()), (0, 5));
    }

    #[tokio::test]
    async fn one_subscriber_of_ipv6_is_one_address() {
        let mut server = Server::with_room_for(10, 1);
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        server.connect(address("2001:db8:0:1::1"));
        assert!(server.admits(address("2001:db8:0:1::2")).await);
        assert_eq!(server.counters.evicted(), 1);
    }

    #[test]
    fn no_more_connections_than_files_can_be_open() {
        let possible = Limits::possible(usize::MAX / 2, usize::MAX / 2, &[]);
        let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let files = usize::try_from(files.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        assert!(possible.all < files || possible.all == FEWEST);
        assert_eq!(possible.per_address, possible.all.div_ceil(2));
        let few = Limits::possible(20, 7, &[]);
        assert_eq!((few.all, few.per_address), (20, 7));
    }
}
