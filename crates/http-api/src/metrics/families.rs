//! Every metric: its name, what it means, and where its figure is read. `docs/metrics.md` has the same list.

use storage::Timestamp;

use super::exposition::{Exposition, Format, Seconds, Unit};
use super::process;
use crate::server::{ConnectionCounters, Deadline};
use crate::state::ApiState;

/// All metrics of this server, in this format.
pub(crate) fn exposed(state: &ApiState, format: Format) -> String {
    let mut text = Exposition::new(format);
    server(&mut text, state);
    issuing(&mut text, state);
    recording(&mut text, state);
    caches(&mut text, state);
    policies_and_changes(&mut text, state);
    hashing(&mut text, state);
    database(&mut text, state);
    text.finish()
}

fn server(text: &mut Exposition, state: &ApiState) {
    let mut build = text.gauges(
        "jeton_build_info",
        "Always 1; the label is the version of the binary.",
    );
    build.add(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    text.gauge(
        "jeton_draining",
        "1 while the server is about to stop, 0 otherwise.",
        u8::from(state.is_draining()),
    );
    text.gauge(
        "process_start_time_seconds",
        "When the server started, in seconds since the Unix epoch.",
        Seconds(since_epoch(state.metrics.started_at())),
    );
    process::write(text);
    let mut requests = text.counters(
        "jeton_http_requests_total",
        "Requests that were answered, by the class of the status.",
    );
    for (class, count) in state.metrics.classes() {
        requests.add(&[("status", class)], count);
    }
    connections(text, &state.connections);
}

fn connections(text: &mut Exposition, connections: &ConnectionCounters) {
    text.gauge(
        "jeton_connections",
        "Connections of clients that are open.",
        connections.open() as u64,
    );
    text.counter(
        "jeton_connections_accepted_total",
        "Connections that were let in.",
        connections.accepted(),
    );
    text.counter(
        "jeton_connections_refused_total",
        "Connections that were closed at once, because their address had its share.",
        connections.refused(),
    );
    text.counter(
        "jeton_connections_evicted_total",
        "Connections that were closed to make room for others.",
        connections.evicted(),
    );
    let mut late = text.counters(
        "jeton_connections_late_total",
        "Connections that were closed because a deadline had passed.",
    );
    for deadline in Deadline::ALL {
        late.add(
            &[("deadline", deadline.as_str())],
            connections.closed_by(deadline),
        );
    }
}

fn since_epoch(at: Timestamp) -> u64 {
    let micros = u64::try_from(at.unix_micros()).unwrap_or_default();
    micros.saturating_mul(1_000)
}

fn issuing(text: &mut Exposition, state: &ApiState) {
    let mut issuances = text.counters(
        "jeton_issuances_total",
        "Requests for session tokens, by the endpoint and by what became of them.",
    );
    for (endpoint, result, count) in state.metrics.issuances() {
        issuances.add(&[("endpoint", endpoint), ("result", result)], count);
    }
    let mut whole = text.histograms(
        "jeton_issuance_duration_seconds",
        "How long requests for session tokens took until their answer, whatever it was.",
    );
    whole.spread(&[], &state.metrics.issuing(), Unit::Nanoseconds);
    let mut phases = text.histograms(
        "jeton_phase_duration_seconds",
        "How long the phases of issuing took.",
    );
    let authenticate = state.services.keys.authentications();
    let steps = state.services.issuer.steps();
    for (phase, times) in [("authenticate", authenticate)].into_iter().chain(steps) {
        phases.spread(&[("phase", phase)], &times, Unit::Nanoseconds);
    }
}

fn recording(text: &mut Exposition, state: &ApiState) {
    let groups = state.services.keys.counter().groups();
    text.counter(
        "jeton_sessions_recorded_total",
        "Sessions that were committed, those that people issue in the console included.",
        groups.sum,
    );
    let mut sizes = text.histograms(
        "jeton_record_group_sessions",
        "How many sessions were committed together.",
    );
    sizes.spread(&[], &groups, Unit::Number);
    let queue = state.services.issuer.record_queue();
    text.gauge(
        "jeton_record_queue_sessions",
        "Sessions that wait to be written.",
        queue.waiting,
    );
    text.gauge(
        "jeton_record_queue_capacity_sessions",
        "How many sessions may wait; past it, requests are refused as overloaded.",
        queue.capacity,
    );
    text.gauge(
        "jeton_unsorted_sessions",
        "Sessions whose tokens have left and which are not in their table yet.",
        state.services.database.arrivals().count() as u64,
    );
}

fn caches(text: &mut Exposition, state: &ApiState) {
    let services = &state.services;
    let caches = services.keys.caches().into_iter();
    let caches = caches.chain(services.policy.usage().caches);
    let caches: Vec<_> = caches.chain(services.issuer.caches()).collect();
    let mut hits = text.counters(
        "jeton_cache_hits_total",
        "Look-ups in a cache that found an entry.",
    );
    for (name, usage) in &caches {
        hits.add(&[("cache", name)], usage.hits);
    }
    let mut misses = text.counters(
        "jeton_cache_misses_total",
        "Look-ups in a cache that had to load an entry, or to wait for it.",
    );
    for (name, usage) in &caches {
        misses.add(&[("cache", name)], usage.misses);
    }
    let mut entries = text.gauges("jeton_cache_entries", "Entries that a cache keeps.");
    for (name, usage) in &caches {
        entries.add(&[("cache", name)], usage.entries);
    }
}

fn policies_and_changes(text: &mut Exposition, state: &ApiState) {
    let policies = state.services.policy.usage();
    text.gauge(
        "jeton_policy_version",
        "The newest version of any policy that this server has compiled; 0 for none.",
        policies.newest,
    );
    text.gauge(
        "jeton_policies_compiled",
        "Compiled policies in memory.",
        policies.compiled,
    );
    let mut compiles = text.histograms(
        "jeton_policy_compile_duration_seconds",
        "How long compiling a policy took, for decisions or to check a change.",
    );
    compiles.spread(&[], &policies.compiles, Unit::Nanoseconds);

    let feed = &state.services.feed;
    let progress = feed.progress();
    let nanos = |it: std::time::Duration| u64::try_from(it.as_nanos()).unwrap_or(u64::MAX);
    text.gauge(
        "jeton_change_version",
        "The newest version of the database's changes that this server has seen.",
        progress.version,
    );
    text.gauge(
        "jeton_change_confirmed_age_seconds",
        "How long ago this server last knew that it had seen every change: the longest that a revocation elsewhere can be unknown here.",
        Seconds(nanos(progress.confirmed_ago)),
    );
    text.gauge(
        "jeton_change_staleness_bound_seconds",
        "The age past which the server refuses to issue.",
        Seconds(nanos(feed.bound())),
    );
    text.counter(
        "jeton_changes_seen_total",
        "Changes of organizations that this server has seen.",
        progress.changes,
    );
    text.counter(
        "jeton_change_poll_failures_total",
        "Questions for changes that the database did not answer in time.",
        progress.failures,
    );
}

fn hashing(text: &mut Exposition, state: &ApiState) {
    let lanes = state.services.keys.hasher().usage();
    let mut running = text.gauges(
        "jeton_hashes_running",
        "Hashes that are computed now, of keys or of passwords.",
    );
    for (lane, usage) in &lanes {
        running.add(&[("of", lane)], usage.running);
    }
    let mut threads = text.gauges(
        "jeton_hash_threads",
        "The most hashes that are computed at once.",
    );
    for (lane, usage) in &lanes {
        threads.add(&[("of", lane)], usage.threads);
    }
    let mut waiting = text.gauges("jeton_hashes_waiting", "Hashes that wait for a thread.");
    for (lane, usage) in &lanes {
        waiting.add(&[("of", lane)], usage.waiting);
    }
    let mut begun = text.counters("jeton_hashes_total", "Hashes that were begun.");
    for (lane, usage) in &lanes {
        begun.add(&[("of", lane)], usage.started);
    }
    let mut rejected = text.counters(
        "jeton_hashes_rejected_total",
        "Hashes that were refused because too many waited.",
    );
    for (lane, usage) in &lanes {
        rejected.add(&[("of", lane)], usage.rejected);
    }
}

fn database(text: &mut Exposition, state: &ApiState) {
    let pools = state.services.database.pools();
    let mut open = text.gauges(
        "jeton_database_connections",
        "Open connections to the database.",
    );
    for pool in &pools {
        open.add(&[("pool", pool.name)], pool.open);
    }
    let mut idle = text.gauges(
        "jeton_database_connections_idle",
        "Open connections to the database that nobody uses.",
    );
    for pool in &pools {
        idle.add(&[("pool", pool.name)], pool.idle);
    }
    let mut max = text.gauges(
        "jeton_database_connections_max",
        "The most connections to the database that may be open.",
    );
    for pool in &pools {
        max.add(&[("pool", pool.name)], pool.max);
    }
}
