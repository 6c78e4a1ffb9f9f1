use serde_json::{Value, json};

use super::app::PASSWORD;
use super::{App, ask, node, screenshots};

impl App {
    /// Walks through the console in a browser, as `tests/browser/console/FLOW.mjs` says. Whatever a page does wrong on the
    /// way fails the test. Answers what the flow saw.
    pub(crate) async fn walks(&self, flow: &str, further: Value) -> Value {
        let engine = format!("{:?}", self.services.database.engine()).to_lowercase();
        let mut task = json!({
            "url": self.server.url(),
            "email": "ada@acme.example",
            "password": PASSWORD,
            "key": self.key,
            "pictures": screenshots().join(format!("console-{engine}")),
        });
        if let (Some(task), Value::Object(further)) = (task.as_object_mut(), further) {
            task.extend(further);
        }
        let script = format!("tests/browser/console/{flow}.mjs");
        let browse = move || ask(&node(), &script, &task);
        let mut seen = tokio::task::spawn_blocking(browse).await.unwrap();
        assert_eq!(seen["faults"], json!([]), "{flow}: {seen:#}");
        seen["result"].take()
    }
}
