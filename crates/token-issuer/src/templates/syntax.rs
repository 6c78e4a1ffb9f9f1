//! `{{ reference | filter }}` in a string, taken apart.

use super::MAX_FILTERS;
use super::faults::Problem;
use super::filter::Filter;
use super::reference::{Reference, Shape, Source};

/// A part of a string.
#[derive(Debug)]
pub(super) enum Part<'t> {
    Literal(&'t str),
    /// What stands between the braces.
    Expression(&'t str),
}

/// Splits at `{{` and `}}`. Quoted braces, in the argument of a filter, do not count.
pub(super) fn split(text: &str) -> Result<Vec<Part<'_>>, Problem> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let end = end_of_expression(after).ok_or(Problem::Braces)?;
        push_literal(&mut parts, before)?;
        parts.push(Part::Expression(&after[..end]));
        rest = &after[end + 2..];
    }
    push_literal(&mut parts, rest)?;
    Ok(parts)
}

fn push_literal<'t>(parts: &mut Vec<Part<'t>>, text: &'t str) -> Result<(), Problem> {
    if text.contains("}}") {
        return Err(Problem::Braces);
    }
    if !text.is_empty() {
        parts.push(Part::Literal(text));
    }
    Ok(())
}

fn end_of_expression(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.bytes().enumerate().find_map(|(at, byte)| {
        quoted ^= byte == b'"';
        (!quoted && text.as_bytes()[at..].starts_with(b"}}")).then_some(at)
    })
}

/// Reads `reference? | filter | filter`, and checks that each filter can take what the one before gives.
pub(super) fn expression(text: &str) -> Result<Reference, Problem> {
    let mut steps = split_at_bars(text);
    let head = steps.next().unwrap_or_default();
    let (name, optional) = match head.strip_suffix('?') {
        Some(name) => (name, true),
        None => (head, false),
    };
    let (source, mut shape) = Source::parse(name)?;
    let mut filters = Vec::new();
    for step in steps {
        if filters.len() == MAX_FILTERS {
            return Err(Problem::TooManyFilters);
        }
        let filter = Filter::parse(step)?;
        shape = filter.result(shape).ok_or_else(|| Problem::FilterType {
            reference: name.to_owned(),
            filter: filter.name(),
        })?;
        filters.push(filter);
    }
    Ok(Reference {
        name: name.into(),
        source,
        optional,
        filters,
        shape,
    })
}

/// The trimmed pieces between bars that are not quoted.
fn split_at_bars(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |character| {
        quoted ^= character == '"';
        character == '|' && !quoted
    })
    .map(|piece| piece.trim_matches(' '))
}

impl Reference {
    /// Whether it can only be a scalar, or could be one.
    pub(super) fn may_be_scalar(&self) -> bool {
        matches!(self.shape, Shape::Text | Shape::Integer | Shape::Attribute)
    }
}
