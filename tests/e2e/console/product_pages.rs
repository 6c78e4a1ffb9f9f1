//! The product pages that the console grew from, step by step.

use key_admin::KeyFilter;
use serde_json::json;

use crate::support::{decode, on_both_engines};

#[tokio::test]
async fn four_products_ways_to_a_key_lead_to_one() {
    on_both_engines(|app| async move {
        let seen = app.walks("product_pages", json!({})).await;
        let text = |at: &str| seen.pointer(at).unwrap().as_str().unwrap().to_owned();

        let generated = &seen["generated"];
        assert_eq!(generated["same"], true);
        assert_eq!(generated["status"], 200);
        assert_eq!(generated["owner"], "ada@acme.example");
        assert_eq!(generated["after"], 401);
        let listed = text("/generated/listed");
        assert!(
            listed.contains("jtn_") && listed.contains("never"),
            "{listed}"
        );

        assert_eq!(seen["valid"]["end"], "2099-08-10T23:59:59Z");
        let all = KeyFilter::default();
        let keys = &app.services.keys;
        let keys = keys.list_keys(app.organization.id, &all, None, 100).await;
        let keys = keys.unwrap();
        let valid = keys
            .iter()
            .find(|it| it.key.name == "token_ad9baade")
            .unwrap();
        assert!(text("/valid/secret").starts_with(&valid.key.prefix()));

        let registry = &seen["registry"];
        let languages = json!(["curl", "Node", "Python", "Rust", "Go", "CLI"]);
        assert_eq!(registry["languages"], languages);
        assert_eq!(registry["filledIn"], true);
        assert_eq!(registry["reappears"], false);
        assert!(
            text("/registry/row").contains("read and write"),
            "{registry}"
        );

        assert_eq!(seen["master"]["status"], 201);
        let (_, claims) = decode(&text("/master/token"));
        assert_eq!(claims["attributes"], json!({ "tenant_id": "t-1" }));
        assert!(
            !text("/master/used").contains("never\t"),
            "{}",
            text("/master/used")
        );
    })
    .await;
}
