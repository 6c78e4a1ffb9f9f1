//! What the forms of roles, attributes and row rules share.

use std::collections::BTreeSet;

use axum::response::{IntoResponse, Redirect, Response};
use http_api::errors::edit;
use key_admin::Permission;
use policy::{EditError, PartChange, PartName, PolicyDocument, PolicyFault, PolicyPart};
use serde::Deserialize;

use super::PATH;
use crate::failure::Failure;
use crate::field::FormErrors;
use crate::person::Person;
use crate::state::ConsoleState;

/// More names than this are typed, not ticked.
const MAX_TICKED: usize = 60;

/// What a removal posts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Removal {
    /// The policy's version, as it was read.
    pub(super) version: i64,
}

/// What else of the policy a form offers, and what is wrong with it.
pub(super) struct FormContext {
    /// The policy's version, as it was read.
    pub(super) version: i64,
    /// `None` for what is new.
    pub(super) name: Option<String>,
    pub(super) may_write: bool,
    pub(super) errors: FormErrors,
}

/// Why something was not saved.
pub(super) struct Refused {
    errors: FormErrors,
    /// The version that the next try may replace.
    version: Option<i64>,
}

impl FormContext {
    pub(super) fn new<M>(person: &Person<M>, version: i64, name: Option<String>) -> Self {
        Self {
            version,
            name,
            may_write: person.may(Permission::PolicyWrite),
            errors: FormErrors::default(),
        }
    }

    pub(super) fn refused(&mut self, refused: Refused) {
        self.errors = refused.errors;
        self.version = refused.version.unwrap_or(self.version);
    }
}

impl From<FormErrors> for Refused {
    fn from(errors: FormErrors) -> Self {
        Self {
            errors,
            version: None,
        }
    }
}

/// Names to tick, or to type where there are many.
pub(super) struct Ticks {
    /// The field.
    pub(super) field: &'static str,
    pub(super) legend: &'static str,
    pub(super) hint: &'static str,
    /// Each name, and whether it is chosen.
    pub(super) names: Vec<(String, bool)>,
    /// Those that are chosen, one on each line.
    pub(super) text: String,
    pub(super) is_text: bool,
}

impl Ticks {
    pub(super) fn new(
        (field, legend, hint): (&'static str, &'static str, &'static str),
        declared: impl Iterator<Item = String>,
        chosen: &[String],
    ) -> Self {
        let chosen: BTreeSet<String> = entries(chosen).collect();
        let all: BTreeSet<String> = declared.chain(chosen.iter().cloned()).collect();
        Self {
            field,
            legend,
            hint,
            is_text: all.len() > MAX_TICKED,
            text: Vec::from_iter(chosen.iter().cloned()).join("\n"),
            names: all
                .into_iter()
                .map(|name| (name.clone(), chosen.contains(&name)))
                .collect(),
        }
    }
}

/// What was ticked, or typed on lines.
pub(super) fn entries(fields: &[String]) -> impl Iterator<Item = String> {
    let lines = fields.iter().flat_map(|field| field.lines());
    let lines = lines.map(str::trim).filter(|line| !line.is_empty());
    lines.map(str::to_owned)
}

/// The names among fields, each checked.
pub(super) fn names<T: Ord, E: std::fmt::Display>(
    fields: &[String],
    parse: impl Fn(String) -> Result<T, E>,
) -> Result<BTreeSet<T>, String> {
    let parsed = entries(fields).map(|name| {
        let said = format!("`{name}`: ");
        parse(name).map_err(|error| format!("{said}{error}."))
    });
    parsed.collect()
}

/// A number that may be left out.
pub(super) fn whole(text: &str) -> Result<Option<u32>, String> {
    match text.trim() {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| format!("{text} is no whole number.")),
    }
}

pub(super) fn number(value: Option<u32>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Saves a part. `fields` says which field stands for which JSON pointer within the part.
pub(super) async fn save<M>(
    state: &ConsoleState,
    person: &Person<M>,
    version: i64,
    change: PartChange,
    fields: &[(&str, &str)],
) -> Result<Result<Response, Refused>, Failure> {
    let alone = match &change {
        PartChange::Create(part) | PartChange::Update(part) => part.alone(),
        PartChange::Delete(_) => PolicyDocument::default(),
    };
    let done = match &change {
        PartChange::Create(part) | PartChange::Update(part) => saved(&part.name()),
        PartChange::Delete(name) => removed(name),
    };
    let deletes = matches!(change, PartChange::Delete(_));
    let (act, organization) = (person.act(), person.organization_id());
    let policies = &state.services.policy;
    let changed = policies.change_part(&act, organization, Some(version), change);
    match changed.await {
        Ok(_) => Ok(Ok(
            Redirect::to(&format!("{PATH}?done={done}")).into_response()
        )),
        Err(EditError::Changed { current }) => Ok(Err(meanwhile(current))),
        Err(error) => {
            let problem = edit(error, |fault| place(fault, &alone));
            let mut errors = FormErrors::of_problem(problem, fields)?;
            if let (true, Some(text)) = (deletes, &errors.general) {
                let why = "It stays, for other parts of the policy name it. If it went:";
                errors.general = Some(format!("{why} {text}"));
            }
            Ok(Err(errors.into()))
        }
    }
}

/// The pointer of a fault within the one part that a document holds.
fn place(fault: &PolicyFault, alone: &PolicyDocument) -> Option<String> {
    let pointer = fault.pointer(alone)?;
    let inner = ["/roles/0", "/attributes/0", "/row_rules/0"];
    let inner = inner.iter().find_map(|part| pointer.strip_prefix(part));
    inner.map(str::to_owned)
}

fn meanwhile(current: i64) -> Refused {
    Refused {
        errors: FormErrors::whole(
            "Somebody has changed the policy since you opened this form, and nothing was saved. What you typed is \
             still here. Look at what the policy says now; if yours shall take its place, save again.",
        ),
        version: Some(current),
    }
}

const fn saved(name: &PartName) -> &'static str {
    match name {
        PartName::Role(_) => "role-saved",
        PartName::Attribute(_) => "attribute-saved",
        PartName::RowRule(_) => "row-rule-saved",
    }
}

const fn removed(name: &PartName) -> &'static str {
    match name {
        PartName::Role(_) => "role-deleted",
        PartName::Attribute(_) => "attribute-deleted",
        PartName::RowRule(_) => "row-rule-deleted",
    }
}

/// Makes it, or changes what is there.
pub(super) fn put(part: PolicyPart, is_new: bool) -> PartChange {
    if is_new {
        PartChange::Create(part)
    } else {
        PartChange::Update(part)
    }
}
