//! API keys in a stream of bytes.

use key_admin::PresentedKey;

/// `jtn_`, 12 characters, `_`, 43 and 6 characters.
const KEY_LENGTH: usize = 66;
const PREFIX: &[u8] = b"jtn_";

/// A key, where it is; never its secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// From 1.
    pub(super) line: u64,
    /// From 1, in bytes.
    pub(super) column: u64,
    /// `jtn_` and the identifier.
    pub(super) key: String,
}

/// Reads in pieces of any size; what a piece ends with is kept until it is clear whether a key begins there.
pub(super) struct Finder {
    pending: Vec<u8>,
    line: u64,
    column: u64,
}

impl Finder {
    pub(super) fn new() -> Self {
        Self {
            pending: Vec::new(),
            line: 1,
            column: 1,
        }
    }

    /// Takes the next piece, and reports each key that is complete with it.
    pub(super) fn feed(&mut self, piece: &[u8], report: &mut impl FnMut(Found)) {
        self.pending.extend_from_slice(piece);
        let pending = std::mem::take(&mut self.pending);
        let decided = (pending.len() + 1).saturating_sub(KEY_LENGTH);
        for at in 0..decided {
            if pending[at..].starts_with(PREFIX)
                && let Some(key) = key_in(&pending[at..at + KEY_LENGTH])
            {
                report(Found {
                    line: self.line,
                    column: self.column,
                    key,
                });
            }
            if pending[at] == b'\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.pending.extend_from_slice(&pending[decided..]);
    }
}

fn key_in(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let key = PresentedKey::parse(text).ok()?;
    Some(key.id().key_prefix())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made for this test; no server knows it, and a scan of this file does not find it.
    const KEY: &str = concat!(
        "jtn_Finder000001_xxxxxxxxxxxxx",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx2jOfbL"
    );

    fn found_in(text: &[u8], piece: usize) -> Vec<Found> {
        let mut finder = Finder::new();
        let mut found = Vec::new();
        for piece in text.chunks(piece) {
            finder.feed(piece, &mut |it| found.push(it));
        }
        found
    }

    #[test]
    fn a_key_is_found_however_the_stream_is_cut() {
        let text = [
            b"\xff\0\nx=jtn_jtn_\n ab\xc3",
            KEY.as_bytes(),
            b"jtn_\n",
            KEY.as_bytes(),
        ]
        .concat();
        let place = |line, column| Found {
            line,
            column,
            key: KEY[..16].to_owned(),
        };
        for piece in 1..=text.len() {
            assert_eq!(
                found_in(&text, piece),
                [place(3, 5), place(4, 1)],
                "{piece}"
            );
        }
    }

    #[test]
    fn a_wrong_checksum_is_no_key() {
        let last = if KEY.ends_with('0') { "1" } else { "0" };
        let wrong = format!("{}{last}", &KEY[..KEY.len() - 1]);
        assert_eq!(found_in(wrong.as_bytes(), 7), []);
        assert_eq!(found_in(&KEY.as_bytes()[..65], 7), []);
    }
}
