//! Code that people paste: the exchange in the languages of backends.

use askama::Template;
use serde_json::Value;

/// The same thing in one language.
#[derive(Clone, Debug)]
pub(crate) struct Snippet {
    pub(crate) language: &'static str,
    pub(crate) code: String,
}

/// A language's own way to write the request's body is all that differs between these.
macro_rules! language {
    ($name:ident, $path:literal) => {
        #[derive(Template)]
        #[template(path = $path, escape = "none")]
        struct $name<'a> {
            url: &'a str,
            key: &'a str,
            body: String,
        }
    };
}

language!(Curl, "snippets/curl.txt");
language!(Node, "snippets/node.txt");
language!(Python, "snippets/python.txt");
language!(Rust, "snippets/rust.txt");
language!(Go, "snippets/go.txt");

/// The exchange of an API key for a session token, complete and ready to run. The body is what the request says.
pub(crate) fn exchange(url: &str, key: &str, body: &Value) -> Vec<Snippet> {
    let json = serde_json::to_string_pretty(body).unwrap_or_default();
    let go = Go {
        url,
        key,
        // A text between backquotes holds anything but a backquote.
        body: json.replace('`', "` + \"`\" + `"),
    };
    let python = Python {
        url,
        key,
        // A raw text has no escapes, and three quotes in a row are nowhere in JSON but escaped.
        body: json.clone(),
    };
    let rust = Rust {
        url,
        key,
        body: indented(&json, "        "),
    };
    let node = Node {
        url,
        key,
        body: indented(&json, "  "),
    };
    let curl = Curl {
        url,
        key,
        body: quoted(&json),
    };
    vec![
        snippet("curl", &curl),
        snippet("Node", &node),
        snippet("Python", &python),
        snippet("Rust", &rust),
        snippet("Go", &go),
        Snippet {
            language: "CLI",
            code: cli(url, key, body),
        },
    ]
}

/// Rendering into memory does not fail.
fn snippet(language: &'static str, template: &impl Template) -> Snippet {
    Snippet {
        language,
        code: template.render().unwrap_or_default(),
    }
}

/// Whose key it is, for keys that issue nothing.
pub(crate) fn account(url: &str, key: &str) -> Vec<Snippet> {
    vec![Snippet {
        language: "curl",
        code: format!("curl -sS {url}/v1/account \\\n  -H 'Authorization: ApiKey {key}'\n"),
    }]
}

/// A text between single quotes, for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// `jeton token issue` takes the same request.
fn cli(url: &str, key: &str, body: &Value) -> String {
    let user = &body["user"];
    let text = |value: &Value| quoted(value.as_str().unwrap_or_default());
    let mut flags = vec![format!("  jeton token issue --user {}", text(&user["id"]))];
    let roles = user["roles"].as_array().into_iter().flatten();
    flags.extend(roles.map(|role| format!("  --role {}", text(role))));
    let attributes = user["attributes"].as_object().into_iter().flatten();
    flags.extend(attributes.map(|(name, value)| {
        let given = match value {
            Value::String(text) => format!("{name}={text}"),
            other => format!("{name}:={other}"),
        };
        format!("  --attribute {}", quoted(&given))
    }));
    if body["audience"].is_string() {
        flags.push(format!("  --audience {}", text(&body["audience"])));
    }
    format!(
        "JETON_URL={url} JETON_API_KEY={key} \\\n{}\n",
        flags.join(" \\\n")
    )
}

fn indented(text: &str, with: &str) -> String {
    text.replace('\n', &format!("\n{with}"))
}
