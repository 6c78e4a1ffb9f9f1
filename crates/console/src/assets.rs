//! The stylesheet and the scripts. Their address holds a fingerprint of all of them, so browsers keep them for ever.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use flate2::{Compression, GzBuilder};
use http::{HeaderMap, header};
use http_api::middleware::not_found;

struct Asset {
    name: &'static str,
    content_type: &'static str,
    body: &'static str,
    compressed: Vec<u8>,
}

const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

static ASSETS: LazyLock<[Asset; 4]> = LazyLock::new(|| {
    [
        Asset::new("console.css", CSS, include_str!("../assets/console.css")),
        Asset::new(
            "console.js",
            JAVASCRIPT,
            include_str!("../assets/console.js"),
        ),
        Asset::new("htmx.js", JAVASCRIPT, include_str!("../assets/htmx.min.js")),
        Asset::new("icon.svg", SVG, include_str!("../assets/icon.svg")),
    ]
});

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
