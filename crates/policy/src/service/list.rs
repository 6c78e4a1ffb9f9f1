//! Parts of a stored policy, one by one and in pages.

use storage::OrganizationId;

use super::{PolicyError, PolicyService};
use crate::{AttributeDeclaration, AttributeName, Role, RoleName, store};

impl PolicyService {
    /// The organization's roles in the order of their names, at most `limit`, behind `after` where that is given.
    pub async fn list_roles(
        &self,
        organization: OrganizationId,
        after: Option<&RoleName>,
        limit: u32,
    ) -> Result<Vec<Role>, PolicyError> {
        let mut read = self.database.read().await?;
        Ok(store::roles(read.conn(), organization, after, limit).await?)
    }

    /// The role of this name.
    pub async fn get_role(
        &self,
        organization: OrganizationId,
        name: &RoleName,
    ) -> Result<Option<Role>, PolicyError> {
        let mut read = self.database.read().await?;
        Ok(store::role(read.conn(), organization, name).await?)
    }

    /// The organization's attributes in the order of their names, at most `limit`, behind `after` where that is given.
    pub async fn list_attributes(
        &self,
        organization: OrganizationId,
        after: Option<&AttributeName>,
        limit: u32,
    ) -> Result<Vec<AttributeDeclaration>, PolicyError> {
        let mut read = self.database.read().await?;
        Ok(store::attributes(read.conn(), organization, after, limit).await?)
    }

    /// The attribute of this name.
    pub async fn get_attribute(
        &self,
        organization: OrganizationId,
        name: &AttributeName,
    ) -> Result<Option<AttributeDeclaration>, PolicyError> {
        let mut read = self.database.read().await?;
        Ok(store::attribute(read.conn(), organization, name).await?)
    }
}
