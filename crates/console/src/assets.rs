//! The stylesheet and the scripts.
//!
//! The stylesheet is in every page, so that a page can be drawn as soon as it is there; the content security policy names it
//! by its hash. Scripts have addresses with a fingerprint of all of them, so browsers keep them for ever.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::{Compression, GzBuilder};
use http::{HeaderMap, header};
use http_api::middleware::not_found;

struct Asset {
    name: &'static str,
    content_type: &'static str,
    body: &'static str,
    compressed: Vec<u8>,
}

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

static ASSETS: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [
        Asset::new(
            "console.js",
            JAVASCRIPT,
            include_str!("../assets/console.js"),
        ),
        Asset::new("htmx.js", JAVASCRIPT, include_str!("../assets/htmx.min.js")),
        Asset::new("icon.svg", SVG, include_str!("../assets/icon.svg")),
    ]
});

/// The stylesheet as pages carry it.
static STYLE: LazyLock<String> = LazyLock::new(|| stripped(include_str!("../assets/console.css")));

/// A stylesheet without its comments, its indentation and its empty lines.
fn stripped(source: &str) -> String {
    let mut parts = source.split("/*");
    let first = parts.next().unwrap_or_default();
    let after = parts.filter_map(|part| part.split_once("*/"));
    let text: String = std::iter::once(first)
        .chain(after.map(|(_, rest)| rest))
        .collect();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

/// The stylesheet as pages carry it.
pub(crate) fn style() -> &'static str {
    &STYLE
}

/// What a content security policy calls it ([CSP 3](https://www.w3.org/TR/CSP3/#grammardef-hash-source)).
pub(crate) fn style_source() -> String {
    let hash = digest(&SHA256, STYLE.as_bytes());
    format!("'sha256-{}'", BASE64_STANDARD.encode(hash))
}

/// The same on every node of one build.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    for asset in ASSETS.iter() {
        asset.body.hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
});

impl Asset {
    fn new(name: &'static str, content_type: &'static str, body: &'static str) -> Self {
        let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
        // Writing to memory does not fail; if it did, the asset would be served as it is.
        let written = encoder.write_all(body.as_bytes());
        let compressed = written.and_then(|()| encoder.finish()).unwrap_or_default();
        Self {
            name,
            content_type,
            body,
            compressed,
        }
    }
}

/// Where pages find an asset.
pub(crate) fn address(name: &str) -> String {
    format!("/console/assets/{}/{name}", *VERSION)
}

/// Also an old address gives today's file: a page that was loaded before an update still has its style.
pub(crate) async fn asset(
    Path((version, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return not_found().into_response();
    };
    let kept = if version == *VERSION {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let common = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, kept),
        (header::VARY, "accept-encoding"),
    ];
    if takes_gzip(&headers) && !asset.compressed.is_empty() {
        let encoding = [(header::CONTENT_ENCODING, "gzip")];
        return (common, encoding, asset.compressed.as_slice()).into_response();
    }
    (common, asset.body).into_response()
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING);
    let accepted = accepted.and_then(|value| value.to_str().ok()).unwrap_or("");
    accepted.split(',').any(|coding| coding.trim() == "gzip")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stylesheet_is_served_without_what_is_for_its_readers() {
        let source = "/* why */\n\n.a { color: red; } /* and\n more */\n  .b { top: 0; }\n";
        assert_eq!(stripped(source), ".a { color: red; }\n.b { top: 0; }");
    }

    #[test]
    fn the_stylesheet_can_stand_in_a_page() {
        assert!(!style().contains("</") && style().len() < 20_000);
        assert!(style_source().len() == "'sha256-'".len() + 44);
    }
}
