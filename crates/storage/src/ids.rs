//! Identifiers. All are UUID version 7 (RFC 9562): unguessable enough to be unique, ordered by time so that they
//! index well. They are no secrets.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::{ContextV7, Uuid};

use crate::Clock;

/// The text is no identifier of the expected kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier of this kind")]
pub struct InvalidId;

/// Orders identifiers that this process makes within one millisecond.
static SEQUENCE: Mutex<ContextV7> = Mutex::new(ContextV7::new());

fn new_uuid(clock: &dyn Clock) -> Uuid {
    let micros = clock.now().unix_micros().max(0).unsigned_abs();
    let seconds = micros / 1_000_000;
    let nanos = u32::try_from(micros % 1_000_000).unwrap_or(0) * 1_000;
    let sequence = SEQUENCE.lock().unwrap_or_else(PoisonError::into_inner);
    Uuid::new_v7(uuid::Timestamp::from_unix(&*sequence, seconds, nanos))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
        #[sqlx(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh identifier, stamped with the clock's time.
            pub fn new(clock: &dyn Clock) -> Self {
                Self(new_uuid(clock))
            }

            /// The identifier of this UUID, which was one before.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID itself.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), TextForm::of($prefix, self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let rest = text.strip_prefix($prefix).ok_or(InvalidId)?;
                let id = Uuid::try_parse(rest).map_err(|_| InvalidId)?;
                // One text per identifier: other spellings that the parser knows are refused.
                if TextForm::of($prefix, id).to_string() == rest { Ok(Self(id)) } else { Err(InvalidId) }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

/// Behind a prefix the UUID needs no hyphens; without one it keeps its usual form.
enum TextForm {
    Simple(Uuid),
    Hyphenated(Uuid),
}

impl TextForm {
    fn of(prefix: &str, id: Uuid) -> Self {
        if prefix.is_empty() {
            Self::Hyphenated(id)
        } else {
            Self::Simple(id)
        }
    }
}

impl fmt::Display for TextForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simple(id) => fmt::Display::fmt(&id.simple(), f),
            Self::Hyphenated(id) => fmt::Display::fmt(&id.hyphenated(), f),
        }
    }
}

id!(
    /// An organization, the unit of isolation: `org_` and 32 hex digits.
    OrganizationId,
    "org_"
);
id!(
    /// Whoever can own API keys, a user or a service account: `own_` and 32 hex digits.
    PrincipalId,
    "own_"
);
id!(
    /// An audience: `aud_` and 32 hex digits.
    AudienceId,
    "aud_"
);
id!(
    /// One issued token, its `jti`: a plain UUID, as verifiers expect it.
    SessionId,
    ""
);

fn first_uuid_at(at: crate::Timestamp) -> Uuid {
    const MAX_MILLIS: u64 = (1 << 48) - 1;
    let millis = at.unix_micros().max(0).unsigned_abs() / 1_000;
    uuid::Builder::from_unix_timestamp_millis(millis.min(MAX_MILLIS), &[0; 10]).into_uuid()
}

impl SessionId {
    /// The least identifier that can be made at this time or later, by a clock that never goes back.
    pub fn first_at(at: crate::Timestamp) -> Self {
        Self(first_uuid_at(at))
    }

    /// The millisecond at which it was made, since the Unix epoch.
    pub fn unix_millis(self) -> i64 {
        let made_at = self.as_uuid().get_timestamp().map(|at| at.to_unix());
        let millis = made_at.map(|(seconds, nanos)| seconds * 1_000 + u64::from(nanos) / 1_000_000);
        millis
            .and_then(|millis| i64::try_from(millis).ok())
            .unwrap_or(0)
    }
}

id!(
    /// One event of the audit trail: `evt_` and 32 hex digits. Later events have greater ids.
    AuditEventId,
    "evt_"
);
id!(
    /// One sign-in to the console, from its beginning to its end: `cse_` and 32 hex digits. It is no secret.
    ConsoleSessionId,
    "cse_"
);
id!(
    /// One run of the server: `nod_` and 32 hex digits.
    NodeId,
    "nod_"
);
id!(
    /// One HTTP request, in logs and answers: `req_` and 32 hex digits.
    RequestId,
    "req_"
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ManualClock, SystemClock, Timestamp};

    #[test]
    fn text_form_has_the_prefix_and_reads_back() {
        let id = OrganizationId::new(&SystemClock);
        let text = id.to_string();
        assert!(text.starts_with("org_") && text.len() == 36, "{text}");
        assert_eq!(text.parse(), Ok(id));
        for other in [
            text.replace("org_", "own_"),
            text.to_uppercase(),
            format!("org_{}", id.as_uuid()),
        ] {
            assert_eq!(other.parse::<OrganizationId>(), Err(InvalidId), "{other}");
        }
    }

    #[test]
    fn later_identifiers_are_greater_even_within_a_millisecond() {
        let clock = ManualClock::at(Timestamp::from_unix_seconds(1_800_000_000));
        let ids: Vec<_> = (0..1000).map(|_| OrganizationId::new(&clock)).collect();
        assert!(ids.is_sorted());
    }

    #[test]
    fn the_first_session_id_of_a_time_is_the_least_of_its_millisecond() {
        let at = |micros: i64| Timestamp::from_unix_micros(1_800_000_000_000_000 + micros);
        let first = SessionId::first_at(at(0));
        let millis = format!("{:012x}", 1_800_000_000_000_u64);
        let (high, low) = millis.split_at(8);
        assert_eq!(
            first.to_string(),
            format!("{high}-{low}-7000-8000-000000000000")
        );
        assert!(SessionId::first_at(at(-1_000)) < first && first == SessionId::first_at(at(999)));
        assert!(SessionId::first_at(Timestamp::from_unix_micros(i64::MIN)) < first);
        assert!(first < SessionId::first_at(Timestamp::from_unix_micros(i64::MAX)));
    }

    #[test]
    fn a_session_id_is_a_plain_version_7_uuid_of_its_time() {
        let clock = ManualClock::at(Timestamp::from_unix_seconds(1_800_000_000));
        let id = SessionId::new(&clock);
        assert_eq!(id.as_uuid().get_version_num(), 7);
        assert_eq!(
            id.as_uuid().get_timestamp().map(|t| t.to_unix().0),
            Some(1_800_000_000)
        );
        assert_eq!(id.unix_millis(), 1_800_000_000_000);
        let later = SessionId::first_at(Timestamp::from_unix_micros(1_800_000_000_123_999));
        assert_eq!(later.unix_millis(), 1_800_000_000_123);
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}
