//! Finds API keys in files.

mod finder;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::ScanArgs;
use crate::output::{self, plain};

use finder::{Finder, Found};

/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// What a scan has come to.
#[derive(Default)]
struct Scan {
    files: u64,
    keys: u64,
    unread: u64,
}

/// 0: nothing found; 1: something found; 2: something could not be read, so that nobody takes it for clean.
pub(crate) fn run(args: &ScanArgs) -> ExitCode {
    let mut scan = Scan::default();
    for path in &args.paths {
        if path == Path::new("-") {
            scan.read(path, std::io::stdin().lock());
        } else if path.is_dir() {
            scan.directory(path.clone());
        } else {
            // Named outright it may also be a pipe, like <(…).
            scan.file(path);
        }
    }
    let Scan {
        files,
        keys,
        unread,
    } = scan;
    output::talk(&format!(
        "keys found: {keys}; files read: {files}; not read: {unread}"
    ));
    ExitCode::from(match (unread, keys) {
        (0, 0) => 0,
        (0, _) => 1,
        _ => 2,
    })
}

impl Scan {
    /// Everything below; without recursion, for directories may be nested deeply.
    fn directory(&mut self, top: PathBuf) {
        let mut directories = vec![top];
        while let Some(directory) = directories.pop() {
            let mut paths = self.entries(&directory);
            paths.sort();
            for path in &paths {
                match fs::symlink_metadata(path) {
                    Err(error) => self.unread(path, &error),
                    Ok(it) if it.is_dir() => {}
                    Ok(it) if it.is_file() => self.file(path),
                    Ok(it) if it.is_symlink() => self.link(path),
                    Ok(_) => skipped(path, "neither a file nor a directory"),
                }
            }
            let below = paths.into_iter().rev();
            directories.extend(below.filter(|path| path.is_dir() && !path.is_symlink()));
        }
    }

    fn entries(&mut self, directory: &Path) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        match fs::read_dir(directory) {
            Err(error) => self.unread(directory, &error),
            Ok(entries) => {
                for entry in entries {
                    match entry {
                        Ok(entry) => paths.push(entry.path()),
                        Err(error) => self.unread(directory, &error),
                    }
                }
            }
        }
        paths
    }

    /// A link to a file is read; one to a directory could lead round in circles.
    fn link(&mut self, path: &Path) {
        match fs::metadata(path) {
            Err(error) => self.unread(path, &error),
            Ok(it) if it.is_file() => self.file(path),
            Ok(_) => skipped(path, "a link to something else than a file"),
        }
    }

    fn file(&mut self, path: &Path) {
        match File::open(path) {
            Ok(file) => self.read(path, file),
            Err(error) => self.unread(path, &error),
        }
    }

    fn read(&mut self, path: &Path, mut input: impl Read) {
        let shown = plain(&path.to_string_lossy());
        let mut finder = Finder::new();
        let mut chunk = vec![0; CHUNK];
        loop {
            match input.read(&mut chunk) {
                Ok(0) => break self.files += 1,
                Ok(length) => finder.feed(&chunk[..length], &mut |found: Found| {
                    self.keys += 1;
                    let Found { line, column, key } = found;
                    output::data(&format!("{shown}:{line}:{column}  {key}"));
                }),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => break self.unread(path, &error),
            }
        }
    }

    fn unread(&mut self, path: &Path, error: &std::io::Error) {
        self.unread += 1;
        let path = plain(&path.to_string_lossy());
        output::talk(&format!("cannot read {path}: {error}"));
    }
}

fn skipped(path: &Path, why: &str) {
    let path = plain(&path.to_string_lossy());
    output::talk(&format!("skipped {path}: {why}"));
}
