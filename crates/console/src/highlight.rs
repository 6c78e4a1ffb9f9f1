//! Texts that people read: JSON, indented, its parts in colours that the stylesheet gives; and sentences that name things
//! between backquotes.

use askama::Template;
use askama::filters::HtmlSafe;
use serde_json::Value;

/// A part of the text, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    /// A class of the stylesheet; empty for what stands between values.
    class: &'static str,
    text: String,
}

/// A value as a template shows it, within `pre`.
#[derive(Clone, Debug, Template)]
#[template(
    source = "{% for piece in pieces %}{% if piece.class.is_empty() %}{{ piece.text }}{% else %}<span class=\"{{ piece.class }}\">{{ piece.text }}</span>{% endif %}{% endfor %}",
    ext = "html"
)]
pub(crate) struct Highlighted {
    pieces: Vec<Piece>,
}

/// Its template has escaped what is not ours.
impl HtmlSafe for Highlighted {}

impl Highlighted {
    pub(crate) fn new(value: &Value) -> Self {
        let mut json = Self { pieces: Vec::new() };
        json.write(value, 0);
        json
    }

    fn push(&mut self, class: &'static str, text: impl Into<String>) {
        let text = text.into();
        match self.pieces.last_mut() {
            Some(last) if last.class == class => last.text.push_str(&text),
            _ => self.pieces.push(Piece { class, text }),
        }
    }

    fn write(&mut self, value: &Value, depth: usize) {
        match value {
            Value::Object(members) if !members.is_empty() => {
                self.push("", "{");
                for (index, (name, value)) in members.iter().enumerate() {
                    self.line(index, depth + 1);
                    self.push("j-name", Value::from(name.as_str()).to_string());
                    self.push("", ": ");
                    self.write(value, depth + 1);
                }
                self.end(depth, "}");
            }
            Value::Array(items) if !items.is_empty() => {
                self.push("", "[");
                for (index, value) in items.iter().enumerate() {
                    self.line(index, depth + 1);
                    self.write(value, depth + 1);
                }
                self.end(depth, "]");
            }
            Value::String(_) => self.push("j-text", value.to_string()),
            Value::Number(_) => self.push("j-number", value.to_string()),
            Value::Bool(_) | Value::Null => self.push("j-word", value.to_string()),
            Value::Object(_) | Value::Array(_) => self.push("", value.to_string()),
        }
    }

    fn line(&mut self, index: usize, depth: usize) {
        let comma = if index == 0 { "" } else { "," };
        self.push("", format!("{comma}\n{}", "  ".repeat(depth)));
    }

    fn end(&mut self, depth: usize, bracket: &str) {
        self.push("", format!("\n{}{bracket}", "  ".repeat(depth)));
    }
}

/// A sentence, what stands between backquotes in it as code.
#[derive(Clone, Debug, Template)]
#[template(
    source = "{% for part in parts %}{% if loop.index0 % 2 == 1 %}<code>{{ part }}</code>{% else %}{{ part }}{% endif %}{% endfor %}",
    ext = "html"
)]
pub(crate) struct Prose {
    /// Words and code in turn.
    parts: Vec<String>,
}

/// Its template has escaped what is not ours.
impl HtmlSafe for Prose {}

impl Prose {
    pub(crate) fn new(text: &str) -> Self {
        let mut parts: Vec<String> = text.split('`').map(ToOwned::to_owned).collect();
        // A backquote that nothing closes is one.
        if parts.len().is_multiple_of(2) {
            parts = vec![text.to_owned()];
        }
        Self { parts }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_stands_between_backquotes_is_code() {
        for (text, html) in [
            (
                "Role `a<b` is there.",
                "Role <code>a&#60;b</code> is there.",
            ),
            ("plain & simple", "plain &#38; simple"),
            ("a ` alone", "a ` alone"),
        ] {
            assert_eq!(Prose::new(text).to_string(), html);
        }
    }

    #[test]
    fn the_text_is_the_value_and_every_part_is_escaped() {
        let value = json!({ "a<b>": ["x&y", 1, true, null, {}, []], "deep": { "x": -1.5 } });
        let json = Highlighted::new(&value);
        let text: String = json.pieces.iter().map(|it| it.text.as_str()).collect();
        assert_eq!(text, serde_json::to_string_pretty(&value).unwrap());
        let html = json.to_string();
        assert!(!html.contains("<b>") && !html.contains("x&y"), "{html}");
        assert!(html.contains("<span class=\"j-number\">1</span>"), "{html}");
    }
}
