//! The limits of a key as they are typed, on their way into the API's JSON.

use std::collections::BTreeMap;

use anyhow::anyhow;
use clap::ValueEnum;
use serde_json::{Map, Value, json};

use crate::cli::{LimitArgs, LimitFlag};
use crate::failure::Failure;

/// What is said about each limit; one that is absent is not spoken of.
pub(super) type Limits = BTreeMap<LimitFlag, Value>;

/// What a list of flags says.
pub(super) fn given(args: &LimitArgs) -> Result<Limits, Failure> {
    let fixed = fixed_attributes(&args.fixed)?;
    let allowed = allowed_attributes(&args.allowed)?;
    let all = [
        (LimitFlag::Role, some(&args.roles)),
        (LimitFlag::Audience, some(&args.audiences)),
        (LimitFlag::Fix, (!fixed.is_empty()).then(|| json!(fixed))),
        (
            LimitFlag::Allow,
            (!allowed.is_empty()).then(|| json!(allowed)),
        ),
        (LimitFlag::MaxTtl, args.max_ttl.map(Value::from)),
        (LimitFlag::Network, some(&args.networks)),
        (
            LimitFlag::RateLimit,
            args.rate_limit.map(|limit| json!(limit)),
        ),
    ];
    let given = all.into_iter();
    Ok(given
        .filter_map(|(limit, value)| Some((limit, value?)))
        .collect())
}

fn some<T: serde::Serialize>(values: &[T]) -> Option<Value> {
    (!values.is_empty()).then(|| json!(values))
}

/// The same with these limits taken away. What is set and taken away at once is a mistake.
pub(super) fn with_lifted(mut limits: Limits, lifted: &[LimitFlag]) -> Result<Limits, Failure> {
    for limit in lifted {
        if let Some(value) = limits.insert(*limit, Value::Null)
            && !value.is_null()
        {
            let flag = limit.to_possible_value().unwrap_or_default();
            let flag = flag.get_name();
            return Err(Failure::input(anyhow!(
                "--{flag} sets what --lift {flag} takes away"
            )));
        }
    }
    Ok(limits)
}

/// A ceiling with what is said about it; everything else in it stays.
pub(super) fn applied(limits: &Limits, mut ceiling: Map<String, Value>) -> Map<String, Value> {
    for (limit, value) in limits {
        match member_of_ceiling(*limit) {
            Some(member) if value.is_null() => drop(ceiling.remove(member)),
            Some(member) => drop(ceiling.insert(member.into(), value.clone())),
            None => {}
        }
    }
    ceiling
}

/// Is anything said about the ceiling?
pub(super) fn touch_the_ceiling(limits: &Limits) -> bool {
    limits
        .keys()
        .any(|limit| member_of_ceiling(*limit).is_some())
}

fn member_of_ceiling(limit: LimitFlag) -> Option<&'static str> {
    match limit {
        LimitFlag::Role => Some("roles"),
        LimitFlag::Audience => Some("audiences"),
        LimitFlag::Fix => Some("fixed_attributes"),
        LimitFlag::Allow => Some("allowed_attributes"),
        LimitFlag::MaxTtl => Some("max_ttl_seconds"),
        LimitFlag::Network | LimitFlag::RateLimit => None,
    }
}

/// The values that `--fix` gives.
fn fixed_attributes(pairs: &[String]) -> Result<BTreeMap<String, Value>, Failure> {
    attributes_of("--fix", pairs)
}

/// The values that a flag gives, each attribute once.
pub(in crate::commands) fn attributes_of(
    flag: &str,
    pairs: &[String],
) -> Result<BTreeMap<String, Value>, Failure> {
    let mut attributes = BTreeMap::new();
    for pair in pairs {
        let (name, value) = attribute(flag, pair)?;
        if attributes.contains_key(&name) {
            return Err(Failure::input(anyhow!("{flag} names `{name}` twice")));
        }
        attributes.insert(name, value);
    }
    Ok(attributes)
}

/// The values that `--allow` gives, each attribute's together.
fn allowed_attributes(pairs: &[String]) -> Result<BTreeMap<String, Vec<Value>>, Failure> {
    let mut attributes: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for pair in pairs {
        let (name, value) = attribute("--allow", pair)?;
        attributes.entry(name).or_default().push(value);
    }
    Ok(attributes)
}

/// `tenant_id=t-1` is a text, `regions:=["eu","us"]` is JSON.
fn attribute(flag: &str, pair: &str) -> Result<(String, Value), Failure> {
    let input = |fault: String| Failure::input(anyhow!(fault));
    let shape = || input(format!("{flag} takes NAME=TEXT or NAME:=JSON"));
    let (name, text) = pair.split_once('=').ok_or_else(shape)?;
    let (name, value) = match name.strip_suffix(':') {
        Some(name) => {
            let value = serde_json::from_str(text)
                .map_err(|error| input(format!("{flag} {name}:= takes JSON: {error}")))?;
            (name, value)
        }
        None => (name, Value::String(text.to_owned())),
    };
    if name.is_empty() {
        return Err(shape());
    }
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(pairs: &[&str]) -> Result<Value, String> {
        let pairs: Vec<String> = pairs.iter().map(|it| (*it).to_owned()).collect();
        let attributes = fixed_attributes(&pairs).map_err(|fault| fault.to_string())?;
        Ok(json!(attributes))
    }

    #[test]
    fn attributes_are_texts_unless_they_say_otherwise() {
        let given = [
            "a=7",
            "b:=7",
            "c:=[\"x\",1]",
            "d=x=y",
            "e=true",
            "f=",
            "g=[1]",
        ];
        let read = json!({ "a": "7", "b": 7, "c": ["x", 1], "d": "x=y", "e": "true", "f": "", "g": "[1]" });
        assert_eq!(fixed(&given), Ok(read));
        for bad in [&["a"][..], &["=x"], &[":=1"], &["a:=x"], &["a:="]] {
            assert!(fixed(bad).is_err(), "{bad:?}");
        }
        assert!(fixed(&["a=1", "a:=1"]).unwrap_err().contains("twice"));
        let allowed = ["r=eu", "r=us", "n:=1"].map(ToOwned::to_owned);
        let read = allowed_attributes(&allowed).map_err(|fault| fault.to_string());
        assert_eq!(json!(read.unwrap()), json!({ "n": [1], "r": ["eu", "us"] }));
    }

    #[test]
    fn what_is_not_spoken_of_stays() {
        let ceiling = json!({ "roles": ["a"], "max_ttl_seconds": 60, "later": [1] });
        let said = Limits::from([
            (LimitFlag::Role, Value::Null),
            (LimitFlag::Audience, json!(["x"])),
            (LimitFlag::Network, json!(["10.0.0.0/8"])),
        ]);
        let applied = applied(&said, ceiling.as_object().cloned().unwrap());
        let expected = json!({ "audiences": ["x"], "max_ttl_seconds": 60, "later": [1] });
        assert_eq!(Value::from(applied), expected);
        assert!(touch_the_ceiling(&said));
        let said = Limits::from([(LimitFlag::RateLimit, Value::Null)]);
        assert!(!touch_the_ceiling(&said));
    }

    #[test]
    fn nothing_is_set_and_taken_away_at_once() {
        let said = Limits::from([(LimitFlag::MaxTtl, json!(60))]);
        assert!(with_lifted(said.clone(), &[LimitFlag::MaxTtl]).is_err());
        let twice = [LimitFlag::Role, LimitFlag::Role];
        assert_eq!(with_lifted(said, &twice).unwrap().len(), 2);
    }
}
