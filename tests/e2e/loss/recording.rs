//! What a program does to the files of a directory, call by call: `tests/power-cut/recorder.c` writes it down.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::repository;

/// The contents of a directory's files.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// A change of a file, or of the directory, whose name is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Create,
    Write { offset: usize, data: Vec<u8> },
    Truncate(usize),
    Sync,
    Unlink,
}

/// One call.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) change: Change,
    /// How long the log was with it.
    pub(super) end: u64,
}

/// A directory whose files are recorded. It goes with its value.
pub(super) struct Recorded {
    scratch: PathBuf,
    library: String,
    directory: String,
    log: String,
}

impl Recorded {
    /// Compiles the recorder, and makes a directory that holds these files.
    pub(super) fn with(name: &str, files: &Files) -> Self {
        let name = format!("jeton-{name}-{}", std::process::id());
        let scratch = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&scratch);
        std::fs::create_dir(&scratch).unwrap();
        // SQLite names files by their real paths.
        let scratch = scratch.canonicalize().unwrap();
        let within = |name: &str| scratch.join(name).to_str().unwrap().to_owned();
        let recorded = Self {
            library: within("recorder.so"),
            directory: within("recorded"),
            log: within("log"),
            scratch,
        };
        let source = repository().join("tests/power-cut/recorder.c");
        let compiled = Command::new("cc")
            .args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared"])
            .args(["-fPIC", "-pthread", "-o", &recorded.library])
            .arg(source)
            .status();
        assert!(compiled.expect("a C compiler").success());
        recorded.lay_out("recorded", files);
        recorded
    }

    /// What a program must have in its environment to be recorded.
    pub(super) fn environment(&self) -> [(&str, &str); 3] {
        [
            ("LD_PRELOAD", &self.library),
            ("POWER_CUT_DIRECTORY", &self.directory),
            ("POWER_CUT_LOG", &self.log),
        ]
    }

    pub(super) fn log(&self) -> PathBuf {
        PathBuf::from(&self.log)
    }

    /// A file of the recorded directory.
    pub(super) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.directory)
    }

    /// The files as they are now.
    pub(super) fn files(&self) -> Files {
        files_of(Path::new(&self.directory))
    }

    /// Makes another directory beside the recorded one, which holds these files.
    pub(super) fn lay_out(&self, name: &str, files: &Files) -> PathBuf {
        let directory = self.scratch.join(name);
        std::fs::create_dir(&directory).unwrap();
        for (name, content) in files {
            std::fs::write(directory.join(name), content).unwrap();
        }
        directory
    }

    /// All calls, in their order.
    pub(super) fn records(&self) -> Vec<Record> {
        let log = std::fs::read(&self.log).unwrap();
        let (mut rest, mut records) = (log.as_slice(), Vec::new());
        while !rest.is_empty() {
            let (name, change) = read_record(&mut rest);
            let end = (log.len() - rest.len()) as u64;
            records.push(Record { name, change, end });
        }
        records
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.scratch);
    }
}

/// The files of a directory, but for those that SQLite only shares memory with.
pub(super) fn files_of(directory: &Path) -> Files {
    let entries = std::fs::read_dir(directory).unwrap();
    let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
    let names = names.filter(|name| !name.ends_with("-shm"));
    names
        .map(|name| {
            let content = std::fs::read(directory.join(&name)).unwrap();
            (name, content)
        })
        .collect()
}

/// `struct record`, a name and data, as a machine of this kind writes them.
fn read_record(rest: &mut &[u8]) -> (String, Change) {
    let change = u32::from_ne_bytes(*take_array(rest));
    let name_length = u32::from_ne_bytes(*take_array(rest)) as usize;
    let offset = u64::from_ne_bytes(*take_array(rest));
    let length = u64::from_ne_bytes(*take_array(rest));
    let name = take(rest, name_length).to_vec();
    let data = take(rest, usize::try_from(length).unwrap()).to_vec();
    let offset = usize::try_from(offset).unwrap();
    let change = match change {
        1 => Change::Create,
        2 => Change::Write { offset, data },
        3 => Change::Truncate(offset),
        4 => Change::Sync,
        5 => Change::Unlink,
        other => panic!("no change has the number {other}"),
    };
    (String::from_utf8(name).unwrap(), change)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    rest.split_off(..length).expect("a whole record")
}

fn take_array<'a, const N: usize>(rest: &mut &'a [u8]) -> &'a [u8; N] {
    take(rest, N).try_into().unwrap()
}
