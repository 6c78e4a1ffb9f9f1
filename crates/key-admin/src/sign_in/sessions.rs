use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Value, json};
use storage::{
    ConsoleSessionId, OrganizationId, PrincipalId, StorageError, Timestamp, Transaction,
};

use super::{Browser, EndSessionError, SignedIn, end_all, secret, store};
use crate::audit::{self, Deed};
use crate::random::NoRandomness;
use crate::{Act, KeyAdmin, PrincipalState, User, organizations, users};

/// The time of a session's last use is written down this often, in seconds.
const TOUCH_SECONDS: i64 = 60;

/// A session that has just begun.
#[derive(Debug)]
pub struct NewConsoleSession {
    /// What the browser shows from now on: 256 random bits, in base62. Only its SHA-256 is kept.
    pub secret: SecretString,
    /// When the session ends in any case.
    pub ends_at: Timestamp,
    /// The person.
    pub person: SignedIn,
}

/// A session as its person sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConsoleSession {
    /// Its identifier; no secret.
    pub id: ConsoleSessionId,
    /// How the person came in.
    pub method: SignInMethod,
    /// Through which provider, where there was one.
    pub provider: Option<String>,
    /// The client's address at the sign-in.
    pub address: String,
    /// What the browser calls itself.
    pub user_agent: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was used last, to the minute.
    pub last_seen_at: Timestamp,
    /// When it ends in any case.
    pub ends_at: Timestamp,
    /// Is it the one that asks?
    pub current: bool,
}

/// How somebody came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignInMethod {
    /// E-mail and password.
    Password,
    /// The same, and a code.
    PasswordAndCode,
    /// Single sign-on.
    Provider,
    /// The same, and a code.
    ProviderAndCode,
}

impl SignInMethod {
    const ALL: [Self; 4] = [
        Self::Password,
        Self::PasswordAndCode,
        Self::Provider,
        Self::ProviderAndCode,
    ];

    /// The name in the database and the audit trail.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::PasswordAndCode => "password_and_code",
            Self::Provider => "provider",
            Self::ProviderAndCode => "provider_and_code",
        }
    }

    pub(super) fn decode(text: &str) -> Result<Self, StorageError> {
        let found = Self::ALL.into_iter().find(|method| method.as_str() == text);
        found.ok_or_else(|| StorageError::corrupt("way to sign in", text))
    }

    pub(super) fn and_code(self) -> Self {
        match self {
            Self::Password | Self::PasswordAndCode => Self::PasswordAndCode,
            Self::Provider | Self::ProviderAndCode => Self::ProviderAndCode,
        }
    }
}

/// Which sessions have not ended: those that are used and made after these times, and have no end of their own until
/// now.
pub(super) struct Live {
    pub(super) now: Timestamp,
    pub(super) seen_after: Timestamp,
    pub(super) made_after: Timestamp,
}

/// A session's row.
pub(super) struct NewRow<'a> {
    pub(super) id: ConsoleSessionId,
    pub(super) user: (OrganizationId, PrincipalId),
    pub(super) secret_hash: Vec<u8>,
    pub(super) method: SignInMethod,
    pub(super) provider: Option<&'a str>,
    pub(super) browser: &'a Browser,
    pub(super) created_at: Timestamp,
    pub(super) ends_at: Timestamp,
}

/// How somebody has just proven to be the user.
pub(super) struct Proof<'a> {
    pub(super) method: SignInMethod,
    pub(super) provider: Option<&'a str>,
    /// What the audit trail says about the code, where there was one.
    pub(super) code: Option<Value>,
}

/// Why no session was made for somebody who has proven who they are.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenSessionError {
    /// See [`NoRandomness`].
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl KeyAdmin {
    pub(super) fn live_since(&self, now: Timestamp) -> Live {
        let settings = &self.settings.sign_in;
        Live {
            now,
            seen_after: now.plus_seconds(-settings.idle_seconds()),
            made_after: now.plus_seconds(-settings.max_seconds()),
        }
    }

    /// Begins a session of a user that is locked in `tx`, with its audit event. Its secret and its id are new, whatever
    /// the browser held before.
    pub(super) async fn open_session(
        &self,
        tx: &mut Transaction,
        browser: &Browser,
        (organization, user): (OrganizationId, User),
        proof: Proof<'_>,
    ) -> Result<NewConsoleSession, OpenSessionError> {
        let now = self.clock.now();
        let secret = secret::fresh()?;
        let row = NewRow {
            id: ConsoleSessionId::new(&*self.clock),
            user: (organization, user.id),
            secret_hash: secret::hash(&secret),
            method: proof.method,
            provider: proof.provider,
            browser,
            created_at: now,
            ends_at: now.plus_seconds(self.settings.sign_in.max_seconds()),
        };
        store::sessions::insert(tx.conn(), &row).await?;
        let mut detail = json!({ "session_id": row.id, "method": proof.method.as_str() });
        if let Some(provider) = proof.provider {
            detail["provider"] = provider.into();
        }
        if let Some(code) = proof.code {
            detail["code"] = code;
        }
        let deed = users::deed("console.sign_in", user.id, detail);
        let act = browser.act_of(user.id);
        audit::record(tx, &*self.clock, organization, &act, deed).await?;
        let organization = organizations::store::find(tx.conn(), organization)
            .await?
            .ok_or_else(|| StorageError::corrupt("user", "its organization is gone"))?;
        Ok(NewConsoleSession {
            secret,
            ends_at: row.ends_at,
            person: SignedIn::new(user, organization, row.id),
        })
    }

    /// Who holds this secret, while the session lasts and the user is active. The user's role is the present one; its
    /// permissions are for the `policy` crate to add.
    pub async fn console_session(
        &self,
        secret: &SecretString,
    ) -> Result<Option<SignedIn>, StorageError> {
        let live = self.live_since(self.clock.now());
        let (session, person) = {
            let mut read = self.database.read().await?;
            let hash = secret::hash(secret);
            let Some(session) = store::sessions::find(read.conn(), &hash, &live).await? else {
                return Ok(None);
            };
            let organization = session.organization_id;
            let user = users::store::find(read.conn(), organization, session.user_id).await?;
            let Some(user) = user.filter(|user| user.state == PrincipalState::Active) else {
                return Ok(None);
            };
            let organization = organizations::store::find(read.conn(), organization).await?;
            let Some(organization) = organization else {
                return Ok(None);
            };
            let person = SignedIn::new(user, organization, session.id);
            (session, person)
        };
        let seen_until = live.now.plus_seconds(-TOUCH_SECONDS);
        if session.last_seen_at <= seen_until {
            let mut tx = self.database.write().await?;
            store::sessions::touch(tx.conn(), session.id, live.now, seen_until).await?;
            tx.commit().await?;
        }
        Ok(Some(person))
    }

    /// Ends the session. One that has ended already is no failure.
    pub async fn sign_out(&self, act: &Act, person: &SignedIn) -> Result<(), StorageError> {
        self.end_own(act, person, (person.session(), "console.sign_out"))
            .await?;
        Ok(())
    }

    /// Ends all sessions of the person, the present one included, and what waits for a second factor. Answers how many
    /// sessions that were.
    pub async fn sign_out_everywhere(
        &self,
        act: &Act,
        person: &SignedIn,
    ) -> Result<u64, StorageError> {
        let user = person.user().id;
        let mut tx = self.database.write().await?;
        let ended = end_all(&mut tx, user).await?;
        let detail = json!({ "ended_sessions": ended });
        let deed = users::deed("console.sign_out_everywhere", user, detail);
        self.commit_sign_in(tx, act, person.organization_id(), deed)
            .await?;
        Ok(ended)
    }

    /// The person's sessions that have not ended, newest first.
    pub async fn console_sessions(
        &self,
        person: &SignedIn,
    ) -> Result<Vec<ConsoleSession>, StorageError> {
        let live = self.live_since(self.clock.now());
        let mut read = self.database.read().await?;
        store::sessions::list(read.conn(), person.user().id, &live, person.session()).await
    }

    /// Ends one of the person's sessions.
    pub async fn end_console_session(
        &self,
        act: &Act,
        person: &SignedIn,
        session: ConsoleSessionId,
    ) -> Result<(), EndSessionError> {
        let ended = self
            .end_own(act, person, (session, "console.end_session"))
            .await?;
        if ended {
            Ok(())
        } else {
            Err(EndSessionError::NotFound)
        }
    }

    async fn end_own(
        &self,
        act: &Act,
        person: &SignedIn,
        (session, action): (ConsoleSessionId, &'static str),
    ) -> Result<bool, StorageError> {
        let user = person.user().id;
        let mut tx = self.database.write().await?;
        if !store::sessions::delete(tx.conn(), user, session).await? {
            return Ok(false);
        }
        let deed = users::deed(action, user, json!({ "session_id": session }));
        self.commit_sign_in(tx, act, person.organization_id(), deed)
            .await?;
        Ok(true)
    }

    /// Ends a change that no cache depends on: its event and the commit.
    pub(super) async fn commit_sign_in(
        &self,
        mut tx: Transaction,
        act: &Act,
        organization: OrganizationId,
        deed: Deed,
    ) -> Result<(), StorageError> {
        audit::record(&mut tx, &*self.clock, organization, act, deed).await?;
        tx.commit().await
    }
}
