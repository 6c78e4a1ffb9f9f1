//! A stable name for each fault of a policy.

use super::PolicyFault;
use crate::{attributes::DeclarationFault, row_rules::RowRuleFault};

macro_rules! fault_codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What is wrong with a policy, as the API names it. Stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FaultCode {
            $($(#[$doc])* $name,)*
        }

        impl FaultCode {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

fault_codes! {
    /// Too many of something.
    TooMany = "too_many",
    /// Two of the same name.
    DuplicateName = "duplicate_name",
    /// A role is named that is not declared.
    UnknownRole = "unknown_role",
    /// An attribute is named that is not declared.
    UndeclaredAttribute = "undeclared_attribute",
    /// A role inherits itself.
    InheritanceCycle = "inheritance_cycle",
    /// Inheritance over too many levels.
    InheritanceTooDeep = "inheritance_too_deep",
    /// A number outside of its range.
    OutOfRange = "out_of_range",
    /// An empty list where one without entries would mean nothing.
    EmptyList = "empty_list",
    /// A text that is too long or has control characters.
    InvalidText = "invalid_text",
    /// A role inherits different values of an attribute.
    AmbiguousDefault = "ambiguous_default",
    /// A pattern that cannot be used.
    InvalidPattern = "invalid_pattern",
    /// A part of a declaration that its type does not take.
    NotForType = "not_for_type",
    /// A value that could never be granted.
    UnusableValue = "unusable_value",
    /// A value of a sensitive attribute in the policy.
    SensitiveValue = "sensitive_value",
    /// A table or schema that is no SQL name, or stands with a schema here and without one there.
    InvalidTable = "invalid_table",
    /// A condition of a row rule that cannot be used.
    InvalidCondition = "invalid_condition",
}

impl std::fmt::Display for FaultCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl PolicyFault {
    /// What is wrong, as a stable name.
    pub fn code(&self) -> FaultCode {
        match self {
            Self::TooManyRoles { .. }
            | Self::TooManyAttributes { .. }
            | Self::TooManyPermissions { .. }
            | Self::TooManyLinks { .. }
            | Self::TooManyInherited { .. }
            | Self::TooManyAudiences { .. } => FaultCode::TooMany,
            Self::DuplicateRole { .. } | Self::DuplicateAttribute { .. } => {
                FaultCode::DuplicateName
            }
            Self::UnknownParent { .. } | Self::UnknownRoleOfDefault { .. } => {
                FaultCode::UnknownRole
            }
            Self::UnknownRequiredAttribute { .. } | Self::UnknownRequirement { .. } => {
                FaultCode::UndeclaredAttribute
            }
            Self::InheritanceCycle { .. } => FaultCode::InheritanceCycle,
            Self::InheritanceTooDeep { .. } => FaultCode::InheritanceTooDeep,
            Self::NoLifetime { .. } => FaultCode::OutOfRange,
            Self::NoAudiences { .. } => FaultCode::EmptyList,
            Self::RoleDescription { .. } => FaultCode::InvalidText,
            Self::AmbiguousDefault { .. } => FaultCode::AmbiguousDefault,
            Self::Attribute { fault, .. } => of_declaration(fault),
            Self::RowRule(fault) => of_row_rule(fault),
        }
    }
}

fn of_declaration(fault: &DeclarationFault) -> FaultCode {
    match fault {
        DeclarationFault::PatternNotForType | DeclarationFault::NormalizeNotForType => {
            FaultCode::NotForType
        }
        DeclarationFault::PatternTooLong
        | DeclarationFault::PatternCharacters
        | DeclarationFault::PatternInvalid { .. } => FaultCode::InvalidPattern,
        DeclarationFault::AllowedValuesEmpty => FaultCode::EmptyList,
        DeclarationFault::AllowedValuesTooMany => FaultCode::TooMany,
        DeclarationFault::AllowedValueUnusable { .. }
        | DeclarationFault::DefaultUnusable { .. } => FaultCode::UnusableValue,
        DeclarationFault::SensitiveDefault => FaultCode::SensitiveValue,
        DeclarationFault::Description => FaultCode::InvalidText,
        DeclarationFault::MaxLengthOutOfRange | DeclarationFault::MaxItemsOutOfRange => {
            FaultCode::OutOfRange
        }
    }
}

fn of_row_rule(fault: &RowRuleFault) -> FaultCode {
    match fault {
        RowRuleFault::TooManyRules { .. }
        | RowRuleFault::TooDeep { .. }
        | RowRuleFault::TooManyTests { .. } => FaultCode::TooMany,
        RowRuleFault::DuplicateRule { .. } => FaultCode::DuplicateName,
        RowRuleFault::NoRoles { .. } => FaultCode::EmptyList,
        RowRuleFault::UnknownRole { .. } => FaultCode::UnknownRole,
        RowRuleFault::TableName { .. } | RowRuleFault::SchemaGivenNowAndThen { .. } => {
            FaultCode::InvalidTable
        }
        RowRuleFault::Condition { .. } => FaultCode::InvalidCondition,
    }
}
