//! Patterns of SQL's `like`, with `\\` as the escape character.

/// Finds the text anywhere; what would be a wildcard stands for itself.
pub(crate) fn anywhere(text: &str) -> String {
    let mut pattern = String::from("%");
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}
