//! The one place that writes to standard output and standard error.

mod entries;

use std::io::Write;

pub(crate) use entries::{Column, Format, entry, list};

/// Data, for people and programs.
pub(crate) fn data(text: &str) {
    // A reader that went away (`jeton … | head`) is no error of ours.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Talk, for people.
pub(crate) fn talk(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Text from elsewhere, without the characters that move a terminal's cursor or colours.
pub(crate) fn plain(text: &str) -> String {
    let visible = |it: char| if it.is_control() { '\u{fffd}' } else { it };
    text.chars().map(visible).collect()
}

/// A table with a header, columns as wide as their content.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| plain(cell)).collect())
        .collect();
    let mut widths: Vec<usize> = header.iter().map(|title| title.chars().count()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    let body = rows
        .iter()
        .map(|row| line(&mut row.iter().map(String::as_str)));
    std::iter::once(line(&mut header.iter().copied()))
        .chain(body)
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align() {
        let rows = [
            vec!["é".to_owned(), "1".to_owned()],
            vec!["lo\ng".to_owned(), "22".to_owned()],
        ];
        assert_eq!(
            table(&["A", "B"], &rows),
            "A     B\né     1\nlo\u{fffd}g  22"
        );
    }
}
