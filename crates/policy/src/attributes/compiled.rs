//! A declaration made ready to judge values.

use std::collections::{BTreeMap, BTreeSet};

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::{
    declaration::{
        AttributeDeclaration, DeclarationFault, MAX_ALLOWED_VALUES, MAX_ITEMS, MAX_LENGTH,
        MAX_PATTERN_LENGTH, Normalization,
    },
    value::{AttributeValue, Scalar, ValueType},
};
use crate::{
    AttributeKind,
    decision::ReasonCode,
    fault::is_description,
    name::{AttributeName, RoleName},
    text::{is_blank, misleads},
};

/// The largest compiled pattern, in bytes. `\w+` or `[a-z0-9-]{1,255}` need a fraction of it; `\w{1,64}`, which
/// spells out all letters of all scripts 64 times, needs more.
const PATTERN_SIZE_LIMIT: usize = 1 << 20;

/// A checked declaration with its pattern and allowed values compiled.
#[derive(Clone, Debug)]
pub(crate) struct CompiledAttribute {
    declaration: AttributeDeclaration,
    pattern: Option<Regex>,
    allowed: Option<Vec<Scalar>>,
    defaults: BTreeMap<RoleName, AttributeValue>,
}

/// Why a value does not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ValueFault {
    /// What is wrong.
    pub(crate) code: ReasonCode,
    /// Which item of a list it is about. `None`: the whole value.
    pub(crate) item: Option<usize>,
    /// The same in English, without the value.
    pub(crate) detail: String,
}

impl CompiledAttribute {
    /// Checks a declaration and makes it ready, or tells all that is wrong with it.
    pub(crate) fn new(declaration: AttributeDeclaration) -> Result<Self, Vec<DeclarationFault>> {
        let mut faults = Vec::new();
        if !is_description(&declaration.description) {
            faults.push(DeclarationFault::Description);
        }
        if declaration.sensitive && !declaration.from_role.is_empty() {
            faults.push(DeclarationFault::SensitiveDefault);
        }
        if !(1..=MAX_LENGTH).contains(&declaration.max_length) {
            faults.push(DeclarationFault::MaxLengthOutOfRange);
        }
        if !(1..=MAX_ITEMS).contains(&declaration.max_items) {
            faults.push(DeclarationFault::MaxItemsOutOfRange);
        }
        let pattern = compile_pattern(&declaration).unwrap_or_else(|fault| {
            faults.push(fault);
            None
        });
        let mut compiled = Self {
            declaration,
            pattern,
            allowed: None,
            defaults: BTreeMap::new(),
        };
        if !compiled.declaration.normalize.is_empty()
            && compiled.declaration.value_type != ValueType::String
        {
            faults.push(DeclarationFault::NormalizeNotForType);
        }
        match compiled.compile_allowed_values() {
            Ok(allowed) => compiled.allowed = allowed,
            Err(unusable) => faults.extend(unusable),
        }
        match compiled.compile_defaults() {
            Ok(defaults) => compiled.defaults = defaults,
            Err(unusable) => faults.extend(unusable),
        }
        if faults.is_empty() {
            Ok(compiled)
        } else {
            Err(faults)
        }
    }

    /// The attribute's name.
    pub(crate) fn name(&self) -> &AttributeName {
        &self.declaration.name
    }

    /// Whether every token must carry the attribute.
    pub(crate) fn is_required(&self) -> bool {
        self.declaration.required
    }

    /// Whether its values are kept from logs, the audit trail and lists.
    pub(crate) fn is_sensitive(&self) -> bool {
        self.declaration.sensitive
    }

    /// The attributes that a token with this one must carry as well.
    pub(crate) fn requires(&self) -> &BTreeSet<AttributeName> {
        &self.declaration.requires
    }

    /// What kind of value it has.
    pub(crate) fn kind(&self) -> AttributeKind {
        AttributeKind {
            value_type: self.declaration.value_type,
            list: self.declaration.list,
        }
    }

    /// The value that a role gives by itself.
    pub(crate) fn default_of(&self, role: &RoleName) -> Option<&AttributeValue> {
        self.defaults.get(role)
    }

    /// Are values judged, and normalized, in the same way?
    pub(crate) fn judges_like(&self, other: &Self) -> bool {
        let judging = |it: &AttributeDeclaration| AttributeDeclaration {
            required: false,
            sensitive: false,
            requires: BTreeSet::new(),
            from_role: BTreeMap::new(),
            description: String::new(),
            ..it.clone()
        };
        judging(&self.declaration) == judging(&other.declaration)
    }

    /// The values, or items of a list, that the declaration names.
    pub(crate) fn named_values(&self) -> Vec<Scalar> {
        let given = self.defaults.values().flat_map(AttributeValue::items);
        self.allowed
            .iter()
            .flatten()
            .chain(given)
            .cloned()
            .collect()
    }

    /// The roles that give a value.
    pub(crate) fn roles_with_default(&self) -> impl Iterator<Item = &RoleName> {
        self.declaration.from_role.keys()
    }

    /// Judges `json`: the typed value, or all that is wrong with it.
    pub(crate) fn read(&self, json: &Value) -> Result<AttributeValue, Vec<ValueFault>> {
        match json {
            Value::Array(items) if items.is_empty() => {
                Err(vec![self.fault(ReasonCode::AttributeEmpty, None)])
            }
            Value::Array(items) if self.declaration.list => self.read_list(items),
            json if self.declaration.list && restricts_nothing(json).is_none() => {
                Err(vec![self.fault(ReasonCode::AttributeType, None)])
            }
            json => self
                .read_item(json)
                .map(AttributeValue::scalar)
                .map_err(|codes| {
                    codes
                        .into_iter()
                        .map(|code| self.fault(code, None))
                        .collect()
                }),
        }
    }

    /// Items beyond the limit are counted, not examined.
    fn read_list(&self, items: &[Value]) -> Result<AttributeValue, Vec<ValueFault>> {
        let limit = usize::try_from(self.declaration.max_items).unwrap_or(usize::MAX);
        let mut faults = Vec::new();
        if items.len() > limit {
            faults.push(self.fault(ReasonCode::AttributeTooManyItems, None));
        }
        let mut values = Vec::with_capacity(items.len().min(limit));
        for (index, item) in items.iter().take(limit).enumerate() {
            match self.read_item(item) {
                Ok(value) => values.push(value),
                Err(codes) => {
                    faults.extend(codes.into_iter().map(|code| self.fault(code, Some(index))));
                }
            }
        }
        if faults.is_empty() {
            Ok(AttributeValue::list(values))
        } else {
            Err(faults)
        }
    }

    /// Judges one item of a list, or the value of an attribute that is none.
    pub(crate) fn read_item(&self, json: &Value) -> Result<Scalar, Vec<ReasonCode>> {
        if let Some(code) = restricts_nothing(json) {
            return Err(vec![code]);
        }
        let value = self.typed(json).ok_or(vec![ReasonCode::AttributeType])?;
        let mut codes = match &value {
            Scalar::String(text) if is_blank(text) => return Err(vec![ReasonCode::AttributeEmpty]),
            Scalar::String(text) => self.text_faults(text),
            _ => Vec::new(),
        };
        if self
            .allowed
            .as_ref()
            .is_some_and(|allowed| !allowed.contains(&value))
        {
            codes.push(ReasonCode::AttributeValueNotAllowed);
        }
        if codes.is_empty() {
            Ok(value)
        } else {
            Err(codes)
        }
    }

    /// One item, or the value, as tokens carry it: of the declared type and normalized, but not judged any further.
    /// `None`: it is of another type, or blank.
    pub(crate) fn as_carried(&self, json: &Value) -> Option<Scalar> {
        let value = self.typed(json)?;
        let is_blank = matches!(&value, Scalar::String(text) if is_blank(text));
        (!is_blank).then_some(value)
    }

    fn typed(&self, json: &Value) -> Option<Scalar> {
        let value = self.declaration.value_type.read(json)?;
        self.normalize(value)
    }

    /// `None`: it is not what a normalization can read.
    fn normalize(&self, value: Scalar) -> Option<Scalar> {
        let Scalar::String(mut text) = value else {
            return Some(value);
        };
        for step in &self.declaration.normalize {
            text = match step {
                Normalization::Trim => text.trim().to_owned(),
                Normalization::CaseFold => text.to_lowercase(),
                Normalization::Uuid => uuid::Uuid::try_parse(&text).ok()?.hyphenated().to_string(),
            };
        }
        Some(Scalar::String(text))
    }

    fn text_faults(&self, text: &str) -> Vec<ReasonCode> {
        let mut codes = Vec::new();
        if misleads(text) {
            codes.push(ReasonCode::AttributeCharacters);
        }
        let limit = usize::try_from(self.declaration.max_length).unwrap_or(usize::MAX);
        if text.chars().nth(limit).is_some() {
            // The pattern is left out: it never runs over more than the longest text that can pass.
            codes.push(ReasonCode::AttributeTooLong);
        } else if self
            .pattern
            .as_ref()
            .is_some_and(|pattern| !pattern.is_match(text))
        {
            codes.push(ReasonCode::AttributePattern);
        }
        codes
    }

    fn compile_allowed_values(&self) -> Result<Option<Vec<Scalar>>, Vec<DeclarationFault>> {
        let Some(given) = &self.declaration.allowed_values else {
            return Ok(None);
        };
        if given.is_empty() {
            return Err(vec![DeclarationFault::AllowedValuesEmpty]);
        }
        if given.len() > MAX_ALLOWED_VALUES {
            return Err(vec![DeclarationFault::AllowedValuesTooMany]);
        }
        let mut faults = Vec::new();
        let mut allowed = Vec::with_capacity(given.len());
        for (index, json) in given.iter().enumerate() {
            match self.read_item(json) {
                Ok(value) => allowed.push(value),
                Err(codes) => faults.extend(
                    codes
                        .into_iter()
                        .map(|code| DeclarationFault::AllowedValueUnusable { index, code }),
                ),
            }
        }
        if faults.is_empty() {
            Ok(Some(allowed))
        } else {
            Err(faults)
        }
    }

    fn compile_defaults(
        &self,
    ) -> Result<BTreeMap<RoleName, AttributeValue>, Vec<DeclarationFault>> {
        let mut faults = Vec::new();
        let mut defaults = BTreeMap::new();
        for (role, json) in &self.declaration.from_role {
            match self.read(json) {
                Ok(value) => {
                    defaults.insert(role.clone(), value);
                }
                Err(found) => faults.extend(found.into_iter().map(|fault| {
                    DeclarationFault::DefaultUnusable {
                        role: role.clone(),
                        code: fault.code,
                    }
                })),
            }
        }
        if faults.is_empty() {
            Ok(defaults)
        } else {
            Err(faults)
        }
    }

    fn fault(&self, code: ReasonCode, item: Option<usize>) -> ValueFault {
        let declaration = &self.declaration;
        let what = match item {
            None => format!("Attribute `{}`", declaration.name),
            Some(_) => format!("This item of attribute `{}`", declaration.name),
        };
        let problem = match code {
            ReasonCode::AttributeNull => "is null, which would restrict nothing.".to_owned(),
            ReasonCode::AttributeEmpty => "is empty, which would restrict nothing.".to_owned(),
            ReasonCode::AttributeType if declaration.list && item.is_none() => {
                format!("must be a list; each item {}.", declaration.value_type)
            }
            ReasonCode::AttributeType if declaration.normalize.contains(&Normalization::Uuid) => {
                "must be a UUID.".to_owned()
            }
            ReasonCode::AttributeType => format!("must be {}.", declaration.value_type),
            ReasonCode::AttributeCharacters => "must not contain control characters.".to_owned(),
            ReasonCode::AttributeTooLong => {
                format!("must have at most {} characters.", declaration.max_length)
            }
            ReasonCode::AttributeTooManyItems => {
                format!("must have at most {} items.", declaration.max_items)
            }
            ReasonCode::AttributePattern => "does not match the declared pattern.".to_owned(),
            _ => "is not one of the declared allowed values.".to_owned(),
        };
        ValueFault {
            code,
            item,
            detail: format!("{what} {problem}"),
        }
    }
}

/// The reason why `json` would restrict no rows, whatever its declaration.
fn restricts_nothing(json: &Value) -> Option<ReasonCode> {
    match json {
        Value::Null => Some(ReasonCode::AttributeNull),
        Value::String(text) if is_blank(text) => Some(ReasonCode::AttributeEmpty),
        Value::Array(items) if items.is_empty() => Some(ReasonCode::AttributeEmpty),
        _ => None,
    }
}

/// Compiles the pattern alone before it is anchored: `a)|(?:b` must fail, not escape from the anchors.
fn compile_pattern(declaration: &AttributeDeclaration) -> Result<Option<Regex>, DeclarationFault> {
    let Some(pattern) = &declaration.pattern else {
        return Ok(None);
    };
    if declaration.value_type != ValueType::String {
        return Err(DeclarationFault::PatternNotForType);
    }
    if pattern.chars().count() > MAX_PATTERN_LENGTH {
        return Err(DeclarationFault::PatternTooLong);
    }
    if misleads(pattern) {
        return Err(DeclarationFault::PatternCharacters);
    }
    regex_of_limited_size(pattern)
        .and_then(|_| regex_of_limited_size(&format!("^(?:{pattern})$")))
        .map(Some)
        .map_err(|error| DeclarationFault::PatternInvalid {
            detail: error.to_string(),
        })
}

fn regex_of_limited_size(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .size_limit(PATTERN_SIZE_LIMIT)
        .dfa_size_limit(PATTERN_SIZE_LIMIT)
        .build()
}

#[cfg(test)]
#[path = "compiled_tests.rs"]
mod tests;
