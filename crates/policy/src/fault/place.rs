//! Where in a document a fault is, as a JSON pointer (RFC 6901).
//!
//! Names need no escapes there. Of two parts with one name, the later is meant.

use super::PolicyFault;
use crate::{
    PolicyDocument,
    attributes::DeclarationFault,
    name::{AttributeName, Identifier, RoleName},
    row_rules::RowRuleFault,
};

impl PolicyFault {
    /// Where the fault is in `document`; `None` when it is about something that the document does not hold.
    pub fn pointer(&self, document: &PolicyDocument) -> Option<String> {
        let role = |name, field| role(document, name, field);
        let attribute = |name, field: &str| attribute(document, name, field);
        match self {
            Self::TooManyRoles { .. }
            | Self::TooManyPermissions { .. }
            | Self::TooManyLinks { .. } => Some("/roles".to_owned()),
            Self::TooManyAttributes { .. } => Some("/attributes".to_owned()),
            Self::TooManyInherited { role: name }
            | Self::UnknownParent { role: name, .. }
            | Self::InheritanceCycle { role: name }
            | Self::InheritanceTooDeep { role: name, .. } => role(name, "inherits"),
            Self::TooManyAudiences { role: name, .. } | Self::NoAudiences { role: name } => {
                role(name, "audiences")
            }
            Self::RoleDescription { role: name } => role(name, "description"),
            Self::DuplicateRole { role: name } => role(name, "name"),
            Self::UnknownRequiredAttribute { role: name, .. } => role(name, "required_attributes"),
            Self::NoLifetime { role: name, field } => role(name, field),
            Self::UnknownRequirement {
                attribute: name, ..
            } => attribute(name, "requires"),
            Self::UnknownRoleOfDefault {
                attribute: name,
                role,
            } => attribute(name, &format!("from_role/{role}")),
            Self::AmbiguousDefault {
                attribute: name,
                role: heir,
            } => attribute(name, "from_role").or_else(|| role(heir, "inherits")),
            Self::DuplicateAttribute { attribute: name } => attribute(name, "name"),
            Self::Attribute {
                attribute: name,
                fault,
            } => attribute(name, &field_of(fault)),
            Self::RowRule(fault) => row_rule(document, fault),
        }
    }
}

fn role(document: &PolicyDocument, name: &RoleName, field: &str) -> Option<String> {
    let at = document.roles.iter().rposition(|it| it.name == *name)?;
    Some(format!("/roles/{at}/{field}"))
}

fn attribute(document: &PolicyDocument, name: &AttributeName, field: &str) -> Option<String> {
    let mut attributes = document.attributes.iter();
    let at = attributes.rposition(|it| it.name == *name)?;
    Some(format!("/attributes/{at}/{field}"))
}

fn field_of(fault: &DeclarationFault) -> String {
    match fault {
        DeclarationFault::PatternNotForType
        | DeclarationFault::PatternTooLong
        | DeclarationFault::PatternCharacters
        | DeclarationFault::PatternInvalid { .. } => "pattern".to_owned(),
        DeclarationFault::AllowedValuesEmpty | DeclarationFault::AllowedValuesTooMany => {
            "allowed_values".to_owned()
        }
        DeclarationFault::AllowedValueUnusable { index, .. } => format!("allowed_values/{index}"),
        DeclarationFault::NormalizeNotForType => "normalize".to_owned(),
        DeclarationFault::DefaultUnusable { role, .. } => format!("from_role/{role}"),
        DeclarationFault::SensitiveDefault => "from_role".to_owned(),
        DeclarationFault::Description => "description".to_owned(),
        DeclarationFault::MaxLengthOutOfRange => "max_length".to_owned(),
        DeclarationFault::MaxItemsOutOfRange => "max_items".to_owned(),
    }
}

fn row_rule(document: &PolicyDocument, fault: &RowRuleFault) -> Option<String> {
    let rule = |name: &Identifier, field: &str| {
        let at = document.row_rules.iter().rposition(|it| it.name == *name)?;
        Some(format!("/row_rules/{at}/{field}"))
    };
    match fault {
        RowRuleFault::TooManyRules { .. } => Some("/row_rules".to_owned()),
        RowRuleFault::DuplicateRule { rule: name } => rule(name, "name"),
        RowRuleFault::NoRoles { rule: name } | RowRuleFault::UnknownRole { rule: name, .. } => {
            rule(name, "roles")
        }
        RowRuleFault::TableName { rule: name }
        | RowRuleFault::SchemaGivenNowAndThen { rule: name, .. } => rule(name, "table"),
        RowRuleFault::TooDeep { rule: name } | RowRuleFault::TooManyTests { rule: name, .. } => {
            rule(name, "where")
        }
        // `where.any[1]` becomes `where/any/1`.
        RowRuleFault::Condition { rule: name, at, .. } => {
            rule(name, &at.replace(['.', '['], "/").replace(']', ""))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::CompileError;
    use crate::fault::{
        MAX_ATTRIBUTES, MAX_AUDIENCES, MAX_DESCRIPTION, MAX_PERMISSIONS, MAX_ROLES,
    };

    async fn places(json: Value) -> Vec<String> {
        let document: PolicyDocument = serde_json::from_value(json).unwrap();
        let error = document.compile(1).await.unwrap_err();
        let CompileError::Faults(faults) = error else {
            panic!("{error}")
        };
        let place = |it: &PolicyFault| it.pointer(&document).unwrap_or_default();
        let faults = faults.iter();
        let mut places: Vec<_> = faults
            .map(|it| format!("{} {}", it.code(), place(it)))
            .collect();
        places.sort();
        places
    }

    #[tokio::test]
    async fn a_fault_is_found_in_the_document_as_it_was_written() {
        let found = places(json!({
            "roles": [
                {"name": "viewer"},
                {"name": "b", "inherits": ["ghost"], "audiences": []},
                {"name": "a", "required_attributes": ["nope"], "description": "a\u{0}b"},
                {"name": "viewer", "max_ttl_seconds": 0},
            ],
            "attributes": [
                {"name": "z", "type": "integer", "pattern": "x"},
                {"name": "b", "type": "string", "pattern": "\u{0}"},
                {"name": "a", "type": "string", "allowed_values": ["x", ""], "max_items": 0},
                {"name": "c", "type": "string", "sensitive": true, "from_role": {"viewer": "x", "a": ""}},
                {"name": "d", "type": "string", "from_role": {"ghost": "x"}, "requires": ["e"]},
                {"name": "f", "type": "string", "description": "x".repeat(1001)},
            ],
        }))
        .await;
        assert_eq!(
            found,
            [
                "duplicate_name /roles/3/name",
                "empty_list /roles/1/audiences",
                "invalid_pattern /attributes/1/pattern",
                "invalid_text /attributes/5/description",
                "invalid_text /roles/2/description",
                "not_for_type /attributes/0/pattern",
                "out_of_range /attributes/2/max_items",
                "out_of_range /roles/3/max_ttl_seconds",
                "sensitive_value /attributes/3/from_role",
                "undeclared_attribute /attributes/4/requires",
                "undeclared_attribute /roles/2/required_attributes",
                "unknown_role /attributes/4/from_role/ghost",
                "unknown_role /roles/1/inherits",
                "unusable_value /attributes/2/allowed_values/1",
                "unusable_value /attributes/3/from_role/a",
            ]
        );
    }

    #[tokio::test]
    async fn a_condition_is_found_however_deep() {
        let column = json!({"column": "tenant", "operator": "=", "value": "t\u{0}"});
        let rule = |name: &str, condition: Value| json!({"name": name, "table": "orders", "roles": ["viewer"], "where": condition});
        let found = places(json!({
            "roles": [{"name": "viewer"}],
            "row_rules": [
                rule("b", json!({"all": [{"column": "x", "operator": "is null"}, {"any": [column]}]})),
                rule("a", json!({"any": []})),
                {"name": "c", "table": "no table", "roles": ["ghost"],
                 "where": {"column": "x", "operator": "is null"}},
            ],
        }))
        .await;
        assert_eq!(
            found,
            [
                "invalid_condition /row_rules/0/where/all/1/any/0",
                "invalid_condition /row_rules/1/where/any",
                "invalid_table /row_rules/2/table",
                "unknown_role /row_rules/2/roles",
            ]
        );
    }

    #[tokio::test]
    async fn bounds_are_exact() {
        let roles = |count: usize, permissions: usize| -> Vec<Value> {
            let permissions: Vec<_> = (0..permissions)
                .map(|index| json!({"resource": format!("d/{index}"), "action": "view"}))
                .collect();
            let mut roles: Vec<_> = (1..count)
                .map(|index| json!({"name": format!("r{index}")}))
                .collect();
            roles.push(json!({"name": "holder", "permissions": permissions}));
            roles
        };
        let attributes = |count: usize| -> Vec<Value> {
            let names = (0..count).map(|index| format!("a{index}"));
            names
                .map(|name| json!({"name": name, "type": "string"}))
                .collect()
        };
        let text = |length: usize| json!({"name": "a", "description": "é".repeat(length)});
        let audiences = |count: usize| {
            let names: Vec<_> = (0..count).map(|index| format!("a{index}")).collect();
            json!({"name": "a", "audiences": names})
        };
        for good in [
            json!({"roles": roles(MAX_ROLES, 0)}),
            json!({"attributes": attributes(MAX_ATTRIBUTES)}),
            json!({"roles": [text(MAX_DESCRIPTION)]}),
            json!({"roles": [audiences(MAX_AUDIENCES)]}),
        ] {
            let document: PolicyDocument = serde_json::from_value(good).unwrap();
            document.compile(1).await.unwrap();
        }
        let too_many = |place: &str| vec![format!("too_many {place}")];
        let one_more = json!({"roles": roles(MAX_ROLES + 1, 0)});
        assert_eq!(places(one_more).await, too_many("/roles"));
        let one_more = json!({"roles": roles(1, MAX_PERMISSIONS + 1)});
        assert_eq!(places(one_more).await, too_many("/roles"));
        let one_more = json!({"attributes": attributes(MAX_ATTRIBUTES + 1)});
        assert_eq!(places(one_more).await, too_many("/attributes"));
        let one_more = json!({"roles": [text(MAX_DESCRIPTION + 1)]});
        assert_eq!(
            places(one_more).await,
            ["invalid_text /roles/0/description"]
        );
        let one_more = json!({"roles": [audiences(MAX_AUDIENCES + 1)]});
        assert_eq!(places(one_more).await, too_many("/roles/0/audiences"));
    }
}
