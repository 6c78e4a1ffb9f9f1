//! The service beside the model.

use std::collections::BTreeMap;

use proptest::test_runner::{Config, TestRunner};
use storage::testing::ScratchDatabase;
use storage::{Clock, Database, Engine};

use super::{Blank, Call, Model, ROLES, Shape, calls, first_keys, shapes, strength_of, target_of};
use crate::IssuedTokens;
use crate::api_keys::strength::KeyOwner;
use crate::api_keys::{NotCovered, Strength};
use crate::testing::{App, act, add_user};
use crate::{ApiKey, ApiKeyContext, ApiKeyId, Asker, ChangeKeyError, CreateKeyError, CreatedKey};

/// A sequence of calls on the service, with the model beside it.
struct Run {
    app: App,
    owners: [KeyOwner; ROLES.len()],
    model: Model,
    secrets: BTreeMap<ApiKeyId, CreatedKey>,
}

impl Run {
    fn blank(&self) -> Blank {
        Blank {
            organization: self.app.organization,
            owners: self.owners,
            now: self.app.clock.now(),
        }
    }

    /// The key it was done to. `Err`: the caller is too weak, or is not let in at all.
    async fn call(
        &mut self,
        caller: ApiKeyId,
        target: ApiKeyId,
        call: &Call,
    ) -> Result<ApiKeyId, ()> {
        let caller = self
            .app
            .authenticates(&self.secrets[&caller])
            .await
            .map_err(|_| ())?;
        match call {
            Call::Create(shape) => {
                let new = shape.new_key(self.blank());
                let made = self
                    .app
                    .node
                    .keys
                    .create_key(act(), Asker::Key(&caller), new);
                match made.await {
                    Ok(made) => Ok(self.remember(made)),
                    Err(CreateKeyError::NotCovered(NotCovered::Stronger(_))) => Err(()),
                    Err(other) => panic!("{other:?}"),
                }
            }
            Call::Rotate(_) => {
                let keys = &self.app.node.keys;
                let organization = self.app.organization;
                let rotated = keys.rotate_key(act(), Asker::Key(&caller), organization, target, 0);
                let rotated = covered(rotated.await)?;
                Ok(self.remember(rotated))
            }
            _ => {
                let changed = self.change(&caller, target, call).await;
                covered(changed).map(|key| key.id)
            }
        }
    }

    async fn change(
        &self,
        caller: &ApiKeyContext,
        target: ApiKeyId,
        call: &Call,
    ) -> Result<ApiKey, ChangeKeyError> {
        let (keys, organization) = (&self.app.node.keys, self.app.organization);
        match call {
            Call::Update(_, shape, fields) => {
                let patch = shape.patch(*fields, self.blank());
                keys.update_key(act(), Asker::Key(caller), organization, target, patch)
                    .await
            }
            Call::Enable(_) => {
                keys.enable_key(act(), Asker::Key(caller), organization, target)
                    .await
            }
            Call::Disable(_) => {
                keys.disable_key(act(), Asker::Key(caller), organization, target)
                    .await
            }
            _ => {
                keys.delete_key(
                    act(),
                    Asker::Key(caller),
                    organization,
                    target,
                    IssuedTokens::Void,
                )
                .await
            }
        }
    }

    fn remember(&mut self, key: CreatedKey) -> ApiKeyId {
        let id = key.key.id;
        self.secrets.insert(id, key);
        id
    }

    async fn check(&self, root: &Strength) {
        self.model.check(root);
        let listed = self.app.lists().await;
        assert_eq!(listed.len(), self.model.keys.len());
        for listed in listed {
            let modelled = &self.model.keys[&listed.key.id];
            assert_eq!(listed.key.owner, modelled.owner.id);
            assert_eq!(Strength::of(&listed.key), modelled.strength);
            assert_eq!(listed.key.disabled_at.is_some(), modelled.disabled);
        }
    }
}

fn covered<T>(answer: Result<T, ChangeKeyError>) -> Result<T, ()> {
    match answer {
        Ok(value) => Ok(value),
        Err(ChangeKeyError::NotCovered(NotCovered::Stronger(_))) => Err(()),
        Err(other) => panic!("{other:?}"),
    }
}

async fn owners(app: &App) -> [KeyOwner; ROLES.len()] {
    let service_account = KeyOwner {
        id: app.owner,
        role: None,
    };
    let mut owners = [service_account; ROLES.len()];
    for (owner, role) in owners.iter_mut().zip(ROLES) {
        if let Some(role) = role {
            owner.id = add_user(app, role).await;
            owner.role = Some(role);
        }
    }
    owners
}

async fn run(database: Database, (root, calls): (Shape, Vec<(usize, Call)>)) {
    let app = App::on(database).await;
    let mut run = Run {
        owners: owners(&app).await,
        app,
        model: Model::default(),
        secrets: BTreeMap::new(),
    };
    // People's own key works from wherever the test calls, as often as it calls.
    let root = Shape {
        networks: Vec::new(),
        rate: None,
        ..root
    };
    for shape in first_keys(&root) {
        let made = run.app.creates(shape.new_key(run.blank())).await;
        let held = (run.owners[shape.owner], Strength::of(&made.key));
        let id = run.remember(made);
        run.model.add(id, held.clone(), held);
    }
    let root = strength_of(&root.new_key(run.blank()));
    for (caller, call) in calls {
        if run.model.keys.is_empty() {
            break;
        }
        let caller = run.model.pick(caller);
        let limits = &run.model.keys[&caller].strength;
        if !limits.networks.is_empty() || limits.rate_limit.is_some() {
            // It would be held off before the service is asked.
            continue;
        }
        let target = target_of(&run.model, &call);
        let allowed = run.model.allows(caller, target, &call, run.blank());
        let answer = run.call(caller, target, &call).await;
        assert_eq!(answer.is_ok(), allowed, "{call:?}");
        if let Ok(target) = answer {
            let blank = run.blank();
            run.model.apply(caller, target, &call, blank);
        }
    }
    run.check(&root).await;
}

#[test]
fn hundreds_of_sequences_on_the_service_are_as_the_model_says() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let mut runner = TestRunner::new(Config::with_cases(200));
    let sequences = (shapes(), proptest::collection::vec(calls(), 1..12));
    runner
        .run(&sequences, |sequence| {
            runtime.block_on(async {
                let scratch = ScratchDatabase::create(Engine::Sqlite).await;
                let database = Database::connect(scratch.url()).await.unwrap();
                database.migrate().await.unwrap();
                run(database.clone(), sequence).await;
                database.close().await;
            });
            Ok(())
        })
        .unwrap();
}
