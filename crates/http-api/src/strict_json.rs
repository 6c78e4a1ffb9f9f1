//! What is wrong with a text as JSON, before anybody looks at its meaning.
//!
//! Parsers disagree about duplicate keys (the last wins here, the first there), so a body with one could mean two
//! things to two programs; RFC 8259 section 4 only says that names *should* be unique. Jeton refuses them.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// The deepest nesting of objects and lists that is read.
pub const MAX_DEPTH: usize = 32;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonFault {
    /// Not UTF-8.
    Utf8,
    /// Not JSON.
    Syntax {
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
    },
    /// An object names a member twice.
    DuplicateKey,
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
}

/// Checks the text; the answer is the same text as a string.
pub fn check(body: &[u8]) -> Result<&str, JsonFault> {
    let text = std::str::from_utf8(body).map_err(|_| JsonFault::Utf8)?;
    let fault = Cell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let checked = Check {
        depth: 0,
        fault: &fault,
    }
    .deserialize(&mut deserializer)
    .and_then(|()| deserializer.end());
    match (checked, fault.get()) {
        (Ok(()), _) => Ok(text),
        (Err(_), Some(fault)) => Err(fault),
        (Err(error), None) => Err(JsonFault::Syntax {
            line: error.line(),
            column: error.column(),
        }),
    }
}

#[derive(Clone, Copy)]
struct Check<'a> {
    depth: usize,
    fault: &'a Cell<Option<JsonFault>>,
}

impl Check<'_> {
    fn fail<E: Error>(self, fault: JsonFault) -> E {
        self.fault.set(Some(fault));
        E::custom("refused")
    }

    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.fail(JsonFault::TooDeep));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }
}

impl<'de> DeserializeSeed<'de> for Check<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Check<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while items.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut seen = Seen::default();
        while let Some(key) = members.next_key_seed(Key)? {
            if !seen.insert(key) {
                return Err(self.fail(JsonFault::DuplicateKey));
            }
            members.next_value_seed(inner)?;
        }
        Ok(())
    }
}

/// The names of an object's members so far.
#[derive(Default)]
struct Seen<'de> {
    /// The first ones. Objects are small, and a look at each of a few costs less than hashing.
    few: Vec<Cow<'de, str>>,
    more: HashSet<Cow<'de, str>>,
}

/// How many names are looked at one by one.
const FEW: usize = 16;

impl<'de> Seen<'de> {
    /// Adds a name; false if it was there.
    fn insert(&mut self, name: Cow<'de, str>) -> bool {
        if self.few.contains(&name) {
            return false;
        }
        if self.few.len() < FEW {
            self.few.push(name);
            return true;
        }
        self.more.insert(name)
    }
}

/// The name of a member, borrowed from the text unless it has escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_passes() {
        for text in [
            "null",
            "-1.5e3",
            "[]",
            r#"{"a":{"a":[1,"x",true]},"b":18446744073709551615}"#,
            " {} \n",
        ] {
            assert_eq!(check(text.as_bytes()), Ok(text));
        }
    }

    #[test]
    fn duplicate_keys_are_found_however_they_are_written() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"[{"x":{"b":[],"c":0,"b":{}}}]"#,
        ] {
            assert_eq!(
                check(text.as_bytes()),
                Err(JsonFault::DuplicateKey),
                "{text}"
            );
        }
    }

    #[test]
    fn the_last_of_many_names_is_compared_with_all() {
        let object = |last: &str| {
            let names: Vec<_> = (0..3 * FEW).map(|number| format!("n{number}")).collect();
            let members = names.iter().map(String::as_str).chain([last]);
            let members: Vec<_> = members.map(|name| format!("{name:?}:0")).collect();
            format!("{{{}}}", members.join(","))
        };
        assert!(check(object("other").as_bytes()).is_ok());
        for number in 0..3 * FEW {
            let object = object(&format!("n{number}"));
            let found = check(object.as_bytes());
            assert_eq!(found, Err(JsonFault::DuplicateKey), "n{number}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(check(nested(MAX_DEPTH).as_bytes()).is_ok());
        for depth in [MAX_DEPTH + 1, 100, 200, 60_000] {
            assert_eq!(
                check(nested(depth).as_bytes()),
                Err(JsonFault::TooDeep),
                "{depth}"
            );
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            "{",
            "{}x",
            "{'a':1}",
            "[1,]",
            "NaN",
            "1e999",
            "\u{feff}{}",
            r#""\ud800""#,
            "// x",
            "01",
        ] {
            assert!(
                matches!(check(text.as_bytes()), Err(JsonFault::Syntax { .. })),
                "{text}"
            );
        }
        assert_eq!(check(b"\"\xff\""), Err(JsonFault::Utf8));
    }
}
