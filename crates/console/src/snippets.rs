//! Code that people paste: the exchange in the languages of backends.

use serde_json::Value;

/// The same thing in one language.
#[derive(Clone, Debug)]
pub(crate) struct Snippet {
    pub(crate) language: &'static str,
    pub(crate) code: String,
}

/// The exchange of an API key for a session token, complete and ready to run. The body is what the request says.
pub(crate) fn exchange(url: &str, key: &str, body: &Value) -> Vec<Snippet> {
    let pretty = serde_json::to_string_pretty(body).unwrap_or_default();
    let snippet = |language, code| Snippet { language, code };
    vec![
        snippet("curl", curl(url, key, &pretty)),
        snippet("Node", node(url, key, &pretty)),
        snippet("Python", python(url, key, &pretty)),
        snippet("Rust", rust(url, key, &pretty)),
        snippet("Go", go(url, key, &pretty)),
        snippet("CLI", cli(url, key, body)),
    ]
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

fn curl(url: &str, key: &str, body: &str) -> String {
    let body = quoted(body);
    format!(
        "curl -sS {url}/v1/session-tokens \\\n  -H 'Authorization: ApiKey {key}' \\\n  -H 'Content-Type: application/json' \\\n  -d {body}\n"
    )
}

fn node(url: &str, key: &str, body: &str) -> String {
    format!(
        "const answer = await fetch(\"{url}/v1/session-tokens\", {{\n  method: \"POST\",\n  headers: {{\n    authorization: \"ApiKey {key}\",\n    \"content-type\": \"application/json\",\n  }},\n  body: JSON.stringify({}),\n}});\nif (!answer.ok) throw new Error(await answer.text());\nconst {{ token }} = await answer.json();\nconsole.log(token);\n",
        indented(body, "  ")
    )
}

fn python(url: &str, key: &str, body: &str) -> String {
    let body = triple_quoted(body);
    format!(
        "import json, urllib.request\n\nrequest = urllib.request.Request(\n    \"{url}/v1/session-tokens\",\n    method=\"POST\",\n    headers={{\"Authorization\": \"ApiKey {key}\", \"Content-Type\": \"application/json\"}},\n    data={body}.encode(),\n)\nwith urllib.request.urlopen(request) as answer:\n    print(json.load(answer)[\"token\"])\n"
    )
}

/// A raw text has no escapes, and JSON has no three quotes in a row that are not inside a string, where they are escaped.
fn triple_quoted(text: &str) -> String {
    format!("r\"\"\"{text}\"\"\"")
}

fn rust(url: &str, key: &str, body: &str) -> String {
    format!(
        "// reqwest with the features `json` and `rustls`, serde_json, tokio\n#[tokio::main]\nasync fn main() -> Result<(), reqwest::Error> {{\n    let answer: serde_json::Value = reqwest::Client::new()\n        .post(\"{url}/v1/session-tokens\")\n        .header(\"authorization\", \"ApiKey {key}\")\n        .json(&serde_json::json!({}))\n        .send()\n        .await?\n        .error_for_status()?\n        .json()\n        .await?;\n    println!(\"{{}}\", answer[\"token\"]);\n    Ok(())\n}}\n",
        indented(body, "        ")
    )
}

fn go(url: &str, key: &str, body: &str) -> String {
    // A Go string between backquotes holds anything but a backquote.
    let body = body.replace('`', "` + \"`\" + `");
    format!(
        "package main\n\nimport (\n\t\"fmt\"\n\t\"io\"\n\t\"net/http\"\n\t\"strings\"\n)\n\nfunc main() {{\n\tbody := `{body}`\n\trequest, err := http.NewRequest(\"POST\", \"{url}/v1/session-tokens\", strings.NewReader(body))\n\tif err != nil {{\n\t\tpanic(err)\n\t}}\n\trequest.Header.Set(\"Authorization\", \"ApiKey {key}\")\n\trequest.Header.Set(\"Content-Type\", \"application/json\")\n\tanswer, err := http.DefaultClient.Do(request)\n\tif err != nil {{\n\t\tpanic(err)\n\t}}\n\tdefer answer.Body.Close()\n\ttext, err := io.ReadAll(answer.Body)\n\tif err != nil {{\n\t\tpanic(err)\n\t}}\n\tfmt.Println(answer.Status, string(text))\n}}\n"
    )
}

/// `jeton token issue` takes the same request.
fn cli(url: &str, key: &str, body: &Value) -> String {
    let user = &body["user"];
    let mut command = format!(
        "JETON_URL={url} JETON_API_KEY={key} \\\n  jeton token issue --user {}",
        quoted(user["id"].as_str().unwrap_or_default())
    );
    for role in user["roles"].as_array().into_iter().flatten() {
        command += &format!(
            " \\\n  --role {}",
            quoted(role.as_str().unwrap_or_default())
        );
    }
    for (name, value) in user["attributes"].as_object().into_iter().flatten() {
        let given = match value {
            Value::String(text) => format!("{name}={text}"),
            other => format!("{name}:={other}"),
        };
        command += &format!(" \\\n  --attribute {}", quoted(&given));
    }
    if let Some(audience) = body["audience"].as_str() {
        command += &format!(" \\\n  --audience {}", quoted(audience));
    }
    command + "\n"
}

fn indented(text: &str, with: &str) -> String {
    text.replace('\n', &format!("\n{with}"))
}
