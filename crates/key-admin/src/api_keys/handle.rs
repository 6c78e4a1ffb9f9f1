use super::ApiKeyId;
use super::change::ChangeKeyError;
use crate::{Asker, KeyAdmin, SignedIn};

impl KeyAdmin {
    /// May this person use the key as if it held its secret? Who could give the key a new one could use that.
    pub async fn may_use_key(&self, person: &SignedIn, id: ApiKeyId) -> Result<(), ChangeKeyError> {
        let organization = person.organization_id();
        let opened = self.open(Asker::Person(person), organization, id).await?;
        opened.check_not_revoked()?;
        let key = &opened.before.key;
        if !key.is_live(opened.now) {
            return Err(ChangeKeyError::Expired);
        }
        Ok(opened.check_covered(key)?)
    }
}
