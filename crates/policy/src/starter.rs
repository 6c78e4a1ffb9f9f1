use crate::PolicyDocument;

/// A policy to begin with: roles `viewer`, `editor` and `admin`, each inheriting the one before; attributes
/// `tenant_id` (a string that every token must carry) and `regions` (a list of strings).
#[expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "the text is part of the binary and read by a test"
)]
pub fn starter_policy() -> PolicyDocument {
    serde_json::from_str(include_str!("starter_policy.json")).expect("the embedded starter policy")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_compiles() {
        let policy = starter_policy();
        let snapshot = policy.compile(1).await.unwrap();
        let roles: Vec<_> = snapshot.role_names().map(ToString::to_string).collect();
        assert_eq!(roles, ["admin", "editor", "viewer"]);
    }
}
