//! What a disk may hold of a directory when the power fails.
//!
//! Only what was synced is certain. Of all else each change may have reached the disk or not, whatever became of those
//! before and after it: of a write each sector, of a file its length, of the directory each name. A part of a sector is
//! kept or lost by itself, too, which no disk is known to do; that is stricter, never milder.
//!
//! A file's sync makes neither its name nor any other file safe, only the directory's own does.

use std::collections::BTreeMap;

use super::Random;
use super::recording::{Change, Files, Record};

const SECTOR: usize = 512;

/// How much of what was not synced is there after all.
#[derive(Clone, Copy, Debug)]
pub(super) enum Survival {
    Nothing,
    Everything,
    /// Each call's change as a whole, of a hundred so many.
    Calls(usize),
    /// Each sector by itself, of a hundred so many.
    Sectors(usize),
}

/// The files, and what is safe of them.
#[derive(Debug, Default)]
pub(super) struct Disk {
    /// All that there ever were; a name is an index.
    files: Vec<File>,
    /// As programs see it.
    names: BTreeMap<String, usize>,
    safe_names: BTreeMap<String, usize>,
    /// What became of names since the directory was synced.
    names_at_risk: Vec<(String, Option<usize>)>,
}

#[derive(Debug, Default)]
struct File {
    safe: Vec<u8>,
    at_risk: Vec<Change>,
}

impl Disk {
    /// With these files, all of them safe.
    pub(super) fn holding(files: Files) -> Self {
        let mut disk = Self::default();
        for (name, safe) in files {
            disk.names.insert(name, disk.files.len());
            let at_risk = Vec::new();
            disk.files.push(File { safe, at_risk });
        }
        disk.safe_names.clone_from(&disk.names);
        disk
    }

    pub(super) fn apply(&mut self, records: &[Record]) {
        for record in records {
            self.apply_one(record);
        }
    }

    fn apply_one(&mut self, record: &Record) {
        let name = &record.name;
        match &record.change {
            Change::Sync if name.is_empty() => {
                self.safe_names.clone_from(&self.names);
                self.names_at_risk.clear();
            }
            Change::Sync => {
                let file = self.file(name);
                let changes = std::mem::take(&mut file.at_risk);
                let safe = std::mem::take(&mut file.safe);
                file.safe = after(safe, &changes, &mut |_| true);
            }
            Change::Create => {
                self.names.insert(name.clone(), self.files.len());
                let made = (name.clone(), Some(self.files.len()));
                self.names_at_risk.push(made);
                self.files.push(File::default());
            }
            Change::Unlink => {
                self.names.remove(name).expect("a name to remove");
                self.names_at_risk.push((name.clone(), None));
            }
            change @ (Change::Write { .. } | Change::Truncate(_)) => {
                self.file(name).at_risk.push(change.clone());
            }
        }
    }

    fn file(&mut self, name: &str) -> &mut File {
        &mut self.files[self.names[name]]
    }

    /// As programs see it.
    pub(super) fn seen(&self) -> Files {
        self.content(&self.names, &mut |_| true)
    }

    /// As it may be when the power is back.
    pub(super) fn after_cut(&self, survival: Survival, random: &mut Random) -> Files {
        // A call is tossed for once, a sector each time.
        let mut call = true;
        let mut survives = |part: Part| match (survival, part) {
            (Survival::Nothing, _) => false,
            (Survival::Everything, _) => true,
            (Survival::Calls(percent), Part::Call) => {
                call = random.percent(percent);
                call
            }
            (Survival::Calls(_), Part::Sector) => call,
            (Survival::Sectors(percent), _) => random.percent(percent),
        };
        let mut names = self.safe_names.clone();
        for (name, file) in &self.names_at_risk {
            match file {
                _ if !survives(Part::Call) => {}
                Some(file) => drop(names.insert(name.clone(), *file)),
                None => drop(names.remove(name)),
            }
        }
        self.content(&names, &mut survives)
    }

    fn content(
        &self,
        names: &BTreeMap<String, usize>,
        survives: &mut impl FnMut(Part) -> bool,
    ) -> Files {
        let mut content = |&file: &usize| {
            let File { safe, at_risk } = &self.files[file];
            after(safe.clone(), at_risk, survives)
        };
        let names = names.iter();
        names
            .map(|(name, file)| (name.clone(), content(file)))
            .collect()
    }
}

/// What is kept or lost.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// The name, the new length.
    Call,
    /// What a write puts into one sector.
    Sector,
}

/// What becomes of a file by the part of its changes that survives.
fn after(
    mut content: Vec<u8>,
    changes: &[Change],
    survives: &mut impl FnMut(Part) -> bool,
) -> Vec<u8> {
    for change in changes {
        let kept = survives(Part::Call);
        match change {
            Change::Truncate(length) if kept => content.resize(*length, 0),
            Change::Write { offset, data } => {
                if kept {
                    let end = content.len().max(offset + data.len());
                    content.resize(end, 0);
                }
                for (offset, piece) in sectors(*offset, data) {
                    if survives(Part::Sector) {
                        let end = offset + piece.len();
                        content.resize(content.len().max(end), 0);
                        content[offset..end].copy_from_slice(piece);
                    }
                }
            }
            _ => {}
        }
    }
    content
}

/// The pieces of a write, and where each begins.
fn sectors(offset: usize, data: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let first = (SECTOR - offset % SECTOR).min(data.len());
    let (first, rest) = data.split_at(first);
    let start = offset + first.len();
    let rest = rest.chunks(SECTOR).enumerate();
    let rest = rest.map(move |(index, piece)| (start + index * SECTOR, piece));
    std::iter::once((offset, first)).chain(rest)
}

#[test]
fn only_what_was_synced_is_certain() {
    let record = |name: &str, change| Record {
        name: name.to_owned(),
        change,
        end: 0,
    };
    let write = |offset: usize, byte: u8, length: usize| Change::Write {
        offset,
        data: vec![byte; length],
    };
    let old = Files::from([("old".to_owned(), vec![1; 1024])]);
    let mut disk = Disk::holding(old.clone());
    for (name, change) in [
        ("old", write(256, 2, 512)),
        ("new", Change::Create),
        ("new", write(0, 3, 8)),
        ("new", Change::Sync),
        ("gone", Change::Create),
        ("gone", Change::Unlink),
    ] {
        disk.apply_one(&record(name, change));
    }
    let mut random = Random(0x5ec7_0125);
    let mut cut = |disk: &Disk, survival| disk.after_cut(survival, &mut random);
    assert_eq!(cut(&disk, Survival::Nothing), old, "a name is not synced");
    assert_eq!(cut(&disk, Survival::Everything), disk.seen());
    let mut torn = std::collections::BTreeSet::new();
    for _ in 0..64 {
        let files = cut(&disk, Survival::Sectors(50));
        torn.insert((files["old"][256], files["old"][512]));
        assert_eq!((files["old"][255], files["old"][768]), (1, 1));
        let new = files.get("new").map(Vec::as_slice);
        assert!([None, Some(&[3; 8][..])].contains(&new), "{new:?}");
    }
    assert_eq!(torn.len(), 4, "each sector is there or not");
    disk.apply_one(&record("old", Change::Sync));
    disk.apply_one(&record("old", Change::Truncate(100)));
    disk.apply_one(&record("", Change::Sync));
    let files = cut(&disk, Survival::Nothing);
    assert_eq!((files["old"][256], files["old"].len()), (2, 1024));
    assert_eq!(files["new"], [3; 8]);
    assert_eq!(disk.seen()["old"].len(), 100);
    assert!(!files.contains_key("gone"));
}
