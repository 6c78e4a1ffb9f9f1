//! A value of an attribute that sessions are looked for by, in every form that a row can have it in.
//!
//! As it is or as a hash: an attribute can be declared sensitive, or not any more, after a token was issued.

use policy::PolicySnapshot;
use serde_json::{Map, Value};

use super::store::search::Needles;
use super::{OrganizationHasher, canonical, hashes};

/// A value that is looked for.
pub(super) struct Wanted {
    name: String,
    plain: Vec<String>,
    hashed: Vec<String>,
    needles: Needles,
}

impl Wanted {
    /// What somebody wrote, who cannot tell a text from a number or boolean. It is looked for as tokens carry it; where
    /// the policy does not say how they do, as it is written.
    pub(super) fn written(
        name: &str,
        value: &str,
        policy: &PolicySnapshot,
        hasher: &OrganizationHasher,
    ) -> Self {
        let carried = |value: Value| policy.as_carried(name, &value).unwrap_or(value);
        let text = carried(value.into());
        let other: Option<Value> = serde_json::from_str(value).ok();
        let other = other.filter(|it| it.is_number() || it.is_boolean());
        match other.map(carried) {
            Some(other) => Self::any(name, &[text, other], hasher),
            None => Self::any(name, &[text], hasher),
        }
    }

    /// Exactly this value.
    pub(super) fn exactly(name: &str, value: &Value, hasher: &OrganizationHasher) -> Self {
        Self::any(name, std::slice::from_ref(value), hasher)
    }

    fn any(name: &str, values: &[Value], hasher: &OrganizationHasher) -> Self {
        let plain: Vec<String> = values.iter().map(canonical).collect();
        let hashed: Vec<String> = values.iter().map(|it| hasher.hash(name, it)).collect();
        Self {
            name: name.to_owned(),
            needles: Needles {
                name: format!("{}:", Value::from(name)),
                value: needle(values),
                hash: hashed.first().cloned().unwrap_or_default(),
                other_hash: hashed.last().cloned().unwrap_or_default(),
            },
            plain,
            hashed,
        }
    }

    /// The texts by which the database narrows down.
    pub(super) fn needles(&self) -> &Needles {
        &self.needles
    }

    /// Is it in these attributes, as they are stored?
    pub(super) fn is_in(&self, attributes: &Map<String, Value>) -> bool {
        let Some(value) = attributes.get(&self.name) else {
            return false;
        };
        if let Some(hashes) = hashes(value) {
            return hashes
                .iter()
                .any(|hash| self.hashed.iter().any(|wanted| wanted == hash));
        }
        let items = match value {
            Value::Array(items) => items.as_slice(),
            value => std::slice::from_ref(value),
        };
        items
            .iter()
            .any(|item| self.plain.contains(&canonical(item)))
    }
}

/// What each row with one of these values has in its text; `None` where there is no one such text. A number may be written
/// in more ways than one there, but for whole ones.
fn needle(values: &[Value]) -> Option<String> {
    let texts = values.iter().map(|value| match value {
        Value::String(_) => {
            let quoted = value.to_string();
            quoted.get(1..quoted.len() - 1).map(ToOwned::to_owned)
        }
        Value::Number(number) if !(number.is_i64() || number.is_u64()) => None,
        value => Some(value.to_string()),
    });
    let texts: Option<Vec<String>> = texts.collect();
    let mut texts = texts?;
    texts.dedup();
    if texts.len() == 1 { texts.pop() } else { None }
}
