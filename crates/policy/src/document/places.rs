//! Where in a YAML text the parts of a document stand: faults of a policy have JSON pointers, and people read lines.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::fault::{Position, check_length};
use super::yaml::options;

/// A value as far as it has places in it.
enum Node {
    Object(Vec<(String, Spanned<Node>)>),
    List(Vec<Spanned<Node>>),
    Scalar,
}

/// Where in a YAML text, which JSON is as well, these JSON pointers (RFC 6901) lead. What is not there is where its
/// surroundings begin. `None` for all if the text is none that [`PolicyDocument::from_yaml`](crate::PolicyDocument::from_yaml)
/// would look at.
pub fn positions_in_yaml(text: &str, pointers: &[String]) -> Vec<Option<Position>> {
    let root = match check_length(text) {
        Ok(()) => read(text),
        Err(_) => None,
    };
    let found = pointers.iter().map(|pointer| {
        let root = root.as_ref()?;
        Some(position(root, pointer))
    });
    found.collect()
}

fn read(text: &str) -> Option<Spanned<Node>> {
    let read = serde_saphyr::with_deserializer_from_str_with_options(text, options(), |yaml| {
        Spanned::<Node>::deserialize(yaml)
    });
    read.ok()
}

fn position(root: &Spanned<Node>, pointer: &str) -> Position {
    let mut node = root;
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        let next = match &node.value {
            Node::Object(members) => {
                let mut members = members.iter();
                members.find(|(name, _)| *name == part).map(|(_, it)| it)
            }
            Node::List(items) => part.parse().ok().and_then(|at: usize| items.get(at)),
            Node::Scalar => None,
        };
        match next {
            Some(next) => node = next,
            None => break,
        }
    }
    Position {
        line: node.referenced.line(),
        column: node.referenced.column(),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts;

        macro_rules! scalars {
            ($($visit:ident: $type:ty),*) => {
                $(fn $visit<E>(self, _: $type) -> Result<Node, E> {
                    Ok(Node::Scalar)
                })*
            };
        }

        impl<'de> Visitor<'de> for Parts {
            type Value = Node;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("any value")
            }

            scalars!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_i128: i128,
                     visit_u128: u128, visit_str: &str, visit_bytes: &[u8]);

            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Scalar)
            }

            fn visit_none<E>(self) -> Result<Node, E> {
                Ok(Node::Scalar)
            }

            fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Node, D::Error> {
                inner.deserialize_any(Self)
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                inner: D,
            ) -> Result<Node, D::Error> {
                inner.deserialize_any(Self)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
                let mut all = Vec::new();
                while let Some(item) = items.next_element()? {
                    all.push(item);
                }
                Ok(Node::List(all))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
                let mut all = Vec::new();
                while let Some(name) = members.next_key::<Option<String>>()? {
                    match name {
                        Some(name) => all.push((name, members.next_value()?)),
                        None => {
                            members.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(Node::Object(all))
            }
        }

        deserializer.deserialize_any(Parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_leads_to_its_line_and_column() {
        let text = "# a comment\nroles:\n  - name: viewer\n    inherits: [ghost, other]\n\n  - name: editor\n\
                    row_rules:\n  - name: a\n    where:\n      any:\n        - column: x\n        - {column: y, value: 5}\n";
        let table = [
            ("/roles/0/inherits", (4, 15)),
            ("/roles/0/inherits/1", (4, 23)),
            ("/roles/1/name", (6, 11)),
            ("/row_rules/0/where/any/1/value", (12, 31)),
            // What is not there is where its role begins.
            ("/roles/1/inherits", (6, 5)),
        ];
        for (pointer, (line, column)) in table {
            let found = positions_in_yaml(text, &[pointer.to_owned()]);
            assert_eq!(found, [Some(Position { line, column })], "{pointer}");
        }
    }

    #[test]
    fn names_with_slashes_are_found_in_json() {
        let text = "{\n  \"https://a/b~c\": { \"x\": [1, 2] }\n}";
        let found = positions_in_yaml(text, &["/https:~1~1a~1b~0c/x/1".to_owned()]);
        assert_eq!(
            found,
            [Some(Position {
                line: 2,
                column: 33
            })]
        );
    }

    #[test]
    fn what_is_no_document_has_no_places() {
        for text in ["roles: [", "roles: &a []\n"] {
            let found = positions_in_yaml(text, &["/roles".to_owned()]);
            assert_eq!(found, [None], "{text}");
        }
    }
}
