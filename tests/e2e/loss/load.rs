//! Clients that issue, renew and revoke side by side, and remember what they were told.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use storage::SessionId;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Random;
use crate::audiences::make;
use crate::renewal::{PAGE, RENEW, rule};
use crate::support::{Answer, App, NewKey};

/// Side by side.
const CLIENTS: usize = 32;
pub(super) const AUDIENCES: [&str; 2] = ["default", "second"];
const MAX_BATCH: usize = 20;

/// A server and the keys that are used on it.
#[derive(Clone)]
pub(super) struct Site {
    pub(super) http: reqwest::Client,
    pub(super) url: String,
    pub(super) keys: Vec<String>,
}

/// A token that a client holds.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) session: SessionId,
    pub(super) token: String,
    pub(super) subject: String,
    pub(super) audience: String,
}

/// What an answer told.
#[derive(Clone)]
pub(super) enum Told {
    /// This token exists.
    Issued(Held),
    /// It was traded for another one.
    Renewed(Held),
    /// Its session was revoked.
    Revoked(Held),
    /// Everything of its subject was.
    SubjectRevoked(Held),
}

/// What was told, and how long the recorder's log was when it had arrived; 0 when nothing records.
#[derive(Clone)]
pub(super) struct Fact {
    pub(super) told: Told,
    pub(super) recorded: u64,
}

impl Site {
    /// Three keys, and a second audience beside the one whose tokens can be renewed.
    pub(super) async fn prepare(app: &App) -> Self {
        app.lets_pages_renew(&[PAGE], rule()).await;
        make(app, json!({ "name": AUDIENCES[1] })).await;
        let mut keys = vec![app.key.clone()];
        for _ in 0..2 {
            keys.push(app.create_key(NewKey::default()).await.1);
        }
        let (http, url) = (app.http.clone(), app.server.url());
        Self { http, url, keys }
    }

    pub(super) fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.url))
    }

    pub(super) fn renewal(&self, token: &str) -> RequestBuilder {
        let request = self.post(RENEW).header("origin", PAGE);
        request.header("authorization", format!("Bearer {token}"))
    }
}

/// Clients at work on a site.
pub(super) struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
}

struct Shared {
    site: Site,
    /// What the subjects of this load begin with.
    name: String,
    /// The recorder's log.
    log: Option<PathBuf>,
    facts: Mutex<Vec<Fact>>,
    revoking: Mutex<HashSet<String>>,
    answers: watch::Sender<usize>,
    /// Requests that were answered with "try again later".
    put_off: watch::Sender<usize>,
}

/// What a load has seen.
pub(super) struct Seen {
    pub(super) facts: Vec<Fact>,
    /// The subjects whose tokens were asked to be revoked, whether this was answered or not.
    pub(super) revoking: HashSet<String>,
    pub(super) put_off: usize,
}

/// No whole answer came: the server is gone.
struct Gone;

impl Load {
    pub(super) fn start(
        site: &Site,
        name: &str,
        log: Option<PathBuf>,
        random: &mut Random,
    ) -> Self {
        let shared = Arc::new(Shared {
            site: site.clone(),
            name: name.to_owned(),
            log,
            facts: Mutex::default(),
            revoking: Mutex::default(),
            answers: watch::Sender::new(0),
            put_off: watch::Sender::new(0),
        });
        let clients = (0..CLIENTS).map(|number| {
            let random = Random(random.next());
            shared.clone().work(number, random)
        });
        let clients = clients.collect();
        Self { shared, clients }
    }

    /// Returns as soon as so many requests were granted.
    pub(super) async fn reaches(&mut self, answers: usize) {
        let mut counted = self.shared.answers.subscribe();
        tokio::select! {
            reached = counted.wait_for(|count| *count >= answers) => drop(reached.unwrap()),
            ended = self.clients.join_next() => panic!("a client ended before the server: {ended:?}"),
        }
    }

    /// Waits until no client gets an answer any more. All of them were waiting for one when the server ended.
    pub(super) async fn ends(mut self) -> Seen {
        while let Some(client) = self.clients.join_next().await {
            client.unwrap();
        }
        Seen {
            facts: std::mem::take(&mut self.shared.facts.lock().unwrap()),
            revoking: std::mem::take(&mut self.shared.revoking.lock().unwrap()),
            put_off: *self.shared.put_off.borrow(),
        }
    }
}

impl Shared {
    async fn work(self: Arc<Self>, client: usize, mut random: Random) {
        let mut held: Vec<Held> = Vec::new();
        for number in 0_usize.. {
            let subject = format!("{}-{client}-{number}", self.name);
            let done = if held.is_empty() || random.percent(55) {
                self.issue(&mut held, &subject, &mut random).await
            } else {
                let index = random.below(held.len());
                let token = held.swap_remove(index);
                match random.below(10) {
                    0..=3 => self.batch(&mut held, &subject, &mut random).await,
                    4..=6 if token.audience == AUDIENCES[0] => self.renew(&mut held, token).await,
                    _ => self.revoke(token, &mut random).await,
                }
            };
            if done.is_err() {
                return;
            }
        }
    }

    async fn issue(
        &self,
        held: &mut Vec<Held>,
        subject: &str,
        random: &mut Random,
    ) -> Result<(), Gone> {
        let body = wanted(subject, random);
        let request = self.site.post("/v1/session-tokens");
        let request = request.header("x-api-key", random.one_of(&self.site.keys));
        let Some(answer) = self.ask(request.json(&body), 201).await? else {
            return Ok(());
        };
        held.push(token(subject, &answer.json()));
        self.learn(held[held.len() - 1..].iter().cloned().map(Told::Issued));
        Ok(())
    }

    /// Whoever sees a row of the batch knows from its subject how many there must be.
    async fn batch(
        &self,
        held: &mut Vec<Held>,
        subject: &str,
        random: &mut Random,
    ) -> Result<(), Gone> {
        let size = 2 + random.below(MAX_BATCH - 1);
        let subject = format!("{subject}-of-{size}");
        let requests: Vec<Value> = (0..size).map(|_| wanted(&subject, random)).collect();
        let request = self.site.post("/v1/session-tokens/batch");
        let request = request.header("x-api-key", random.one_of(&self.site.keys));
        let request = request.json(&json!({ "requests": requests }));
        let Some(answer) = self.ask(request, 200).await? else {
            return Ok(());
        };
        let answer = answer.json();
        let results = answer["results"].as_array().unwrap();
        assert_eq!(results.len(), size);
        let tokens = results.iter().map(|it| token(&subject, &it["token"]));
        let tokens: Vec<Held> = tokens.collect();
        self.learn(tokens.iter().cloned().map(Told::Issued));
        held.extend(tokens);
        Ok(())
    }

    async fn renew(&self, held: &mut Vec<Held>, old: Held) -> Result<(), Gone> {
        let Some(answer) = self.ask(self.site.renewal(&old.token), 201).await? else {
            return Ok(());
        };
        let new = token(&old.subject, &answer.json());
        held.push(new.clone());
        self.learn([Told::Issued(new), Told::Renewed(old)]);
        Ok(())
    }

    async fn revoke(&self, held: Held, random: &mut Random) -> Result<(), Gone> {
        let key = &self.site.keys[0];
        let subject = held.subject.clone();
        self.revoking.lock().unwrap().insert(subject);
        // The subject of a batch is that of other tokens, which are still held.
        let by_subject = random.percent(30) && !held.subject.contains("-of-");
        let request = if by_subject {
            let request = self.site.post("/v1/sessions/revoke");
            request.json(&json!({ "subject": held.subject }))
        } else {
            let path = format!("{}/v1/sessions/{}", self.site.url, held.session);
            self.site.http.delete(path)
        };
        if self
            .ask(request.header("x-api-key", key), 204)
            .await?
            .is_some()
        {
            self.learn([if by_subject {
                Told::SubjectRevoked(held)
            } else {
                Told::Revoked(held)
            }]);
        }
        Ok(())
    }

    /// The answer, which has this status; `None` when the server says that its database cannot answer.
    async fn ask(&self, request: RequestBuilder, status: u16) -> Result<Option<Answer>, Gone> {
        let response = request.send().await.map_err(|_| Gone)?;
        let answer = Answer::read(response).await.map_err(|_| Gone)?;
        if answer.status == 503 {
            answer.assert_problem(reqwest::StatusCode::SERVICE_UNAVAILABLE, "unavailable");
            self.put_off.send_modify(|count| *count += 1);
            return Ok(None);
        }
        assert_eq!(answer.status, status, "{}", answer.text);
        Ok(Some(answer))
    }

    fn learn(&self, told: impl IntoIterator<Item = Told>) {
        let length = |log: &PathBuf| std::fs::metadata(log).unwrap().len();
        let recorded = self.log.as_ref().map_or(0, length);
        let facts = told.into_iter().map(|told| Fact { told, recorded });
        self.facts.lock().unwrap().extend(facts);
        self.answers.send_modify(|count| *count += 1);
    }
}

fn wanted(subject: &str, random: &mut Random) -> Value {
    json!({
        "user": { "id": subject, "roles": ["viewer"], "attributes": { "tenant_id": "t-1" } },
        "audience": random.one_of(&AUDIENCES),
    })
}

fn token(subject: &str, answer: &Value) -> Held {
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    Held {
        session: text("session_id").parse().unwrap(),
        token: text("token"),
        subject: subject.to_owned(),
        audience: text("audience"),
    }
}
