//! The console in a real browser, on both engines.

mod api_keys;
mod attacks;
mod audiences;
mod audit;
mod overview;
mod people;
mod playground;
mod policy;
mod product_pages;
mod profile;
mod sessions;
mod single_sign_on;
mod stored_script;
mod tokens;

use key_admin::KeyFilter;

use crate::support::App;

impl App {
    async fn key_names(&self) -> Vec<String> {
        let keys = &self.services.keys;
        let all = KeyFilter::default();
        let found = keys.list_keys(self.organization.id, &all, None, 100).await;
        let found = found.unwrap().into_iter();
        found.map(|listed| listed.key.name).collect()
    }
}
