//! The script that keeps an embedded page's session token fresh: `docs/embedding.md`.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, StatusCode, header};

use super::verifiers::is_known;

const SOURCE: &str = include_str!("../../assets/embed/session.js");

/// How long browsers keep the script before they ask for a newer one.
const MAX_AGE: &str = "public, max-age=3600";

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::of(SOURCE));

/// A script as it is served.
struct Script {
    body: String,
    etag: String,
}

impl Script {
    fn of(source: &str) -> Self {
        let body = stripped(source);
        // The same on every node of one build, which is all that a validator needs.
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        let etag = format!("\"{:016x}\"", hasher.finish());
        Self { body, etag }
    }
}

/// A script without its indentation, its empty lines and the lines that are comments. It must hold no text of more than
/// one line.
fn stripped(source: &str) -> String {
    let lines = source.lines().map(str::trim);
    let code = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
    code.flat_map(|line| [line, "\n"]).collect()
}

/// Any page may load it: it is public, and holds nothing that is not.
pub(crate) async fn session_script(headers: HeaderMap) -> Response {
    let script = &*SCRIPT;
    let public = [
        (header::CACHE_CONTROL, MAX_AGE),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "cross-origin",
        ),
        (header::ETAG, script.etag.as_str()),
    ];
    if is_known(&headers, &script.etag) {
        return (StatusCode::NOT_MODIFIED, public).into_response();
    }
    let content_type = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
    (public, content_type, script.body.as_str()).into_response()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn comments_indentation_and_empty_lines_are_not_served() {
        let source =
            "// why\nlet a = 1; // stays\n\n  if (a) {\n    // inner\n    f('//x');\n  }\n";
        let expected = "let a = 1; // stays\nif (a) {\nf('//x');\n}\n";
        assert_eq!(stripped(source), expected);
    }

    #[test]
    fn the_script_has_no_text_of_more_than_one_line() {
        assert!(!SOURCE.contains('`') && !SOURCE.contains("/*") && !SOURCE.contains("\\\n"));
    }

    #[test]
    fn another_script_has_another_tag() {
        assert_eq!(Script::of("a").etag, Script::of("  a\n// b").etag);
        assert_ne!(Script::of("a").etag, Script::of("b").etag);
    }

    #[test]
    fn the_script_has_less_than_3000_bytes_compressed() {
        let mut encoder = flate2::GzBuilder::new().write(Vec::new(), flate2::Compression::best());
        encoder.write_all(SCRIPT.body.as_bytes()).unwrap();
        let compressed = encoder.finish().unwrap().len();
        assert!((1000..3000).contains(&compressed), "{compressed}");
    }
}
