//! JSON that keeps the order of members. What it describes is read by people and becomes the fields of generated clients,
//! so that an id comes first.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Number;

/// The members of an object.
pub(super) type Members = IndexMap<String, Node>;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Members),
}

impl Node {
    /// An object of these members.
    pub(super) fn map<const N: usize>(members: [(&str, Self); N]) -> Self {
        let members = members.map(|(name, value)| (name.to_owned(), value));
        Self::Map(members.into_iter().collect())
    }

    /// A member; `None` where this is no object or has none of this name.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.members()?.get(name)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        self.members_mut()?.get_mut(name)
    }

    pub(super) fn members(&self) -> Option<&Members> {
        match self {
            Self::Map(members) => Some(members),
            _ => None,
        }
    }

    pub(super) fn members_mut(&mut self) -> Option<&mut Members> {
        match self {
            Self::Map(members) => Some(members),
            _ => None,
        }
    }

    /// The values of an object, or the items of a list.
    pub(super) fn children_mut(&mut self) -> Vec<&mut Self> {
        match self {
            Self::Map(members) => members.values_mut().collect(),
            Self::List(items) => items.iter_mut().collect(),
            _ => Vec::new(),
        }
    }

    /// The items of a list; none where this is no list.
    pub(super) fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// A text; empty where this is none.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u16> for Node {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}
