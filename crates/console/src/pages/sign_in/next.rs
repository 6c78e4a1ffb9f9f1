//! Where one goes after signing in. What the address says is anybody's: only pages of the console are taken.

/// The path, if it is one of the console's own pages; else the first page.
pub(crate) fn safe(next: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    let own = next == "/console" || next.starts_with("/console/") || next.starts_with("/console?");
    if own && next.len() <= 2048 && next.bytes().all(plain) && !next.contains("//") {
        next
    } else {
        "/console"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_the_console_are_taken() {
        for page in [
            "/console",
            "/console/sessions?subject=user-42",
            "/console?done=signed-out",
        ] {
            assert_eq!(safe(page), page);
        }
    }

    #[test]
    fn nothing_else_is() {
        for elsewhere in [
            "",
            "https://evil.example/console",
            "//evil.example/console/",
            "/\\evil.example",
            "/console/..//evil.example",
            "/console/\\evil.example",
            "/consolevil",
            "/v1/api-keys",
            "javascript:alert(1)",
            "/console/\r\nset-cookie: a=b",
            "console",
        ] {
            assert_eq!(safe(elsewhere), "/console", "{elsewhere}");
        }
    }
}
