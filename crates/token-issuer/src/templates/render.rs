//! Claims from a compiled template.

use serde_json::{Map, Value};

use super::compile::{Member, Node, Text};
use super::context::TemplateContext;
use super::faults::TemplateError;
use super::reference::Resolved;

/// Adds the members to `object`, but for those that are left out.
pub(super) fn members(
    members: &[Member],
    context: &TemplateContext<'_>,
    object: &mut Map<String, Value>,
) -> Result<(), TemplateError> {
    for member in members {
        if let Some(value) = value(&member.node, context)? {
            object.insert(member.name.clone(), value);
        }
    }
    Ok(())
}

/// `None`: to be left out. Only members of objects can be; the compiler saw to it.
fn value(node: &Node, context: &TemplateContext<'_>) -> Result<Option<Value>, TemplateError> {
    Ok(Some(match node {
        Node::Literal(value) => value.clone(),
        Node::Reference(reference) => {
            return Ok(reference.resolve(context)?.map(Resolved::into_json));
        }
        Node::Text(parts) => Value::String(text(parts, context)?),
        Node::List(items) => {
            let mut values = Vec::with_capacity(items.len());
            for item in items {
                values.extend(value(item, context)?);
            }
            Value::Array(values)
        }
        Node::Object(inner) => {
            let mut object = Map::new();
            members(inner, context, &mut object)?;
            Value::Object(object)
        }
    }))
}

fn text(parts: &[Text], context: &TemplateContext<'_>) -> Result<String, TemplateError> {
    let mut text = String::new();
    for part in parts {
        match part {
            Text::Literal(literal) => text.push_str(literal),
            Text::Reference(reference) => match reference.resolve(context)? {
                Some(Resolved::Scalar(item)) => text.push_str(&item.as_text()),
                Some(Resolved::List(_) | Resolved::Structure(_)) => {
                    return Err(TemplateError::NotScalar {
                        reference: reference.name.to_string(),
                    });
                }
                None => {
                    return Err(TemplateError::Missing {
                        reference: reference.name.to_string(),
                    });
                }
            },
        }
    }
    Ok(text)
}
