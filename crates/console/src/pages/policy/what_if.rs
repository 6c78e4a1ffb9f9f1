//! What a checked policy would have changed for recent sessions. Deciding thousands of sessions again takes its time: it is
//! done aside, and the page asks how far it is.
//!
//! Results are in the memory of the node that made them, for a while, and never the policies they came from. How many there
//! are is bounded for each organization and altogether.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::HeaderMap;
use http_api::errors::simulation;
use key_admin::random;
use policy::operations::markers::SimulatePolicy;
use policy::{PermittedPerson, PolicyDocument};
use storage::{OrganizationId, PrincipalId, Timestamp};
use token_issuer::simulation::{Group, MAX_SESSIONS, SimulationReport, SimulationRequest};
use tokio::task::AbortHandle;

use crate::failure::Failure;
use crate::page::{Frame, Section, ok};
use crate::person::Person;
use crate::state::ConsoleState;

/// Simulations of one organization that are kept, those at work included.
const MAX_OF_ORGANIZATION: usize = 4;
/// Simulations at work on this node.
const MAX_AT_WORK: usize = 4;
/// Simulations that are kept on this node.
const MAX_KEPT: usize = 200;
/// How long a result is kept, in seconds.
const KEPT_SECONDS: i64 = 15 * 60;
/// The groups of each kind that are kept: the largest.
const MAX_GROUPS: usize = 20;

/// The simulations of this node.
#[derive(Debug, Default)]
pub(crate) struct WhatIfs(Mutex<Vec<Job>>);

#[derive(Clone, Debug)]
struct Job {
    id: String,
    organization: OrganizationId,
    person: PrincipalId,
    started: Timestamp,
    most: u32,
    done: Arc<AtomicU32>,
    /// `None` while it is at work.
    result: Option<Result<Arc<SimulationReport>, String>>,
    abort: Option<AbortHandle>,
}

/// Too many simulations are at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Busy;

impl WhatIfs {
    fn jobs(&self) -> MutexGuard<'_, Vec<Job>> {
        // Each change of the list is one step: what a panic elsewhere leaves is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place. What the same person has started before ends: nobody looks at it any more.
    fn admit(&self, job: Job) -> Result<(), Busy> {
        let mut jobs = self.jobs();
        let oldest = job.started.plus_seconds(-KEPT_SECONDS);
        jobs.retain(|other| {
            let mine = other.organization == job.organization && other.person == job.person;
            let kept = !mine && (other.result.is_none() || other.started > oldest);
            if let (false, Some(abort)) = (kept, &other.abort) {
                abort.abort();
            }
            kept
        });
        if jobs.iter().filter(|it| it.result.is_none()).count() >= MAX_AT_WORK {
            return Err(Busy);
        }
        let of_organization = jobs.iter().filter(|it| it.organization == job.organization);
        if of_organization.count() >= MAX_OF_ORGANIZATION {
            drop_ended(&mut jobs, |it| it.organization == job.organization)?;
        }
        if jobs.len() >= MAX_KEPT {
            drop_ended(&mut jobs, |_| true)?;
        }
        jobs.push(job);
        Ok(())
    }

    fn set(&self, id: &str, change: impl FnOnce(&mut Job)) {
        if let Some(job) = self.jobs().iter_mut().find(|job| job.id == id) {
            change(job);
        }
    }

    fn find(&self, id: &str, organization: OrganizationId, person: PrincipalId) -> Option<Job> {
        let jobs = self.jobs();
        let mut jobs = jobs.iter();
        let is_it =
            |job: &&Job| job.id == id && job.organization == organization && job.person == person;
        jobs.find(is_it).cloned()
    }
}

/// The oldest result makes room.
fn drop_ended(jobs: &mut Vec<Job>, among: impl Fn(&Job) -> bool) -> Result<(), Busy> {
    let ended = jobs
        .iter()
        .position(|job| among(job) && job.result.is_some());
    jobs.remove(ended.ok_or(Busy)?);
    Ok(())
}

/// Begins a simulation, and tells what to ask for it by.
pub(super) fn start(
    state: &ConsoleState,
    person: PermittedPerson<SimulatePolicy>,
    candidate: PolicyDocument,
    last: u32,
) -> Result<Result<String, Busy>, Failure> {
    let id: [u8; 16] = random::bytes().map_err(|error| Failure::internal(&error))?;
    let id = BASE64_URL_SAFE_NO_PAD.encode(id);
    let done = Arc::new(AtomicU32::new(0));
    let job = Job {
        id: id.clone(),
        organization: person.organization_id(),
        person: person.user().id,
        started: state.services.clock.now(),
        most: last.min(MAX_SESSIONS),
        done: done.clone(),
        result: None,
        abort: None,
    };
    if state.what_ifs.admit(job).is_err() {
        return Ok(Err(Busy));
    }
    let task = tokio::spawn(work(
        state.clone(),
        person,
        candidate,
        (id.clone(), last, done),
    ));
    let abort = task.abort_handle();
    state.what_ifs.set(&id, |job| job.abort = Some(abort));
    Ok(Ok(id))
}

async fn work(
    state: ConsoleState,
    person: PermittedPerson<SimulatePolicy>,
    candidate: PolicyDocument,
    (id, last, done): (String, u32, Arc<AtomicU32>),
) {
    let sent = candidate.clone();
    let request = SimulationRequest {
        candidate,
        since: None,
        until: None,
        last,
        api_key: None,
    };
    let watch = move |sessions| done.store(sessions, Ordering::Relaxed);
    let issuer = &state.services.issuer;
    let report = issuer.simulate_watched(&person, request, watch).await;
    let result = match report {
        Ok(report) => Ok(Arc::new(trimmed(report))),
        Err(error) => {
            let problem = simulation(error, |fault| fault.pointer(&sent));
            Err(problem.body("").detail)
        }
    };
    state.what_ifs.set(&id, |job| job.result = Some(result));
}

fn trimmed(mut report: SimulationReport) -> SimulationReport {
    let groups = [
        &mut report.newly_refused,
        &mut report.newly_granted,
        &mut report.changed,
    ];
    for groups in groups {
        groups.truncate(MAX_GROUPS);
        groups.shrink_to_fit();
    }
    report
}

#[derive(Template)]
#[template(path = "policy/what_if.html")]
struct WhatIfPage {
    frame: Frame,
    what_if: WhatIfView,
}

#[derive(Template)]
#[template(path = "policy/what_if_fragment.html")]
struct Fragment {
    what_if: WhatIfView,
}

/// How far a simulation is, or what it found.
#[derive(Default)]
pub(super) struct WhatIfView {
    pub(super) id: String,
    pub(super) most: u32,
    pub(super) done: u32,
    pub(super) is_running: bool,
    /// Why there is none.
    pub(super) problem: Option<String>,
    pub(super) report: Option<ReportView>,
}

pub(super) struct ReportView {
    pub(super) replayed: u64,
    pub(super) unchanged: u64,
    pub(super) undetermined: u64,
    pub(super) kinds: Vec<KindView>,
}

pub(super) struct KindView {
    pub(super) title: &'static str,
    pub(super) class: &'static str,
    pub(super) count: u64,
    /// There are more groups than these.
    pub(super) cut: bool,
    pub(super) groups: Vec<GroupView>,
}

pub(super) struct GroupView {
    pub(super) count: u64,
    pub(super) key: String,
    pub(super) roles: String,
    pub(super) why: String,
    pub(super) example: String,
}

impl WhatIfView {
    pub(super) fn running(id: String, most: u32) -> Self {
        Self {
            id,
            most,
            is_running: true,
            ..Self::default()
        }
    }

    pub(super) fn busy() -> Self {
        Self {
            problem: Some(
                "Too many simulations are at work now. Check again in a moment to see what the change would have done."
                    .into(),
            ),
            ..Self::default()
        }
    }

    fn of(job: Option<Job>) -> Self {
        let Some(job) = job else {
            return Self {
                problem: Some(
                    "This simulation is not here any more: results are kept for 15 minutes, on the server that made \
                     them. Check the text again."
                        .into(),
                ),
                ..Self::default()
            };
        };
        let mut view = Self::running(job.id, job.most);
        view.done = job.done.load(Ordering::Relaxed);
        view.is_running = job.result.is_none();
        match job.result {
            Some(Ok(report)) => view.report = Some(ReportView::of(&report)),
            Some(Err(problem)) => view.problem = Some(problem),
            None => {}
        }
        view
    }
}

impl ReportView {
    fn of(report: &SimulationReport) -> Self {
        let kinds = [
            ("would be refused now", "bad", &report.newly_refused),
            ("would carry something else", "warn", &report.changed),
            ("would be granted now", "good", &report.newly_granted),
        ];
        let kinds = kinds.into_iter().filter(|(.., groups)| !groups.is_empty());
        Self {
            replayed: report.replayed,
            unchanged: report.unchanged,
            undetermined: report.undetermined,
            kinds: kinds
                .map(|(title, class, groups)| KindView {
                    title,
                    class,
                    count: groups.iter().map(|group| group.count).sum(),
                    cut: groups.len() >= MAX_GROUPS,
                    groups: groups.iter().map(GroupView::of).collect(),
                })
                .collect(),
        }
    }
}

impl GroupView {
    fn of(group: &Group) -> Self {
        let mut why = Vec::new();
        if !group.reasons.is_empty() {
            why.push(group.reasons.join(", "));
        }
        if !group.attributes.is_empty() {
            let names: HashSet<_> = group.attributes.iter().collect();
            let word = if names.len() == 1 {
                "attribute"
            } else {
                "attributes"
            };
            why.push(format!("{word} {}", group.attributes.join(", ")));
        }
        if group.scope_changed {
            why.push("scope".to_owned());
        }
        Self {
            count: group.count,
            key: group.api_key.to_string(),
            roles: group.roles.join(", "),
            why: why.join("; "),
            example: group.example.to_string(),
        }
    }
}

pub(super) async fn page(
    State(state): State<ConsoleState>,
    person: Person<SimulatePolicy>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let (organization, user) = (person.organization_id(), person.user().id);
    let what_if = WhatIfView::of(state.what_ifs.find(&id, organization, user));
    if headers.contains_key("hx-request") {
        return Ok(ok(&Fragment { what_if }));
    }
    Ok(ok(&WhatIfPage {
        frame: person.frame(Section::Policy, "What the policy would change"),
        what_if,
    }))
}

#[cfg(test)]
mod tests {
    use storage::{Clock, SystemClock};

    use super::*;

    fn job(id: &str, organization: OrganizationId, started: Timestamp) -> Job {
        Job {
            id: id.to_owned(),
            organization,
            person: PrincipalId::new(&SystemClock),
            started,
            most: 10,
            done: Arc::default(),
            result: None,
            abort: None,
        }
    }

    fn ended(job: &mut Job) {
        job.result = Some(Err("failed".into()));
    }

    #[test]
    fn there_is_a_bound_for_each_organization_and_for_all() {
        let (jobs, now) = (WhatIfs::default(), SystemClock.now());
        let one = OrganizationId::new(&SystemClock);
        for id in ["a", "b", "c", "d"] {
            jobs.admit(job(id, one, now)).unwrap();
        }
        // All are at work, on this node.
        let other = OrganizationId::new(&SystemClock);
        assert_eq!(jobs.admit(job("e", other, now)), Err(Busy));
        jobs.set("b", ended);
        // The organization has its four; the one that has ended makes room.
        jobs.admit(job("e", one, now)).unwrap();
        let ids: Vec<_> = jobs.jobs().iter().map(|job| job.id.clone()).collect();
        assert_eq!(ids, ["a", "c", "d", "e"]);
        assert_eq!(jobs.admit(job("f", one, now)), Err(Busy));
    }

    #[test]
    fn a_person_has_one_and_results_end() {
        let (jobs, now) = (WhatIfs::default(), SystemClock.now());
        let organization = OrganizationId::new(&SystemClock);
        let first = job("a", organization, now);
        let mut second = job("b", organization, now);
        second.person = first.person;
        let person = first.person;
        jobs.admit(first).unwrap();
        jobs.admit(second).unwrap();
        assert!(jobs.find("a", organization, person).is_none());
        assert!(jobs.find("b", organization, person).is_some());
        let elsewhere = OrganizationId::new(&SystemClock);
        assert!(jobs.find("b", elsewhere, person).is_none());
        let somebody = PrincipalId::new(&SystemClock);
        assert!(jobs.find("b", organization, somebody).is_none());
        jobs.set("b", ended);
        let later = now.plus_seconds(KEPT_SECONDS + 1);
        jobs.admit(job("c", elsewhere, later)).unwrap();
        assert!(jobs.find("b", organization, person).is_none());
    }
}
