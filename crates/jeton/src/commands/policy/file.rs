//! Policies read from files, in the format that the file's name says.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, anyhow};
use policy::{CompileError, MAX_DOCUMENT_BYTES, PolicyDocument, PolicySnapshot};

use crate::failure::Failure;
use crate::output::plain;

/// What a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Yaml,
    Json,
    CasbinCsv,
}

/// A file's text and kind; its meaning is not looked at.
#[derive(Debug)]
pub(super) struct PolicyFile {
    name: String,
    pub(super) kind: Kind,
    pub(super) text: String,
}

impl Kind {
    fn of(path: &Path) -> Result<Self, Failure> {
        let ending = path.extension().and_then(|it| it.to_str());
        match ending.map(str::to_ascii_lowercase).as_deref() {
            Some("yaml" | "yml") => Ok(Self::Yaml),
            Some("json") => Ok(Self::Json),
            Some("csv") => Ok(Self::CasbinCsv),
            _ => Err(Failure::input(anyhow!(
                "a policy's file ends in .yaml, .yml, .json or .csv"
            ))),
        }
    }

    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Yaml => "application/yaml",
            Self::Json => "application/json",
            Self::CasbinCsv => "text/csv",
        }
    }
}

impl PolicyFile {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        Ok(Self {
            name: plain(&path.to_string_lossy()),
            kind: Kind::of(path)?,
            text: read(path)?,
        })
    }

    /// The whole policy that the file stands for. casbin's files only say what roles of `base` may do.
    pub(super) fn document(&self, base: &PolicyDocument) -> Result<PolicyDocument, Failure> {
        let named = |fault: String| Failure::input(anyhow!("{}: {fault}", self.name));
        match self.kind {
            Kind::Yaml => PolicyDocument::from_yaml(&self.text).map_err(|it| named(it.to_string())),
            Kind::Json => PolicyDocument::from_json(&self.text).map_err(|it| named(it.to_string())),
            Kind::CasbinCsv => base
                .with_casbin_csv(&self.text)
                .map_err(|it| named(it.to_string())),
        }
    }

    /// The file by itself, ready to decide with.
    pub(super) async fn compile(&self) -> Result<PolicySnapshot, Failure> {
        let document = self.document(&PolicyDocument::default())?;
        document.compile(1).await.map_err(|error| match error {
            CompileError::Faults(faults) => {
                let faults = faults.iter().map(ToString::to_string);
                let lines: Vec<_> = faults.map(|it| format!("\n  {}", plain(&it))).collect();
                let (name, count) = (&self.name, lines.len());
                Failure::input(anyhow!("{name} has {count} fault(s):{}", lines.concat()))
            }
            other => Failure::server(other),
        })
    }
}

/// A text of at most the length that is looked at.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let most = u64::try_from(MAX_DOCUMENT_BYTES).unwrap_or(u64::MAX);
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(most.saturating_add(1)).read_to_string(&mut text));
    read.with_context(|| format!("cannot read {}", plain(&path.to_string_lossy())))
        .map_err(Failure::input)?;
    Ok(text)
}
